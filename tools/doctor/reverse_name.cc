#include "tools/doctor/reverse_name.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace outbox::tools {
namespace {

constexpr const char* kHex = "0123456789abcdef";

std::array<uint8_t, 4> V4Octets(const core::IpAddress& address) {
  const auto& all = address.octets();
  return {all[12], all[13], all[14], all[15]};
}

bool IsAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsDecimal(char c) { return c >= '0' && c <= '9'; }

// The numbers of a name, in order: "host-192-0-2-1.example" has 192, 0, 2, 1.
std::vector<int> NumbersOf(std::string_view name) {
  std::vector<int> numbers;
  for (size_t i = 0; i < name.size();) {
    if (!IsDecimal(name[i])) {
      ++i;
      continue;
    }
    int value = 0;
    size_t digits = 0;
    for (; i < name.size() && IsDecimal(name[i]); ++i, ++digits) {
      if (digits < 4) value = value * 10 + (name[i] - '0');
    }
    numbers.push_back(digits <= 3 ? value : -1);
  }
  return numbers;
}

bool ContainsV4(std::string_view name, const core::IpAddress& address) {
  const std::array<uint8_t, 4> octets = V4Octets(address);
  const std::vector<int> numbers = NumbersOf(name);
  const auto has = [&](const std::vector<int>& wanted) {
    return std::search(numbers.begin(), numbers.end(), wanted.begin(), wanted.end()) !=
           numbers.end();
  };
  // All four, or the three that tell the provider's addresses apart, in either order.
  if (has({octets[0], octets[1], octets[2], octets[3]}) ||
      has({octets[3], octets[2], octets[1], octets[0]}) || has({octets[1], octets[2], octets[3]}) ||
      has({octets[3], octets[2], octets[1]})) {
    return true;
  }
  std::array<char, 16> packed;
  std::snprintf(packed.data(), packed.size(), "%02x%02x%02x%02x", octets[0], octets[1], octets[2],
                octets[3]);
  if (name.find(packed.data()) != std::string_view::npos) return true;
  std::snprintf(packed.data(), packed.size(), "%03d%03d%03d%03d", octets[0], octets[1], octets[2],
                octets[3]);
  return name.find(packed.data()) != std::string_view::npos;
}

// The last 64 bits, as nibbles without a separator.
bool ContainsV6(std::string_view name, const core::IpAddress& address) {
  std::string nibbles;
  for (const char c : name) {
    if (IsAlnum(c)) nibbles += c;
  }
  std::string interface;
  for (size_t i = 8; i < 16; ++i) {
    interface += kHex[address.octets()[i] >> 4];
    interface += kHex[address.octets()[i] & 15];
  }
  return nibbles.find(interface) != std::string::npos ||
         nibbles.find(std::string(interface.rbegin(), interface.rend())) != std::string::npos;
}

// "dyn" in "dyn-1.example", "p3.dyn.example" and "dyn42.example", not in "dynamo.example".
bool HasWord(std::string_view name, std::string_view word) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  for (size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool begins = at == 0 || !letter(name[at - 1]);
    if (begins && (end == name.size() || !letter(name[end]))) return true;
  }
  return false;
}

}  // namespace

std::string ReverseName(const core::IpAddress& address) {
  std::string name;
  if (address.is_v4()) {
    const std::array<uint8_t, 4> octets = V4Octets(address);
    for (size_t i = 4; i-- > 0;) name += std::to_string(octets[i]) + ".";
    return name + "in-addr.arpa";
  }
  for (size_t i = 16; i-- > 0;) {
    const uint8_t octet = address.octets()[i];
    name += {kHex[octet & 15], '.', kHex[octet >> 4], '.'};
  }
  return name + "ip6.arpa";
}

std::string GenericNameReason(std::string_view name, const core::IpAddress& address) {
  const bool contains = address.is_v4() ? ContainsV4(name, address) : ContainsV6(name, address);
  if (contains) return "it contains the address";
  for (const char* const word :
       {"dynamic",     "dyn",       "dynip",  "dhcp",     "pool",       "pools",     "dsl",
        "adsl",        "xdsl",      "vdsl",   "cable",    "dialup",     "dial",      "ppp",
        "pppoe",       "broadband", "client", "clients",  "customer",   "customers", "cust",
        "residential", "ftth",      "fiber",  "wireless", "unassigned", "unknown",   "generic"}) {
    if (HasWord(name, word)) return "\"" + std::string(word) + "\" is part of it";
  }
  return "";
}

bool IsPrivateAddress(const core::IpAddress& address) {
  static const std::vector<core::Network> kPrivate = [] {
    std::vector<core::Network> networks;
    for (const char* const text :
         {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
          "172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"}) {
      networks.push_back(core::Network::Parse(text).value());
    }
    return networks;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(),
                     [&](const core::Network& network) { return network.Contains(address); });
}

}  // namespace outbox::tools
