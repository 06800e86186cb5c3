#include "queue/dns_host_finder.h"

#include <string>
#include <vector>

#include "queue/destination_key.h"

namespace outbox::queue {

dns::MxPlanPtr DnsHostFinder::Find(const DestinationKey& key, HostQuery* query) {
  CHECK(!query->in_flight && key.valid());
  query->dns.Bind<&HostQuery::Complete>(query);
  dns::MxPlanPtr plan;
  if (key.via_mx()) {
    plan = resolver_->ResolveMx(&query->dns, key.domain);
  } else {
    std::vector<std::string> names;
    for (const core::ViaHost& host : key.hosts) names.push_back(host.host);
    plan = resolver_->ResolveHosts(&query->dns, names);
  }
  query->in_flight = plan == nullptr;
  return plan;
}

void DnsHostFinder::Cancel(HostQuery* query) {
  if (!query->in_flight) return;
  query->in_flight = false;
  resolver_->Cancel(&query->dns);
}

}  // namespace outbox::queue
