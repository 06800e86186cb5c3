// Where a destination's mail is sent from.
//
// The key names a source; its addresses and its HELO name are those of today's configuration. When
// they change, connections from before end as soon as nothing is in hand, and hosts of a family
// that the source has lost are not tried any more. A source that has gone from the configuration
// goes on here as it was: home is about to give its mail another one.
//
// An address that this machine does not have (any more) is nobody's fault but ours: no host has
// been asked, and its site does not back off. Hosts of the other family are tried, if there are
// some; else the destination waits, and looks again after some seconds, at most a minute.
#include <algorithm>
#include <string>
#include <utility>

#include "core/time.h"
#include "io/io.h"
#include "queue/attempt_log.h"
#include "queue/destination.h"
#include "queue/destination_view.h"
#include "queue/source_table.h"

namespace outbox::queue {
namespace {

constexpr int64_t kFirstLookNs = 5 * core::kNsPerSecond;
constexpr int64_t kLastLookNs = core::kNsPerMinute;

}  // namespace

std::shared_ptr<const core::SourceConfig> DestinationHosts::FindSource() const {
  const std::shared_ptr<const SourceTable>& sources = shard_->context.sources;
  return parsed_.source.empty() || sources == nullptr ? nullptr : sources->Find(parsed_.source);
}

std::string DestinationHosts::SourceText() const {
  std::string addresses;
  for (const core::IpAddress& one : parsed_.bind) {
    addresses += (addresses.empty() ? "" : ", ") + one.ToString();
  }
  if (parsed_.source.empty()) return "the route (bind " + addresses + ")";
  return "the source \"" + parsed_.source + "\" (" + addresses + ")";
}

void DestinationHosts::TakeSource() {
  const std::shared_ptr<const core::SourceConfig> now = FindSource();
  if (now == nullptr || now == source_) return;
  const std::shared_ptr<const core::SourceConfig> before = std::exchange(source_, now);
  if (before != nullptr && before->addresses == now->addresses && before->helo == now->helo) {
    return;
  }
  parsed_.bind = now->addresses;
  if (before == nullptr) return Begin();
  destination_->OnSource();
  if (before->addresses == now->addresses) return;
  if (parsed_.all_addresses()) {
    TakeHosts(PlanOfAddresses(parsed_));
    return destination_->OnAnswer();
  }
  if (plan_ != nullptr) {
    HostPlan reached;
    for (const PlannedHost& host : plan_->hosts) {
      const core::IpAddress* from = nullptr;
      if (!parsed_.BindFor(host.address.ip, &from)) continue;
      reached.hosts.push_back(host);
      reached.hosts.back().connections = 0;
    }
    reached.site_hosts = plan_->site_hosts;
    reached.link = plan_->link;
    TakeHosts(std::move(reached));
  }
  // There may be hosts that can be reached only now.
  good_until_ns_ = std::min(good_until_ns_, now_ns());
  AskNow();
}

void Destination::DescribeSource(DestinationView* view) const {
  const DestinationKey& key = hosts_.key();
  view->source = key.source;
  for (const core::IpAddress& one : key.bind) {
    view->source_addresses += (view->source_addresses.empty() ? "" : ", ") + one.ToString();
  }
  view->source_helo = hosts_.helo();
  view->source_lost = source_lost_ && unfit_until_ns_ > now_ns();
}

void Destination::SetLimit(WaitReason limit, DestinationView* view) const {
  // A key that says where to go, and from a source that nobody knows.
  const bool unknown = hosts_.standing() == HostsStanding::kUnrouted && host_key().valid();
  if (unknown || hosts_.standing() != HostsStanding::kUnrouted) {
    view->trouble = hosts_.words().text;
  }
  view->limit = unknown || hosts_.unreachable_from_here() ? WaitReason::kSource : limit;
}

void Destination::OnSource() {
  unfit_until_ns_ = 0;
  unfit_times_ = 0;
  source_lost_ = false;
  if (plan() != nullptr) {  // what was found from elsewhere
    for (PlannedHost& host : plan()->hosts) host.down_until_ns = 0;
  }
  Delivery* next = nullptr;
  for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = next) {
    next = deliveries_.Next(delivery);
    delivery->Leave();
  }
}

void Destination::OnSourceLost(HostPlan* at, const core::IpAddress& host) {
  if (at != plan()) return;  // it was to be sent from somewhere else then
  const int64_t now = now_ns();
  const bool known = source_lost_ && unfit_until_ns_ > now;
  const int64_t wait_ns =
      std::min(kLastLookNs, kFirstLookNs << std::min(known ? 0u : unfit_times_, 8u));
  bool others = false;
  for (PlannedHost& each : at->hosts) {
    const bool same = each.address.ip.is_v4() == host.is_v4();
    others = others || (!same && each.down_until_ns <= now);
    if (!same) continue;
    each.down_until_ns = std::max(each.down_until_ns, now + wait_ns);
    each.trouble = HostTrouble::kSource;
  }
  const core::IpAddress* from = nullptr;
  host_key().BindFor(host, &from);
  trouble_ = RecipientResult{};
  trouble_.enhanced = "4.4.0";
  trouble_.text = from == nullptr ? hosts_.SourceText() + " has no address from which " +
                                        host.ToString() + " can be reached"
                                  : "the address " + from->ToString() + " of " +
                                        hosts_.SourceText() + " is not on this machine";
  if (shard_->context.log != nullptr) shard_->context.log->OnSourceLost(trouble_.text);
  if (others || known) return;
  source_lost_ = true;
  unknown_ = false;
  unfit_until_ns_ = now + wait_ns;
  ++unfit_times_;
  ArmTimer();
}

}  // namespace outbox::queue
