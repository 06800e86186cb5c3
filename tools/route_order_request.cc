#include "tools/route_order_request.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config_rules.h"
#include "core/limits.h"
#include "queue/destination_key.h"
#include "smtp/address.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

core::Status BadOrder(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

// "": it is an address.
std::string WhyNoAddress(const std::string& text) {
  const smtp::AddressError error = smtp::ParseMailbox(text).error;
  if (error.ok()) return "";
  return "\"" + text.substr(0, 320) + "\" is no address: column " + std::to_string(error.column) +
         ": " + error.what;
}

core::Status ReadTo(const json& value, queue::RouteOrder* order) {
  const json list = value.is_array() ? value : json::array({value});
  if (list.empty() || list.size() > kRerouteRecipientsMax) {
    return BadOrder("\"to\": expected 1 to " + std::to_string(kRerouteRecipientsMax) +
                    " addresses");
  }
  for (const json& one : list) {
    if (!one.is_string()) return BadOrder("\"to\": expected an address or an array of addresses");
    const std::string text = one.get<std::string>();
    if (const std::string why = WhyNoAddress(text); !why.empty()) return BadOrder("\"to\": " + why);
    if (std::find(order->to.begin(), order->to.end(), text) == order->to.end()) {
      order->to.push_back(text);
    }
  }
  return core::OkStatus();
}

core::Status ReadFrom(const json& value, queue::RouteOrder* order) {
  const std::string text = value.is_string() ? value.get<std::string>() : std::string();
  if (text == "<>") {
    order->from = "";
    return core::OkStatus();
  }
  if (const std::string why = WhyNoAddress(text); !why.empty()) {
    return BadOrder("\"from\": " + why + "; the null return path is \"<>\"");
  }
  order->from = text;
  return core::OkStatus();
}

// "mx1.example.net,mx2.example.net:2525", or an array of hosts.
core::Status ReadVia(const json& value, queue::RouteOrder* order) {
  std::vector<std::string> texts;
  const json list = value.is_array() ? value : json::array({value});
  for (const json& one : list) {
    std::string text = one.is_string() ? one.get<std::string>() : std::string();
    for (size_t comma; (comma = text.find(',')) != std::string::npos;) {
      texts.push_back(text.substr(0, comma));
      text.erase(0, comma + 1);
    }
    texts.push_back(std::move(text));
  }
  std::vector<core::ViaHost> hosts;
  for (const std::string& text : texts) {
    core::ViaHost& host = hosts.emplace_back();
    if (core::ParseViaHost(text, &host)) continue;
    return BadOrder("\"via\": \"" + text.substr(0, 320) +
                    "\" is no host: expected for example mx.example.net, 192.0.2.25:2525 or "
                    "[2001:db8::25]:25");
  }
  if (hosts.size() > core::kConfigViaHosts) {
    return BadOrder("\"via\": expected at most " + std::to_string(core::kConfigViaHosts) +
                    " hosts");
  }
  if (const char* const why = core::WhyNoViaList(hosts)) {
    return BadOrder(std::string("\"via\": expected ") + why);
  }
  order->hosts = queue::ViaKey(hosts);
  return core::OkStatus();
}

}  // namespace

std::optional<core::Status> ReadRouteOrder(const std::string& member, const json& value,
                                           bool envelope, queue::RouteOrder* order) {
  if (member == "dry_run") {
    if (!value.is_boolean()) return BadOrder("\"dry_run\": expected true or false");
    order->dry_run = value.get<bool>();
    return core::OkStatus();
  }
  if (!envelope) return std::nullopt;
  if (member == "to") return ReadTo(value, order);
  if (member == "from") return ReadFrom(value, order);
  if (member == "via") return ReadVia(value, order);
  if (member != "via_route") return std::nullopt;
  if (!value.is_string() || value.get<std::string>().empty()) {
    return BadOrder("\"via_route\": expected the name of a route");
  }
  order->route = value.get<std::string>();
  return core::OkStatus();
}

core::Status FinishRouteOrder(bool clear, queue::RouteOrder* order) {
  order->clear = clear;
  if (!order->hosts.empty() && !order->route.empty()) {
    return BadOrder("expected either \"via\" or \"via_route\"");
  }
  order->original = !clear && order->to.empty() && !order->from.has_value() &&
                    order->hosts.empty() && order->route.empty();
  return core::OkStatus();
}

core::Status CheckRouteOrder(const queue::RouteOrder& order, const core::Config& config) {
  for (const core::ViaHost& host : queue::ParseDestinationKey(order.hosts).hosts) {
    if (!core::IsOwnListener(host, config)) continue;
    return BadOrder("\"via\": " + queue::HostText(host) +
                    " is this relay: the mail would come back");
  }
  if (order.route.empty() || order.route == queue::kImplicitRoute) return core::OkStatus();
  std::string known(queue::kImplicitRoute);
  for (const core::RouteConfig& route : config.routes) {
    if (route.name == order.route) {
      if (route.action == core::RouteAction::kSend || route.action == core::RouteAction::kHold) {
        return core::OkStatus();
      }
      return BadOrder("\"via_route\": route \"" + order.route +
                      "\" sends no mail: `outbox remove` takes it out of the queue");
    }
    constexpr size_t kNamesBytes = 1000;
    if (known.size() < kNamesBytes) known += ", " + route.name;
  }
  return BadOrder("\"via_route\": there is no route \"" + order.route.substr(0, 64) +
                  "\"; there are " + known);
}

}  // namespace outbox::tools
