// RoutingTable: how recipients were routed again by an operator's command, each way kept once.
//
// What a message says of the routing of its recipients (the group in its meta) is never rewritten.
// Who is routed otherwise later has a Routing, which counts instead and is written with the
// message's state (queue/message_state.h). There are as many as routes differ in name and periods,
// over the time that the process has run: destinations are not in them. Shard-local.
#ifndef OUTBOX_QUEUE_ROUTING_TABLE_H_
#define OUTBOX_QUEUE_ROUTING_TABLE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/string_map.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/period_table.h"

namespace outbox::queue {

// The name of the route of mail whose hosts an operator has named.
inline constexpr std::string_view kRerouteName = "(reroute)";

struct Routing {
  std::string route;
  Periods periods;
  std::string retry;    // as PartRouting has it
  bool pinned = false;  // the operator's hosts: no route decides
  const PeriodSet* set = nullptr;
};

class RoutingTable {
 public:
  explicit RoutingTable(PeriodTable* periods) : periods_(periods) {}

  // Stay in place for the life of the table.
  const Routing* Intern(std::string_view route, std::span<const uint32_t> retry_s,
                        const Periods& periods, bool pinned);
  const Routing* Intern(const PartRouting& part, bool pinned);
  size_t size() const { return all_.size(); }

 private:
  PeriodTable* const periods_;
  core::StringMap<std::unique_ptr<Routing>> all_;  // by what they say
  std::string key_;                                // scratch
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTING_TABLE_H_
