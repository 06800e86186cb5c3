// RouteQuestion: "where would such a message go?", of `outbox route test`, and its answer by a
// configuration. Used by the daemon, with the configuration that it runs with, and by the command
// itself for a file (--config).
#ifndef OUTBOX_TOOLS_ROUTE_QUESTION_H_
#define OUTBOX_TOOLS_ROUTE_QUESTION_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/ip_address.h"
#include "core/status.h"
#include "queue/header_fields.h"
#include "queue/host_lookup.h"
#include "queue/router.h"
#include "queue/site_policy.h"

namespace outbox::tools {

struct RouteQuestion {
  std::string sender;  // "" is the null return path
  std::string recipient;
  std::optional<core::IpAddress> source;
  std::vector<std::string> headers;  // "Name: value"
  uint64_t size = 0;                 // 0: not given
  std::string destination;           // instead: the hosts of this key are asked for, no more
};

// A member of the protocol's request, and the whole of it. Errors are sentences.
core::Status ReadRouteMember(const std::string& member, const nlohmann::json& value,
                             RouteQuestion* question);
core::Status CheckRouteQuestion(const RouteQuestion& question);

// What a router says, in strings of its own.
struct RouteVerdict {
  std::string destination;
  std::string route;
  std::string archive;  // the mailbox that gets a copy; empty: none
  core::RouteAction action = core::RouteAction::kSend;
  std::vector<uint32_t> retry_s;
  queue::Periods periods;
  uint32_t index = 0;
  bool decided = true;
  // RouteChoice's. Of a pool each message gets a source of its own, this one for example.
  std::string source;
  std::string send_from;
  queue::SourceRule source_rule = queue::SourceRule::kNobody;
};

// The question as facts for a router.
class RouteAsked {
 public:
  explicit RouteAsked(const RouteQuestion& question);
  RouteAsked(const RouteAsked&) = delete;
  RouteAsked& operator=(const RouteAsked&) = delete;

  RouteVerdict Ask(const queue::Router& router) const;
  const queue::RouteFacts& facts() const { return facts_; }

 private:
  const RouteQuestion& question_;
  queue::HeaderFields header_;
  queue::RouteFacts facts_;
};

// The answer without hosts. `config` is what the verdict's router was made of.
nlohmann::json RouteJson(const core::Config& config, const RouteQuestion& question,
                         const RouteVerdict& verdict);
// Adds the hosts, and the limits of their site.
void AddHosts(const queue::FoundHosts& found, const queue::SitePolicy& policy, nlohmann::json* out);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_ROUTE_QUESTION_H_
