// Domain names, as far as a configuration needs to judge them (RFC 1035 2.3.1, RFC 1123 2.1).
#ifndef OUTBOX_CORE_DOMAIN_NAME_H_
#define OUTBOX_CORE_DOMAIN_NAME_H_

#include <string>
#include <string_view>

namespace outbox::core {

// Letters, digits, hyphens (not at the end of a label) and, as in the wild, underscores; labels of
// 1 to 63 octets, 255 in all; no dot at the end. Internationalised names only in their "xn--" form.
bool IsDomainName(std::string_view text);

// A domain name of two labels or more whose last one is not a number.
bool IsQualifiedDomainName(std::string_view text);

// ASCII letters in lower case, everything else as it is.
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
std::string ToLower(std::string_view text);

// "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 4.1.3.
bool IsAddressLiteral(std::string_view text);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_DOMAIN_NAME_H_
