#include "queue/route_order.h"

#include <algorithm>

#include "queue/header_fields.h"
#include "queue/routing_table.h"

namespace outbox::queue {

RouteChoice RouteOrder::Choose(const Router& router, std::string_view recipient,
                               const RouteFacts& facts) const {
  if (!route.empty()) {
    if (const auto choice = router.RouteThrough(route, recipient, facts)) return *choice;
  }
  RouteChoice choice = router.Route(recipient, facts);
  if (hosts.empty()) return choice;
  // The periods are those of the route that it would have taken.
  choice.destination = hosts;
  choice.action = core::RouteAction::kSend;
  choice.route = kRerouteName;
  choice.recipient = recipient;
  choice.local = false;
  router.ChooseSource(facts, &choice);
  return choice;
}

StoredFacts::StoredFacts(const MetaView& meta, std::string_view body, HeaderFields* header,
                         bool released) {
  const core::Result<core::IpAddress> client = core::IpAddress::Parse(meta.client());
  if (client.ok()) client_ = *client;
  facts_.sender = meta.reverse_path();
  if (client_.has_value()) facts_.client = &*client_;
  facts_.size = std::max<uint64_t>(1, meta.smtp_size() - meta.prefix().size());
  header->Read(body);
  facts_.header = header;
  facts_.released = released;
  facts_.draw = DrawOf(meta.id());
}

}  // namespace outbox::queue
