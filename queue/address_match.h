// Patterns of domains and addresses, as operators write them.
//
// Compared without regard to the case of ASCII letters; `*` stands for any run of characters, and
// without one it must be the whole. A domain is the same in either of its forms (core/idna.h),
// whichever the pattern has and whichever the mail came with. Pure.
#ifndef OUTBOX_QUEUE_ADDRESS_MATCH_H_
#define OUTBOX_QUEUE_ADDRESS_MATCH_H_

#include <string>
#include <string_view>

namespace outbox::queue {

bool MatchesPattern(std::string_view pattern, std::string_view text);

// The part of an address behind its last "@"; "" for none.
std::string_view DomainOf(std::string_view address);

// What the two functions below take: of the domain in it, labels that are not ASCII and have no "*"
// in lower case.
std::string DomainPattern(std::string_view pattern);
std::string AddressPattern(std::string_view pattern);

bool MatchesDomain(std::string_view pattern, std::string_view domain);
bool MatchesAddress(std::string_view pattern, std::string_view address);
// Of a sender: the null reverse-path is "<>".
bool MatchesSender(std::string_view pattern, std::string_view reverse_path);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ADDRESS_MATCH_H_
