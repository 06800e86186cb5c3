#include "tools/source_addresses.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "io/udp_socket.h"

namespace outbox::tools {
namespace {

constexpr uint16_t kAnyPort = 9;  // nothing is sent

void LookForAddress(const core::IpAddress& address, const std::string& who,
                    std::vector<std::string>* missing) {
  std::string why;
  if (HasAddress(address, &why)) return;
  missing->push_back(who + " sends from " + address.ToString() +
                     ", and this machine cannot: " + why + ". Its mail waits until it can");
}

}  // namespace

bool HasAddress(const core::IpAddress& address, std::string* why) {
  const core::SocketAddress local = {address, 0};
  const int socket = io::OpenUdp({address, kAnyPort}, &local);
  if (socket >= 0) {
    ::close(socket);
    return true;
  }
  *why = socket == -EADDRNOTAVAIL ? "it does not have that address" : std::strerror(-socket);
  return false;
}

std::vector<std::string> MissingAddresses(const core::Config& config) {
  std::vector<std::string> missing;
  for (const core::SourceConfig& source : config.sources) {
    for (const core::IpAddress& address : source.addresses) {
      LookForAddress(address, "the source \"" + source.name + "\"", &missing);
    }
  }
  std::set<core::IpAddress> seen;  // thousands of routes may share one
  for (const core::RouteConfig& route : config.routes) {
    for (const core::IpAddress& address : route.bind) {
      if (seen.insert(address).second)
        LookForAddress(address, "the route \"" + route.name + "\"", &missing);
    }
  }
  return missing;
}

}  // namespace outbox::tools
