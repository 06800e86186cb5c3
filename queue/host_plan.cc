#include "queue/host_plan.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {
namespace {

std::string NameOf(const std::string& host, const core::SocketAddress& address) {
  const std::string ip = address.ip.ToString();
  if (host == ip) return address.ToString();
  return host + "[" + ip + "]:" + std::to_string(address.port);
}

void AddSite(const std::string& host, uint16_t port, bool best, SiteHosts* site) {
  if (best) site->best.push_back(host);
  site->places.push_back(host + ":" + std::to_string(port));
}

}  // namespace

std::string_view HostTroubleName(HostTrouble trouble) {
  switch (trouble) {
    case HostTrouble::kNone:
      return "";
    case HostTrouble::kNoAnswer:
      return "no_answer";
    case HostTrouble::kInsecure:
      return "tls";
    case HostTrouble::kUser:
      return "user";
    case HostTrouble::kSource:
      return "source";
  }
  return "";
}

uint8_t HostPlan::Next(uint64_t tried, int64_t now_ns, core::Random* random) const {
  for (const bool even_down : {false, true}) {
    size_t best = hosts.size();
    uint64_t equals = 0;
    for (size_t i = 0; i < hosts.size(); ++i) {
      const PlannedHost& host = hosts[i];
      if ((tried >> i & 1) != 0 || (!even_down && host.down_until_ns > now_ns)) continue;
      if (best == hosts.size() ||
          (host.rank == hosts[best].rank && host.connections < hosts[best].connections)) {
        best = i;
        equals = 1;
      } else if (host.rank != hosts[best].rank) {
        break;
      } else if (host.connections == hosts[best].connections && random->Below(++equals) == 0) {
        best = i;
      }
    }
    if (best < hosts.size()) return static_cast<uint8_t>(best);
  }
  CHECK(false);
}

bool HostPlan::IsBest(uint8_t host, int64_t now_ns) const {
  for (const PlannedHost& other : hosts) {
    if (other.rank >= hosts[host].rank) break;
    if (other.down_until_ns <= now_ns) return false;
  }
  if (hosts[host].down_until_ns <= now_ns) return true;
  // It is down itself, as far as we know: only good when all others are.
  return std::all_of(hosts.begin(), hosts.end(),
                     [now_ns](const PlannedHost& other) { return other.down_until_ns > now_ns; });
}

bool HostPlan::HasOtherFamily(uint64_t tried, const PlannedHost& host) const {
  for (size_t i = 0; i < hosts.size(); ++i) {
    const bool other = hosts[i].address.ip.is_v4() != host.address.ip.is_v4();
    if (other && (tried >> i & 1) == 0) return true;
  }
  return false;
}

int HostPlan::Find(const core::SocketAddress& address) const {
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (hosts[i].address == address) return static_cast<int>(i);
  }
  return -1;
}

bool HostPlan::SameHosts(const HostPlan& other) const {
  if (hosts.size() != other.hosts.size() || site_hosts.places != other.site_hosts.places) {
    return false;
  }
  return std::all_of(hosts.begin(), hosts.end(), [&other](const PlannedHost& host) {
    const int at = other.Find(host.address);
    return at >= 0 && other.hosts[static_cast<size_t>(at)].rank == host.rank;
  });
}

HostPlan PlanOfAddresses(const DestinationKey& key) {
  HostPlan plan;
  plan.link = key.link;
  if (!key.place.empty()) {
    plan.place = key.place;
    plan.site_hosts.best.push_back(key.place);
    plan.site_hosts.places.push_back(key.place);
    plan.hosts.emplace_back().name = key.link == LinkKind::kMaildir ? "maildir" : key.place;
    return plan;
  }
  for (size_t i = 0; i < key.hosts.size() && plan.hosts.size() < HostPlan::kHostsMax; ++i) {
    const core::ViaHost& host = key.hosts[i];
    const core::IpAddress* from = nullptr;
    if (!host.is_address || plan.Find(host.address) >= 0) continue;
    if (!key.BindFor(host.address.ip, &from)) continue;
    AddSite(host.host, host.port, /*best=*/true, &plan.site_hosts);
    PlannedHost& planned = plan.hosts.emplace_back();
    planned.address = host.address;
    planned.name = host.address.ToString();
    planned.rank = static_cast<uint32_t>(i);
  }
  return plan;
}

HostPlan PlanOfAnswer(const DestinationKey& key, const dns::MxPlan& answer, core::Random* random) {
  CHECK(answer.kind == dns::MxPlanKind::kHosts && !answer.hosts.empty());
  const bool mx = key.via_mx();
  const auto port_of = [&](size_t host) {
    return mx || host >= key.hosts.size() ? key.port : key.hosts[host].port;
  };
  HostPlan plan;
  plan.link = key.link;
  plan.site_hosts.domain = key.domain;
  for (size_t i = 0; i < answer.hosts.size(); ++i) {
    const bool best = !mx || answer.hosts[i].preference == answer.hosts[0].preference;
    AddSite(answer.hosts[i].name, port_of(i), best, &plan.site_hosts);
  }
  const size_t most = mx ? core::kHostsPerAttempt : HostPlan::kHostsMax;
  for (const dns::MxCandidate& candidate : dns::ChooseCandidates(answer, most, random)) {
    const dns::MxHost& host = answer.hosts[candidate.host];
    const core::SocketAddress address{candidate.address, port_of(candidate.host)};
    const core::IpAddress* from = nullptr;
    if (!key.BindFor(address.ip, &from)) continue;
    if (plan.Find(address) >= 0) continue;  // two names of one machine: once is enough
    PlannedHost& planned = plan.hosts.emplace_back();
    planned.address = address;
    planned.name = NameOf(host.name, address);
    if (host.name != address.ip.ToString()) planned.tls_name = host.name;
    planned.rank = host.preference;
  }
  return plan;
}

}  // namespace outbox::queue
