#include "queue/host_lookup.h"

#include <utility>

namespace outbox::queue {

HostLookup::HostLookup(HostFinder* finder, std::string_view key, HostLookupSink* sink)
    : finder_(finder), key_(ParseDestinationKey(key)), sink_(sink) {
  query_.Bind<&HostLookup::OnAnswer>(this);
}

void HostLookup::Tick() {
  if (done_) return;
  if (stopping_) {
    finder_->Cancel(&query_);
    FoundHosts none;
    none.trouble = "outboxd is stopping";
    return Finish(std::move(none));
  }
  if (std::exchange(started_, true)) return;
  FoundHosts found;
  if (!key_.valid()) {
    found.trouble = "it goes to no host";
    return Finish(std::move(found));
  }
  if (key_.all_addresses()) {
    for (const core::ViaHost& host : key_.hosts) {
      found.hosts.push_back({host.host, host.port, 0, {host.address.ip}});
    }
    found.site = PlanOfAddresses(key_).site_hosts;
    return Finish(std::move(found));
  }
  if (const dns::MxPlanPtr plan = finder_->Find(key_, &query_)) OnAnswer(plan);
}

void HostLookup::OnAnswer(const dns::MxPlanPtr& plan) {
  FoundHosts found;
  found.implicit = plan->implicit;
  if (plan->kind != dns::MxPlanKind::kHosts) {
    found.trouble = plan->reason;
    return Finish(std::move(found));
  }
  for (size_t i = 0; i < plan->hosts.size(); ++i) {
    const dns::MxHost& host = plan->hosts[i];
    const bool own_port = !key_.via_mx() && i < key_.hosts.size();
    found.hosts.push_back(
        {host.name, own_port ? key_.hosts[i].port : key_.port, host.preference, host.addresses});
  }
  core::Random random(1);  // which of many addresses are chosen does not matter here
  found.site = PlanOfAnswer(key_, *plan, &random).site_hosts;
  Finish(std::move(found));
}

void HostLookup::Finish(FoundHosts found) {
  done_ = true;
  sink_->OnHosts(std::move(found));
}

}  // namespace outbox::queue
