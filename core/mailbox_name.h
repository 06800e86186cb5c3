// Names of local mailboxes, and where a Maildir lies.
//
// A name becomes a path and a line of a file, so it is judged strictly: what could mean something
// to a file system, a shell or another mail system is no name. Pure.
#ifndef OUTBOX_CORE_MAILBOX_NAME_H_
#define OUTBOX_CORE_MAILBOX_NAME_H_

#include <string>
#include <string_view>

namespace outbox::core {

// Letters, digits and . _ - + =, and characters of UTF-8 beyond ASCII (RFC 6531) but control
// characters, 1 to 64 octets; not with a dot or hyphen in front, nor with two dots in a row.
bool IsMailboxUser(std::string_view text);

// "user", which is a mailbox of every local domain, or "user@domain", this with A-labels. In lower
// case, as far as it is ASCII.
bool IsMailboxName(std::string_view text);

// "/var/mail/{domain}/{user}": an absolute path with {user}, and perhaps {domain}, in place of
// whole names or parts of them. Null: it can be used. Otherwise what was expected.
const char* WhyNoMaildirTemplate(std::string_view text);

// Octets of a template.
inline constexpr size_t kMaildirTemplateBytes = 1000;

// The path of one mailbox; "" when `user` is no name (IsMailboxUser) or `domain` no domain, in
// lower case both. REQUIRES: WhyNoMaildirTemplate(text) == nullptr.
std::string MaildirPath(std::string_view text, std::string_view user, std::string_view domain);

// Where the part of a template begins that differs between mailboxes: the path before it, without
// the slash at its end, must be there; what comes behind is made.
std::string_view MaildirRoot(std::string_view text);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_MAILBOX_NAME_H_
