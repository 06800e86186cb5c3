// Author: whose mail a message is, by its From field (RFC 5322 3.6.2).
#ifndef OUTBOX_DKIM_AUTHOR_H_
#define OUTBOX_DKIM_AUTHOR_H_

#include <string>
#include <string_view>

namespace outbox::dkim {

enum class AuthorKind {
  kOne,      // there is one From field; whether its domain can be read is another question
  kNone,     // there is none, and so nothing that a signature must cover
  kSeveral,  // more than one: receivers show this one or that one
};

// Looks for the From field in a header section in wire form (`header`: without the empty line at
// its end). `domain` is set to that of its first mailbox in lower case, or to nothing when it has
// none that is a domain name. No allocation once `domain` has its room.
AuthorKind FindAuthor(std::string_view header, std::string* domain);

// The same of a From field's value, folded as it is: "Alice <alice@example.com>".
void FindMailboxDomain(std::string_view value, std::string* domain);

// Of "alice@example.com", in lower case; nothing without an @, or behind it no domain name.
void FindDomain(std::string_view address, std::string* domain);

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_AUTHOR_H_
