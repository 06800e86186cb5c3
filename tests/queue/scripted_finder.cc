#include "tests/queue/scripted_finder.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace outbox::queue {

dns::MxHost ScriptedAnswer::Host(uint16_t preference, const std::string& name,
                                 const std::vector<std::string>& addresses) {
  dns::MxHost host;
  host.name = name;
  host.preference = preference;
  for (const std::string& text : addresses) {
    host.addresses.push_back(core::IpAddress::Parse(text).value());
  }
  return host;
}

dns::MxPlanPtr ScriptedFinder::Answer(const DestinationKey& key) const {
  auto plan = std::make_shared<dns::MxPlan>();
  if (key.via_mx()) {
    const ScriptedAnswer& answer = answers_.at(key.domain);
    plan->domain = key.domain;
    plan->kind = answer.kind;
    if (answer.kind == dns::MxPlanKind::kHosts) plan->hosts = answer.hosts;
    plan->valid_until_ns = *now_ns_ + answer.ttl_ns;
    plan->reason = key.domain + ": " + dns::MxPlanKindName(answer.kind);
    return plan;
  }
  plan->kind = dns::MxPlanKind::kTemporary;
  plan->valid_until_ns = core::kNever;
  plan->reason = "no address of any host is known";
  for (const core::ViaHost& via : key.hosts) {
    dns::MxHost& host = plan->hosts.emplace_back();
    host.name = via.host;
    host.preference = static_cast<uint16_t>(plan->hosts.size() - 1);
    if (via.is_address) {
      host.addresses.push_back(via.address.ip);
    } else {
      const ScriptedAnswer& answer = answers_.at(via.host);
      if (answer.kind == dns::MxPlanKind::kHosts) host.addresses = answer.hosts[0].addresses;
      plan->valid_until_ns = std::min(plan->valid_until_ns, *now_ns_ + answer.ttl_ns);
    }
    if (!host.addresses.empty()) plan->kind = dns::MxPlanKind::kHosts;
  }
  return plan;
}

dns::MxPlanPtr ScriptedFinder::Find(const DestinationKey& key, HostQuery* query) {
  CHECK(!query->in_flight && !in_flight_.contains(query));
  const std::string name = key.via_mx() ? key.domain : HostText(key.hosts[0]);
  ++asked_[name];
  const auto script = answers_.find(name);
  const int64_t delay_ns = script == answers_.end() ? core::kNsPerMs : script->second.delay_ns;
  if (delay_ns == 0) return Answer(key);
  query->in_flight = true;
  const uint64_t number = ++questions_;
  in_flight_[query] = number;
  at_(*now_ns_ + delay_ns, [this, key, query, number] {
    const auto found = in_flight_.find(query);
    if (found == in_flight_.end() || found->second != number) return;  // cancelled
    in_flight_.erase(found);
    query->Complete(Answer(key));
  });
  return nullptr;
}

void ScriptedFinder::Cancel(HostQuery* query) {
  CHECK(query->in_flight && in_flight_.erase(query) == 1);
  query->in_flight = false;
}

}  // namespace outbox::queue
