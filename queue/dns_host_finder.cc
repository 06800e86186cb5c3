#include "queue/dns_host_finder.h"

#include <algorithm>
#include <string>
#include <vector>

#include "queue/destination_key.h"

namespace outbox::queue {

dns::ResolverOptions ResolverOptionsOf(const core::Config& config,
                                       const std::vector<core::IpAddress>& own_addresses) {
  dns::ResolverOptions options;
  options.servers = config.resolver.servers;
  const auto add = [&options](const core::IpAddress& ip) {
    const core::Result<core::Network> network = core::Network::Parse(ip.ToString());
    CHECK(network.ok());
    options.own_networks.push_back(*network);
  };
  for (const core::ListenerConfig& listener : config.listeners) {
    const uint16_t port = listener.address.port;
    const bool goes_there =
        port == config.delivery.port ||
        std::any_of(config.routes.begin(), config.routes.end(),
                    [port](const auto& route) { return route.via_mx && route.port == port; });
    if (!goes_there) continue;
    options.own_names = {config.hostname};
    if (!listener.address.ip.is_any()) {
      add(listener.address.ip);
      continue;
    }
    for (const char* loopback : {"127.0.0.0/8", "::1"}) {
      options.own_networks.push_back(*core::Network::Parse(loopback));
    }
    for (const core::IpAddress& ip : own_addresses) add(ip);
  }
  return options;
}

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
