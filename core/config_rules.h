// The rules of the configuration that are more than the shape of a value: what is an open relay,
// which route can be reached, what is a host to send to.
#ifndef OUTBOX_CORE_CONFIG_RULES_H_
#define OUTBOX_CORE_CONFIG_RULES_H_

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/ip_address.h"

namespace outbox::core {

// What [io] disable may name: the features that io::UringIo can do without.
inline constexpr std::array<std::string_view, 7> kConfigIoFeatures = {
    "defer_taskrun",        "single_issuer", "multishot_accept", "multishot_receive",
    "provided_buffer_ring", "msg_ring",      "poll_first"};

// A name that stands in a greeting: a full domain name or an address literal.
bool IsHostname(std::string_view text);

// "example.net", "*.example.net", "*" or an address literal. `text` is in lower case.
bool IsRoutePattern(std::string_view text);

// What may stand for the program in a line of a log: 1 to 32 letters, digits, hyphens, underscores.
bool IsProgramName(std::string_view text);

// A relay open to strangers is abused within hours, so a network that no single organisation has is
// refused: prefixes shorter than /8 for IPv4 and, outside of fc00::/7, than /16 for IPv6. Networks
// within the private ranges (RFC 1918, RFC 6598, RFC 4193, loopback, link-local) are always fine.
bool IsTooWideToRelay(const Network& network);
// The same for what networks cover together: more public addresses than a /8 of IPv4 or a /16 of
// IPv6, so that a list of halves does not pass where the whole would not.
bool AreTooManyToRelay(std::span<const Network> networks);

// Takes "192.0.2.25", "192.0.2.25:2525", "[2001:db8::25]:25", "mail.example.net",
// "mail.example.net:2525"; without a port it is 25. False: none of these.
// Also "lmtp:127.0.0.1:24", "lmtp:store.example.net" (port 24), "lmtp:/run/dovecot/lmtp".
bool ParseViaHost(std::string_view text, ViaHost* host);
// What stands behind "lmtp:".
bool ParseLmtpHost(std::string_view text, ViaHost* host);
// Null: these hosts can stand in one list. Otherwise what was expected.
const char* WhyNoViaList(std::span<const ViaHost> hosts);

// What a route is found by, the most selective of its conditions. kNone: it must be looked at for
// every recipient.
enum class RouteKey : uint8_t {
  kDomain,     // the patterns of `match`
  kRecipient,  // addresses without "*"
  kSender,     // addresses without "*", whole domains "*@example.com", "<>"
  kNone,
};
RouteKey KeyOf(const RouteConfig& route);

// Whether mail to `host` would come back to one of `listeners`: to its address and port, to a
// loopback address when it listens on all, or to our own name.
bool IsOwnListener(const ViaHost& host, const Config& config);

// The patterns of all routes so far, to find those that no recipient can reach.
class RoutePatterns {
 public:
  struct Earlier {
    std::string pattern;
    uint32_t line = 0;  // 0: none
  };
  // The earlier pattern that takes every recipient of this one.
  Earlier Find(std::string_view pattern) const;
  // Adds a pattern; or returns the earlier one, as Find.
  Earlier Add(std::string_view pattern, uint32_t line);

 private:
  std::map<std::string, uint32_t, std::less<>> lines_;
};

// ASCII without control characters.
bool IsPrintable(std::string_view text);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_RULES_H_
