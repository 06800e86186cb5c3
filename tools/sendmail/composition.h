// Makes mail of what was typed and what was read: who it is from, who it goes to, and the header
// that a reader expects (RFC 5322 3.6, RFC 6409 8).
#ifndef OUTBOX_TOOLS_SENDMAIL_COMPOSITION_H_
#define OUTBOX_TOOLS_SENDMAIL_COMPOSITION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"
#include "tools/sendmail/mail.h"
#include "tools/sendmail/options.h"

namespace outbox::tools {

// Who calls, when, and what the machine says of itself.
struct Caller {
  std::string user;       // "www-data"
  std::string full_name;  // "" where none is known
  std::string origin;     // the domain of addresses without one
  int64_t now_wall_ns = 0;
  uint64_t random = 0;  // of the Message-ID
};

// `content` as MessageReader makes it. Errors are the caller's: an address that is none, or no
// recipient at all.
core::Result<Mail> Compose(const SendmailOptions& options, const Caller& caller,
                           std::string_view content);

// The part of a password entry's comment that names a person, with "&" as the login's name.
std::string FullNameOf(std::string_view comment, std::string_view user);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_COMPOSITION_H_
