#include "tools/machine.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "core/limits.h"
#include "dns/system_servers.h"

namespace outbox::tools {

std::vector<core::IpAddress> OwnAddresses() {
  std::vector<core::IpAddress> own;
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) != 0) return own;
  for (const ifaddrs* one = interfaces; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      std::array<uint8_t, 4> v4;
      std::memcpy(v4.data(), &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, 4);
      own.push_back(core::IpAddress::V4(v4[0], v4[1], v4[2], v4[3]));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      std::array<uint8_t, 16> v6;
      std::memcpy(v6.data(), &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, 16);
      own.push_back(core::IpAddress::V6(v6));
    }
  }
  ::freeifaddrs(interfaces);
  return own;
}

uint32_t UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<uint32_t>(std::clamp(CPU_COUNT(&set), 1, static_cast<int>(core::kMaxShards)));
}

uint64_t CountSpoolFiles(const std::string& spool) {
  uint64_t files = 0;
  std::error_code error;
  for (const auto& log : std::filesystem::directory_iterator(spool, error)) {
    std::error_code no_directory;
    for ([[maybe_unused]] const auto& segment :
         std::filesystem::directory_iterator(log.path(), no_directory)) {
      ++files;
    }
  }
  return files;
}

void AddMachineDefaults(core::Config* config) {
  if (!config->resolver.servers.empty()) return;
  // resolv.conf(5) is short; more than this is none.
  std::string text(64 << 10, '\0');
  size_t size = 0;
  if (std::FILE* file = std::fopen(dns::kResolvConf, "re")) {
    size = std::fread(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  text.resize(size);
  config->resolver.servers = dns::ServersOf(text);
}

}  // namespace outbox::tools
