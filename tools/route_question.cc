#include "tools/route_question.h"

#include <algorithm>
#include <utility>

#include "core/config_routes.h"
#include "core/config_sources.h"
#include "core/limits.h"
#include "core/rate.h"
#include "core/utf8.h"
#include "queue/destination_key.h"
#include "queue/route_explain.h"
#include "smtp/address.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

// Routes that are shown with why they do not match; of others only the number.
constexpr size_t kPassedShown = 20;
constexpr size_t kAddressBytes = 1024;
constexpr size_t kHeadersMax = 100;
constexpr int64_t kSizeMax = int64_t{1} << 50;

core::Status Wrong(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

bool IsAddress(const std::string& text) {
  const size_t at = text.rfind('@');
  if (!core::IsAscii(text) && !smtp::ParseMailbox(text).error.ok()) return false;
  return text.size() <= kAddressBytes && at != std::string::npos && at > 0 &&
         at + 1 < text.size() &&
         std::none_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; });
}

core::Status ReadHeaders(const json& value, RouteQuestion* question) {
  const json list = value.is_array() ? value : json::array({value});
  for (const json& one : list) {
    core::HeaderCondition condition;  // the same form, but that a value may be empty
    const std::string text = one.is_string() ? one.get<std::string>() : std::string();
    const size_t colon = text.find(':');
    if (colon == std::string::npos || text.size() > kAddressBytes ||
        question->headers.size() == kHeadersMax ||
        !core::ParseHeaderCondition(text.substr(0, colon), &condition)) {
      return Wrong("\"header\": expected up to 100 fields, for example \"X-Class: bulk\"");
    }
    question->headers.push_back(text);
  }
  return core::OkStatus();
}

const char* ActionName(core::RouteAction action) {
  switch (action) {
    case core::RouteAction::kSend:
      return "send";
    case core::RouteAction::kHold:
      return "hold";
    case core::RouteAction::kReject:
      return "reject";
    case core::RouteAction::kDiscard:
      return "discard";
  }
  return "";
}

}  // namespace

core::Status ReadRouteMember(const std::string& member, const json& value,
                             RouteQuestion* question) {
  const std::string text = value.is_string() ? value.get<std::string>() : std::string();
  if (member == "header") return ReadHeaders(value, question);
  if (member == "size") {
    if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kSizeMax) {
      return Wrong("\"size\": expected bytes, a number from 1 on");
    }
    question->size = value.get<uint64_t>();
  } else if (member == "sender") {
    if (text != "<>" && !IsAddress(text)) {
      return Wrong("\"sender\": expected an address, or \"<>\" for the null return path");
    }
    question->sender = text == "<>" ? "" : text;
  } else if (member == "recipient") {
    if (!IsAddress(text)) return Wrong("\"recipient\": expected an address");
    question->recipient = text;
  } else if (member == "source") {
    const core::Result<core::IpAddress> source = core::IpAddress::Parse(text);
    if (!source.ok()) return Wrong("\"source\": expected the address of a client");
    question->source = *source;
  } else if (member == "destination") {
    if (text.size() > 64 * kAddressBytes || !queue::ParseDestinationKey(text).valid()) {
      return Wrong("\"destination\": expected for example \"mx:example.net\"");
    }
    question->destination = text;
  } else {
    return Wrong("unknown member \"" + member.substr(0, 64) + "\"");
  }
  return core::OkStatus();
}

core::Status CheckRouteQuestion(const RouteQuestion& question) {
  if (question.recipient.empty() == question.destination.empty()) {
    return Wrong("expected either \"recipient\" or \"destination\"");
  }
  return core::OkStatus();
}

RouteAsked::RouteAsked(const RouteQuestion& question) : question_(question) {
  for (const std::string& line : question.headers) header_.Add(line);
  facts_.sender = question.sender;
  if (question.source.has_value()) facts_.client = &*question.source;
  if (!question.headers.empty()) facts_.header = &header_;
  facts_.size = question.size;
}

RouteVerdict RouteAsked::Ask(const queue::Router& router) const {
  const queue::RouteChoice choice = router.Route(question_.recipient, facts_);
  return {std::string(choice.destination),
          std::string(choice.route),
          std::string(router.ArchiveOf(choice.index)),
          choice.action,
          {choice.retry_s.begin(), choice.retry_s.end()},
          choice.periods,
          choice.index,
          choice.decided,
          std::string(choice.source),
          std::string(choice.send_from),
          choice.source_rule};
}

// Where it is sent from, and who says so.
json SourceJson(const core::Config& config, const RouteVerdict& verdict) {
  json out = {{"by", queue::SourceRuleName(verdict.source_rule)}};
  if (verdict.source_rule == queue::SourceRule::kBind) {
    json& addresses = out["addresses"] = json::array();
    for (const core::IpAddress& one : config.routes[verdict.index].bind) {
      addresses.push_back(one.ToString());
    }
    return out;
  }
  if (verdict.source.empty()) return out;
  const auto members = core::SourcesOf(config, verdict.send_from);
  uint64_t all = 0;
  for (const core::SourceConfig* one : members) all += one->weight;
  if (verdict.send_from != verdict.source) out["pool"] = verdict.send_from;
  json& sources = out["sources"] = json::array();
  for (const core::SourceConfig* one : members) {
    json addresses = json::array();
    for (const core::IpAddress& address : one->addresses) addresses.push_back(address.ToString());
    sources.push_back({{"name", one->name},
                       {"addresses", addresses},
                       {"helo", one->helo},
                       {"weight", one->weight},
                       {"of", all}});
  }
  return out;
}

json RouteJson(const core::Config& config, const RouteQuestion& question,
               const RouteVerdict& verdict) {
  const RouteAsked asked(question);
  const queue::PassedRoutes passed =
      queue::ExplainRoutes(config, question.recipient, asked.facts(), verdict.index, kPassedShown);
  json out;
  out["sender"] = question.sender;
  out["recipient"] = question.recipient;
  out["route"] = verdict.route;
  // From 1 on; the implicit last one has the number behind the last of the file.
  out["number"] = verdict.index + 1;
  out["routes"] = config.routes.size();
  out["action"] = ActionName(verdict.action);
  out["decided"] = verdict.decided;
  out["destination"] =
      verdict.action == core::RouteAction::kSend ? json(verdict.destination) : json(nullptr);
  const std::string user = queue::ParseDestinationKey(verdict.destination).user;
  out["user"] = user.empty() ? json(nullptr) : json(user);
  if (verdict.action == core::RouteAction::kSend) out["source"] = SourceJson(config, verdict);
  if (verdict.action == core::RouteAction::kReject) {
    out["text"] = queue::RejectText(verdict.destination);
  }
  out["archive"] = verdict.archive.empty() ? json(nullptr) : json(verdict.archive);
  out["retry"] = verdict.retry_s;
  out["notify_after"] = verdict.periods.notify_after_s == queue::Periods::kNotifyNever
                            ? json(nullptr)
                            : json(verdict.periods.notify_after_s);
  out["retry_until"] = verdict.periods.retry_until_s;
  out["passed"] = json::array();
  for (const queue::PassedRoute& one : passed.routes) {
    out["passed"].push_back({{"route", one.name}, {"number", one.index + 1}, {"why", one.why}});
  }
  out["passed_left_out"] = passed.left_out;
  return out;
}

void AddHosts(const queue::FoundHosts& found, const queue::SitePolicy& policy, json* out) {
  json& hosts = (*out)["hosts"] = json::array();
  for (const queue::FoundHost& host : found.hosts) {
    json addresses = json::array();
    for (const core::IpAddress& address : host.addresses) addresses.push_back(address.ToString());
    hosts.push_back({{"host", host.name},
                     {"port", host.port},
                     {"preference", host.preference},
                     {"addresses", addresses}});
  }
  (*out)["implicit_mx"] = found.implicit;
  if (!found.trouble.empty()) (*out)["trouble"] = found.trouble;
  if (found.hosts.empty()) return;
  (*out)["site"] = {{"name", policy.name},
                    {"max_connections", policy.max_connections},
                    {"messages_per_connection", policy.messages_per_connection}};
  if (policy.rate.limited()) (*out)["site"]["max_rate"] = core::FormatRate(policy.rate);
}

}  // namespace outbox::tools
