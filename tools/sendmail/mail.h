// Mail: one message that a program of this machine hands in, ready to be said in SMTP.
#ifndef OUTBOX_TOOLS_SENDMAIL_MAIL_H_
#define OUTBOX_TOOLS_SENDMAIL_MAIL_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/limits.h"

namespace outbox::tools {

// A larger message is refused while it is read. What the listener allows is usually less.
inline constexpr size_t kHandedInBytesMax = size_t{512} << 20;
// As many as a listener takes in one transaction unless it is told otherwise.
inline constexpr size_t kHandedInRecipientsMax = core::kSmtpRecipientsMax;

struct Mail {
  std::string sender;                   // empty: the null return path
  std::vector<std::string> recipients;  // 1 to kHandedInRecipientsMax
  // RFC 3461, empty where nothing was said: "FAILURE,DELAY", "HDRS", an envelope id in xtext.
  // Passed on where the other side offers DSN.
  std::string notify;
  std::string ret;
  std::string envelope_id;
  std::string content;  // lines end in CRLF, dots are not doubled
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_MAIL_H_
