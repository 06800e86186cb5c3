// NameServers: the servers that are asked, and how they have done lately.
//
// They are asked in the order of the configuration; one that has missed several answers in a row
// comes after the others for a while, so that a dead first server does not cost every question a
// timeout. When all rest, they are asked as if none did.
//
// Lives on one shard. A question in flight holds on to the servers that it began with.
#ifndef OUTBOX_DNS_NAME_SERVERS_H_
#define OUTBOX_DNS_NAME_SERVERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ip_address.h"

namespace outbox::dns {

inline constexpr uint16_t kDnsPort = 53;  // RFC 1035 section 4.2

class NameServers {
 public:
  explicit NameServers(const std::vector<core::SocketAddress>& addresses);

  size_t size() const { return servers_.size(); }
  const core::SocketAddress& address(size_t index) const { return servers_[index].address; }
  // "192.0.2.53", with its port when that is not 53.
  const std::string& name(size_t index) const { return servers_[index].name; }

  // The order in which to ask now: indexes, each once.
  std::vector<uint8_t> Order(int64_t now_ns) const;
  // None of them has answered lately.
  bool AllRest(int64_t now_ns) const;
  void OnAnswer(size_t index);
  void OnMiss(size_t index, int64_t now_ns);

 private:
  struct Server {
    core::SocketAddress address;
    std::string name;
    uint32_t misses = 0;         // in a row
    int64_t rests_until_ns = 0;  // steady
  };
  std::vector<Server> servers_;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_NAME_SERVERS_H_
