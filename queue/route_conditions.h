// RouteConditions: whether a message is one that a route is for, beyond its recipient's domain.
//
// RouteFacts is what is known of the message; UnmetCondition is the one place that compares it with
// a route. Pure.
#ifndef OUTBOX_QUEUE_ROUTE_CONDITIONS_H_
#define OUTBOX_QUEUE_ROUTE_CONDITIONS_H_

#include <cstdint>
#include <string_view>

#include "core/config.h"
#include "core/ip_address.h"

namespace outbox::queue {

class HeaderFields;

struct RouteFacts {
  std::string_view sender;                  // "" is the null return path; in either form
  const core::IpAddress* client = nullptr;  // null: none, the message is ours
  const HeaderFields* header = nullptr;     // null: not known yet
  uint64_t size = 0;                        // RFC 1870; 0: not known yet
  bool released = false;  // an operator has released it: routes that hold mail are passed over
  uint64_t draw = 0;      // 64 even bits, by which a pool of sources is divided
  std::string_view source;  // that it has been given before; it stays with that if it may

  bool has_content() const { return header != nullptr && size > 0; }
};

// The first condition of the route that the message does not meet, in this order.
enum class RouteCondition : uint8_t {
  kNone,  // it meets all
  kRecipient,
  kSender,
  kSource,
  kHeader,  // of a message that is not known yet: perhaps
  kSize,    // likewise
};

// `recipient`, and the sender of the facts: keys of addresses (core/idna.h). Domains
// (RouteConfig::match) are the caller's.
RouteCondition UnmetCondition(const core::RouteConfig& route, std::string_view recipient,
                              const RouteFacts& facts);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTE_CONDITIONS_H_
