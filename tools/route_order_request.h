// What `clear` and `reroute` of the control protocol take besides a filter: the order itself.
#ifndef OUTBOX_TOOLS_ROUTE_ORDER_REQUEST_H_
#define OUTBOX_TOOLS_ROUTE_ORDER_REQUEST_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/status.h"
#include "queue/route_order.h"

namespace outbox::tools {

// Recipients that a message can be given at a time.
inline constexpr size_t kRerouteRecipientsMax = 100;

// Reads a member of `clear`, or with `envelope` one of `reroute`. Nothing: it is none.
std::optional<core::Status> ReadRouteOrder(const std::string& member, const nlohmann::json& value,
                                           bool envelope, queue::RouteOrder* order);
// What the members say together, once all are read; completes the order.
core::Status FinishRouteOrder(bool clear, queue::RouteOrder* order);
// What only the configuration tells: there is such a route, and the hosts are not ourselves.
core::Status CheckRouteOrder(const queue::RouteOrder& order, const core::Config& config);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_ROUTE_ORDER_REQUEST_H_
