#include "dns/system_servers.h"

#include <algorithm>

#include "core/limits.h"
#include "dns/name_servers.h"

namespace outbox::dns {
namespace {

constexpr std::string_view kBlanks = " \t\r";

// Takes the next word off the line; "" at its end.
std::string_view TakeWord(std::string_view* line) {
  const size_t begin = std::min(line->find_first_not_of(kBlanks), line->size());
  const size_t end = std::min(line->find_first_of(kBlanks, begin), line->size());
  const std::string_view word = line->substr(begin, end - begin);
  line->remove_prefix(end);
  return word;
}

}  // namespace

std::vector<core::SocketAddress> ServersOf(std::string_view resolv_conf) {
  std::vector<core::SocketAddress> servers;
  while (!resolv_conf.empty() && servers.size() < core::kConfigResolvers) {
    const size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    std::string_view line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (TakeWord(&line) != "nameserver") continue;
    const core::Result<core::IpAddress> address = core::IpAddress::Parse(TakeWord(&line));
    if (address.ok()) servers.push_back({*address, kDnsPort});
  }
  if (servers.empty()) servers.push_back({core::IpAddress::V4(127, 0, 0, 1), kDnsPort});
  return servers;
}

}  // namespace outbox::dns
