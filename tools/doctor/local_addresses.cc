#include "tools/doctor/local_addresses.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace outbox::tools {
namespace {

// Somewhere in the Internet, of each family: a root name server. A UDP socket that is connected to
// it shows the source address that the routes choose, without a packet.
constexpr const char* kSomewhere[] = {"198.41.0.4", "2001:503:ba3e::2:30"};
constexpr uint16_t kSomePort = 53;
constexpr unsigned kFlagTemporary = 0x01;  // IFA_F_TEMPORARY of linux/if_addr.h

}  // namespace

std::vector<core::IpAddress> SendingAddresses(io::Io* io) {
  std::vector<core::IpAddress> addresses;
  for (const char* const text : kSomewhere) {
    const core::SocketAddress peer = {core::IpAddress::Parse(text).value(), kSomePort};
    const int socket = io->OpenUdp(peer, nullptr);
    if (socket < 0) continue;
    const core::IpAddress local = io->LocalAddress(socket).ip;
    io->CloseSocket(socket, false);
    if (!local.is_any() && !local.is_loopback()) addresses.push_back(local);
  }
  return addresses;
}

bool IsTemporary(const core::IpAddress& address, std::string_view if_inet6) {
  std::string nibbles;
  for (const uint8_t octet : address.octets()) {
    constexpr const char* kLower = "0123456789abcdef";
    nibbles += {kLower[octet >> 4], kLower[octet & 15]};
  }
  while (!if_inet6.empty()) {
    std::string_view line = if_inet6.substr(0, if_inet6.find('\n'));
    if_inet6.remove_prefix(std::min(line.size() + 1, if_inet6.size()));
    if (!line.starts_with(nibbles + " ")) continue;
    // Address, interface, prefix length, scope, flags.
    for (int field = 0; field < 4; ++field) {
      line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
    }
    unsigned flags = 0;
    std::from_chars(line.data(), line.data() + line.size(), flags, 16);
    return (flags & kFlagTemporary) != 0;
  }
  return false;
}

}  // namespace outbox::tools
