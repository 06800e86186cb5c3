#include "dns/name_servers.h"

#include <algorithm>

#include "core/limits.h"

namespace outbox::dns {
NameServers::NameServers(const std::vector<core::SocketAddress>& addresses) {
  for (const core::SocketAddress& address : addresses) {
    if (servers_.size() == core::kConfigResolvers) break;
    Server& server = servers_.emplace_back();
    server.address = address;
    server.name = address.port == kDnsPort ? address.ip.ToString() : address.ToString();
  }
}

std::vector<uint8_t> NameServers::Order(int64_t now_ns) const {
  std::vector<uint8_t> order;
  for (const bool resting : {false, true}) {
    for (size_t i = 0; i < servers_.size(); ++i) {
      if ((servers_[i].rests_until_ns > now_ns) == resting)
        order.push_back(static_cast<uint8_t>(i));
    }
  }
  return order;
}

bool NameServers::AllRest(int64_t now_ns) const {
  return std::all_of(servers_.begin(), servers_.end(),
                     [now_ns](const Server& server) { return server.rests_until_ns > now_ns; });
}

void NameServers::OnAnswer(size_t index) {
  servers_[index].misses = 0;
  servers_[index].rests_until_ns = 0;
}

void NameServers::OnMiss(size_t index, int64_t now_ns) {
  Server& server = servers_[index];
  if (++server.misses < core::kDnsServerMisses) return;
  server.rests_until_ns = now_ns + core::kDnsServerRestNs;
}

}  // namespace outbox::dns
