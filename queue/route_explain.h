// RouteExplain: why the routes before the one that takes a message do not. For `outbox route test`.
//
// A plain walk through the configuration, off the mail path.
#ifndef OUTBOX_QUEUE_ROUTE_EXPLAIN_H_
#define OUTBOX_QUEUE_ROUTE_EXPLAIN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "queue/route_conditions.h"

namespace outbox::queue {

struct PassedRoute {
  uint32_t index = 0;
  std::string name;
  std::string why;  // a sentence without its full stop
};

struct PassedRoutes {
  std::vector<PassedRoute> routes;  // in order
  uint32_t left_out = 0;            // more that are for other recipient domains
};

// Of the first `before` routes: all that take the recipient's domain and still do not match, then
// as many others as `max` leaves room for.
PassedRoutes ExplainRoutes(const core::Config& config, std::string_view recipient,
                           const RouteFacts& facts, uint32_t before, size_t max);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTE_EXPLAIN_H_
