// Router: which route a recipient takes. Ordered static routes, the first match wins.
//
// Pure and built once from the configuration. Exact domains and "*.suffix" patterns are looked up
// by hash, one lookup a label of the domain, so thousands of routes cost no more than a few; the
// lowest route number among the matches wins, as if the list had been walked. A recipient that no
// route matches takes the implicit last one, "*" via MX, under the name kImplicitRoute.
//
// Shard-local (Route uses a scratch buffer); outlives every draft and notice that it routes.
#ifndef OUTBOX_QUEUE_ROUTER_H_
#define OUTBOX_QUEUE_ROUTER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/string_map.h"
#include "queue/message_meta.h"

namespace outbox::queue {

inline constexpr std::string_view kImplicitRoute = "mx";

// The answer to one question. Views belong to the router; `destination` only until the next
// question.
struct RouteChoice {
  std::string_view destination;       // key, queue/destination.h: "via:..." or "mx:domain"
  std::string_view route;             // its name
  std::span<const uint32_t> retry_s;  // schedule, seconds
  Periods periods;
  uint32_t index = 0;  // place in the list; the implicit one is behind the last
};

class Router {
 public:
  explicit Router(const core::Config& config);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // `recipient`: local@domain, the domain in any case. Without a domain it is our own host's.
  RouteChoice Route(std::string_view recipient) const;

  // Connections that the destination with this key may have, over all shards.
  uint32_t ConnectionsFor(std::string_view destination) const;

  // The destination key of a list of hosts.
  static std::string KeyOf(std::span<const core::ViaHost> hosts);

 private:
  struct Entry {
    std::string name;
    std::string destination;  // "" when it is via MX
    std::vector<uint32_t> retry_s;
    Periods periods;
  };

  static Entry MakeEntry(std::string name, const core::RetryPeriods& periods);
  void AddPattern(const std::string& pattern, uint32_t index);
  // The number of the first route that matches; entries_.size() - 1 (the implicit one) if none.
  uint32_t Match(std::string_view domain) const;

  std::string hostname_;
  std::vector<Entry> entries_;             // the implicit one is the last
  core::StringMap<uint32_t> exact_;        // domain -> lowest route
  core::StringMap<uint32_t> suffix_;       // "example.net" of "*.example.net", likewise
  uint32_t any_;                           // of "*"
  core::StringMap<uint32_t> connections_;  // by destination key
  uint32_t default_connections_;
  mutable std::string domain_;       // scratch: lower case
  mutable std::string destination_;  // scratch: the answer's key
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTER_H_
