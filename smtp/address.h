// Paths: the reverse-path and forward-path of an SMTP envelope (RFC 5321 4.1.2).
//
// Parsing copies nothing: the parts are views into the line that was parsed, and keep the case and
// the quoting in which the client wrote them. What is compared or routed by is the domain, in lower
// case (LowerCaseInto). An address is never "repaired": it is passed on as it came, or refused with
// the column at which it stops being an address.
//
// UTF-8 in local parts and domains (RFC 6531 3.3) is read like anything else, and where it begins
// is told: whether it is allowed is the caller's to judge. A domain with U-labels must be one under
// IDNA2008 (core/idna.h); to see that costs memory, and nothing else here does.
#ifndef OUTBOX_SMTP_ADDRESS_H_
#define OUTBOX_SMTP_ADDRESS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace outbox::smtp {

// One parsed path. Views into the parsed line.
struct Path {
  // "local@domain" as written, without brackets and source route; "Postmaster" as written for
  // <Postmaster>; empty for the null path <>.
  std::string_view mailbox;
  std::string_view local;   // as written, with its quotes if any; empty for the null path
  std::string_view domain;  // as written; an address literal with its brackets; may be empty

  bool is_null() const { return mailbox.empty(); }
  // <Postmaster> without a domain (RFC 5321 4.1.1.3): the postmaster of this host.
  bool is_bare_postmaster() const { return !mailbox.empty() && domain.empty(); }
  bool is_address_literal() const { return !domain.empty() && domain.front() == '['; }
};

// Why something is not an address. The kinds differ in the reply that they deserve.
enum class AddressErrorKind : uint8_t {
  kNone,
  kSyntax,    // 501 5.1.3 (recipient), 5.1.7 (sender)
  kTooLong,   // the same, the text names the limit
  kNullPath,  // <> where a mailbox is needed
};

struct AddressError {
  AddressErrorKind kind = AddressErrorKind::kNone;
  const char* what = "";  // a sentence for a person: "the domain is longer than 255 octets"
  uint16_t column = 0;    // 1-based, in the text that was given to the parser

  bool ok() const { return kind == AddressErrorKind::kNone; }
};

// Limits of RFC 5321 4.5.3.1.1 - 4.5.3.1.3, octets. A path is counted with its brackets, without a
// source route; with U-labels it must be within them in either form.
inline constexpr size_t kLocalPartOctetsMax = 64;
inline constexpr size_t kDomainOctetsMax = 255;
inline constexpr size_t kPathOctetsMax = 256;
inline constexpr size_t kDomainLabelOctetsMax = 63;

// What the two path parsers have read.
struct ParsedPath {
  Path path;
  AddressError error;
  size_t length = 0;         // octets of the text that the path took, brackets included; 0 on error
  uint16_t utf8_column = 0;  // 1-based, of the first octet above 127; 0: the path is ASCII
};

// Reads a path at the beginning of `text`; what follows it (parameters) is the caller's. Source
// routes
// ("<@a,@b:c@d>") are read and dropped (RFC 5321 appendix C).
ParsedPath ParseReversePath(std::string_view text);  // takes "<>" as well
ParsedPath ParseForwardPath(std::string_view text);  // takes "<Postmaster>" in any case as well

// Reads a mailbox ("local@domain", no brackets) that is all of `text`: for configuration and tools.
ParsedPath ParseMailbox(std::string_view text);

// A domain as RFC 5321 2.3.5 has it: letters, digits, hyphens and (seen in practice, harmless)
// underscores in labels of 1-63 octets that neither begin nor end with a hyphen, 255 octets in all,
// no dot at the end. Or with U-labels, which need not be in lower case. An empty `what` means
// valid; column is 1-based in `domain`.
AddressError CheckDomain(std::string_view domain);

// An address literal with its brackets: "[192.0.2.1]", "[IPv6:2001:db8::1]". Other tags are
// refused.
AddressError CheckAddressLiteral(std::string_view literal);

// Copies `text` to the beginning of `into` with A-Z made a-z, and returns it there.
// REQUIRES: into.size() >= text.size().
std::string_view LowerCaseInto(std::string_view text, std::span<char> into);

// ASCII only, whatever the locale.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_ADDRESS_H_
