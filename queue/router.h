// Router: which route a recipient takes. Ordered static routes, the first match wins.
//
// Pure and built once from the configuration (queue/pattern_index.h: thousands of routes cost no
// more than a few). A recipient that no route matches takes the implicit last one, "*" via MX,
// under the name kImplicitRoute. Recipients in local domains take none of them (local_domains.h).
//
// Shard-local (Route uses a scratch buffer); outlives every draft and notice that it routes.
#ifndef OUTBOX_QUEUE_ROUTER_H_
#define OUTBOX_QUEUE_ROUTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/string_map.h"
#include "queue/local_domains.h"
#include "queue/message_meta.h"
#include "queue/pattern_index.h"

namespace outbox::queue {

inline constexpr std::string_view kImplicitRoute = "mx";

// The answer to one question. Views belong to the router; `destination` only until the next
// question.
struct RouteChoice {
  std::string_view destination;       // queue/destination_key.h
  std::string_view route;             // its name
  std::span<const uint32_t> retry_s;  // schedule, seconds
  Periods periods;
  uint32_t index = 0;  // place in the list; the implicit one is behind the last
  // Whom the mail is for: the recipient as it came, or the mailbox that this means; also only until
  // the next question.
  std::string_view recipient;
  bool local = false;
};

// What is different between two routers for mail that is queued already.
struct RouteChanges {
  std::set<std::string, std::less<>> keys;  // destinations of routes that are gone or go elsewhere
  bool mx = false;                          // and such routes went by MX

  bool empty() const { return keys.empty() && !mx; }
  bool Touches(std::string_view key) const {
    return keys.contains(key) || (mx && key.starts_with("mx:"));
  }
};

class Router {
 public:
  explicit Router(const core::Config& config);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // `recipient`: local@domain, the domain in any case. Without a domain it is our own host's.
  RouteChoice Route(std::string_view recipient) const;
  // Where mail goes whose recipient is in a local domain and has no mailbox, as it is known by now.
  // REQUIRES: local() owns its domain.
  RouteChoice RouteNoMailbox(std::string_view recipient) const;
  // Null: no mail is local.
  LocalDomains* local() const { return local_.get(); }

  // Whether mail of the route with this name may still go to the destination with this key.
  bool StillRoutes(std::string_view route, std::string_view key) const;
  // What queued mail must be looked at when this router follows `old`.
  RouteChanges Since(const Router& old) const;

  // Connections that the routes allow to the destination with this key, over all shards; the
  // smallest number when several routes go there.
  uint32_t ConnectionsFor(std::string_view destination) const;

 private:
  struct Entry {
    std::string name;
    std::string destination;  // "" when it is via MX
    uint16_t port = 0;        // with via MX
    uint32_t connections = 0;
    std::vector<uint32_t> retry_s;
    Periods periods;
  };

  static Entry MakeEntry(std::string name, const core::RetryPeriods& periods, uint16_t port,
                         uint32_t connections);
  RouteChoice RouteOut(std::string_view recipient) const;
  RouteChoice RouteLocal(std::string_view recipient) const;
  void SetDomain(std::string_view recipient) const;
  // The number of the first route that matches; entries_.size() - 1 (the implicit one) if none.
  uint32_t Match(std::string_view domain) const;

  std::string hostname_;
  std::vector<Entry> entries_;  // the implicit one is the last
  PatternIndex patterns_;
  core::StringMap<std::vector<uint32_t>> by_name_;  // routes that have this name
  core::StringMap<uint32_t> connections_;           // by destination key, of "via:" ones
  uint32_t default_connections_;
  std::unique_ptr<LocalDomains> local_;
  Entry local_entry_;
  mutable std::string domain_;       // scratch: lower case
  mutable std::string destination_;  // scratch: the answer's key
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTER_H_
