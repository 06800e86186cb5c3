// RouteOrder: how an operator wants queued mail to be routed again.
//
// `outbox clear` asks for the routes of today and nothing else; `outbox reroute` for another
// envelope, a certain route, certain hosts, or for the envelope that the message once had. Made
// once for a command and shared by all shards, which only read it.
#ifndef OUTBOX_QUEUE_ROUTE_ORDER_H_
#define OUTBOX_QUEUE_ROUTE_ORDER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "queue/message_meta.h"
#include "queue/router.h"

namespace outbox::queue {

struct RouteOrder {
  bool clear = false;               // by `outbox clear`, for those who tell of it
  bool dry_run = false;             // only how many would be meant
  bool original = false;            // the original envelope, where there is another one
  std::vector<std::string> to;      // new recipients instead of those that are meant
  std::optional<std::string> from;  // a new return path; "": the null one
  std::string hosts;                // the key of a destination (queue/destination_key.h); or
  std::string route;                // the name of a route; neither: the routes decide

  // Whether a message with this meta gets another envelope, and so another one's place.
  bool ChangesEnvelope(const MetaView& meta) const {
    return !to.empty() || from.has_value() || (original && meta.has_original());
  }
  // What a recipient's routing is by this order. As Router::Route. A route that is not there any
  // more is like none.
  RouteChoice Choose(const Router& router, std::string_view recipient,
                     const RouteFacts& facts) const;
  // No route decides, also later.
  bool pinned() const { return !hosts.empty(); }
  const char* name() const { return clear ? "clear" : "reroute"; }
};

// What the routes may look at of a message that is in the spool.
class StoredFacts {
 public:
  // `header` and the meta outlive it; `body`: its beginning.
  StoredFacts(const MetaView& meta, std::string_view body, HeaderFields* header, bool released);
  StoredFacts(const StoredFacts&) = delete;
  StoredFacts& operator=(const StoredFacts&) = delete;

  RouteFacts* operator->() { return &facts_; }
  const RouteFacts& operator*() const { return facts_; }

 private:
  std::optional<core::IpAddress> client_;
  RouteFacts facts_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTE_ORDER_H_
