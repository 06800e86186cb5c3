#include "core/config_rules.h"

#include <algorithm>
#include <charconv>

#include "core/domain_name.h"
#include "core/idna.h"

namespace outbox::core {
namespace {

constexpr int kShortestV4 = 8;
constexpr int kShortestV6 = 16;

bool IsPrivate(const Network& network) {
  static const std::array<Network, 9> kPrivate = [] {
    std::array<Network, 9> networks;
    size_t i = 0;
    for (const char* text : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8",
                             "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10", "::1"}) {
      networks[i++] = *Network::Parse(text);
    }
    return networks;
  }();
  for (const Network& range : kPrivate) {
    if (range.prefix_length() <= network.prefix_length() && range.Contains(network.address())) {
      return true;
    }
  }
  return false;
}

// The longest path of a unix socket, unix(7).
constexpr size_t kUnixPathBytes = 107;

bool ParseHostAndPort(std::string_view text, uint16_t default_port, ViaHost* host) {
  const Result<SocketAddress> address = SocketAddress::Parse(text, default_port);
  if (address.ok()) {
    host->is_address = true;
    host->address = *address;
    host->host = address->ip.ToString();
    host->port = address->port;
    return host->port != 0;
  }
  const size_t colon = text.find(':');
  host->host = DomainKey(text.substr(0, colon));
  const std::string_view name = host->host;
  host->is_address = false;
  host->port = default_port;
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    const char* end = port.data() + port.size();
    const auto [after, error] = std::from_chars(port.data(), end, host->port);
    if (error != std::errc() || after != end || host->port == 0) return false;
  }
  return IsDomainName(name) &&
         (name.find('.') == std::string_view::npos || IsQualifiedDomainName(name));
}

int ShortestPrefix(const Network& network) {
  return network.address().is_v4() ? kShortestV4 : kShortestV6;
}

}  // namespace

bool IsHostname(std::string_view text) {
  return IsQualifiedDomainName(text) || IsAddressLiteral(text);
}

bool IsProgramName(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

bool IsRoutePattern(std::string_view text) {
  if (text == "*") return true;
  if (text.starts_with("*.")) return IsDomainName(text.substr(2));
  if (text.starts_with("[ipv6:")) {
    return IsAddressLiteral("[IPv6:" + std::string(text.substr(6)));
  }
  return IsDomainName(text) || IsAddressLiteral(text);
}

bool IsTooWideToRelay(const Network& network) {
  return !IsPrivate(network) && network.prefix_length() < ShortestPrefix(network);
}

bool AreTooManyToRelay(std::span<const Network> networks) {
  // Networks 2^40 times smaller than the widest one allowed do not count.
  constexpr uint64_t kWidest = uint64_t{1} << 40;
  uint64_t v4 = 0;
  uint64_t v6 = 0;
  for (const Network& network : networks) {
    if (IsPrivate(network)) continue;
    const int longer = network.prefix_length() - ShortestPrefix(network);
    if (longer > 40) continue;
    (network.address().is_v4() ? v4 : v6) += kWidest >> longer;
    if (v4 > kWidest || v6 > kWidest) return true;
  }
  return false;
}

bool ParseViaHost(std::string_view text, ViaHost* host) {
  constexpr std::string_view kLmtp = "lmtp:";
  if (text.starts_with(kLmtp)) return ParseLmtpHost(text.substr(kLmtp.size()), host);
  return ParseHostAndPort(text, kSmtpPort, host);
}

bool ParseLmtpHost(std::string_view text, ViaHost* host) {
  host->lmtp = true;
  if (!text.starts_with('/')) return ParseHostAndPort(text, kLmtpPort, host);
  // Commas part hosts where they are written down as a list.
  host->host = host->path = text;
  host->port = 0;
  return text.size() > 1 && text.size() <= kUnixPathBytes &&
         std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == ',';
         });
}

const char* WhyNoViaList(std::span<const ViaHost> hosts) {
  for (const ViaHost& host : hosts) {
    if (host.lmtp != hosts[0].lmtp) return "hosts of one kind: all with \"lmtp:\", or none";
    if (!host.path.empty() && hosts.size() > 1) return "the unix socket alone";
  }
  return nullptr;
}

RouteKey KeyOf(const RouteConfig& route) {
  const auto is_plain = [](const std::string& pattern) {
    return pattern.find('*') == std::string::npos;
  };
  const auto is_sender = [&](const std::string& pattern) {
    return is_plain(pattern.starts_with("*@") ? pattern.substr(1) : pattern);
  };
  if (route.by_domain_alone()) return RouteKey::kDomain;
  if (!route.recipients.empty() &&
      std::all_of(route.recipients.begin(), route.recipients.end(), is_plain)) {
    return RouteKey::kRecipient;
  }
  if (std::find(route.match.begin(), route.match.end(), "*") == route.match.end()) {
    return RouteKey::kDomain;
  }
  if (!route.senders.empty() &&
      std::all_of(route.senders.begin(), route.senders.end(), is_sender)) {
    return RouteKey::kSender;
  }
  return RouteKey::kNone;
}

bool IsOwnListener(const ViaHost& host, const Config& config) {
  if (!host.path.empty()) return false;
  const bool local_name = !host.is_address && host.host == "localhost";
  const bool own_name = !host.is_address && host.host == ToLower(config.hostname);
  return std::any_of(
      config.listeners.begin(), config.listeners.end(), [&](const ListenerConfig& listener) {
        const IpAddress& ip = listener.address.ip;
        if (listener.address.port != host.port) return false;
        if (!host.is_address) return own_name || (local_name && (ip.is_any() || ip.is_loopback()));
        return ip == host.address.ip || (ip.is_any() && host.address.ip.is_loopback());
      });
}

RoutePatterns::Earlier RoutePatterns::Find(std::string_view pattern) const {
  const auto earlier = [&](std::string_view candidate) -> Earlier {
    const auto it = lines_.find(candidate);
    return it == lines_.end() ? Earlier() : Earlier{it->first, it->second};
  };
  Earlier found = earlier("*");
  if (found.line == 0) found = earlier(pattern);
  // "*.example.net" takes every name that ends in ".example.net".
  size_t dot = pattern.find('.', pattern.starts_with("*.") ? 2 : 0);
  while (found.line == 0 && dot != std::string_view::npos && pattern.front() != '[') {
    found = earlier("*" + std::string(pattern.substr(dot)));
    dot = pattern.find('.', dot + 1);
  }
  return found;
}

RoutePatterns::Earlier RoutePatterns::Add(std::string_view pattern, uint32_t line) {
  const Earlier found = Find(pattern);
  if (found.line == 0) lines_.emplace(pattern, line);
  return found;
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace outbox::core
