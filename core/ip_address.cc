#include "core/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace outbox::core {
namespace {

constexpr int kMappedBits = 96;  // ::ffff:0:0/96 holds the IPv4 addresses

Status Malformed(std::string_view what, std::string_view text, std::string_view expected) {
  std::string message = "\"";
  message += text;
  message += "\" is not ";
  message += what;
  message += "; expected ";
  message += expected;
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

// Takes a decimal number without sign, blanks or superfluous leading zeros, at most `max`.
bool ParseDecimal(std::string_view text, int max, int* value) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && text[0] != '-' &&
         *value <= max;
}

}  // namespace

IpAddress IpAddress::V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  IpAddress address;
  address.octets_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
  return address;
}

IpAddress IpAddress::V6(const std::array<uint8_t, 16>& octets) {
  IpAddress address;
  address.octets_ = octets;
  return address;
}

Result<IpAddress> IpAddress::Parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];  // inet_pton wants a terminated string
  if (text.size() < sizeof(buffer) && text.find('\0') == std::string_view::npos) {
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    std::array<uint8_t, 16> octets;
    if (inet_pton(AF_INET6, buffer, octets.data()) == 1) return V6(octets);
    if (inet_pton(AF_INET, buffer, octets.data()) == 1) {
      return V4(octets[0], octets[1], octets[2], octets[3]);
    }
  }
  return Malformed("an IP address", text, "for example \"192.0.2.1\" or \"2001:db8::1\"");
}

IpAddress IpAddress::LocalUser(uint32_t uid) {
  IpAddress address;
  address.octets_[0] = 0xff;
  for (size_t i = 0; i < 4; ++i) {
    address.octets_[12 + i] = static_cast<uint8_t>(uid >> (24 - 8 * i));
  }
  return address;
}

bool IpAddress::is_local_user() const {
  static constexpr std::array<uint8_t, 12> kLocalUser = {0xff};
  return std::equal(kLocalUser.begin(), kLocalUser.end(), octets_.begin());
}

bool IpAddress::is_v4() const {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kMapped.begin(), kMapped.end(), octets_.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return octets_[12] == 127;
  static constexpr std::array<uint8_t, 16> kLoopback = {0, 0, 0, 0, 0, 0, 0, 0,
                                                        0, 0, 0, 0, 0, 0, 0, 1};
  return octets_ == kLoopback;
}

bool IpAddress::is_any() const { return *this == IpAddress() || *this == V4(0, 0, 0, 0); }

std::string IpAddress::ToString() const {
  char buffer[INET6_ADDRSTRLEN];
  if (is_v4()) {  // written twice into every message: no printf, as inet_ntop has it
    char* out = buffer;
    for (size_t i = 12; i < 16; ++i) {
      if (i > 12) *out++ = '.';
      out = std::to_chars(out, buffer + sizeof(buffer), octets_[i]).ptr;
    }
    return {buffer, static_cast<size_t>(out - buffer)};
  }
  if (is_local_user()) {
    uint32_t uid = 0;
    for (size_t i = 12; i < 16; ++i) uid = uid << 8 | octets_[i];
    return "uid:" + std::to_string(uid);
  }
  const char* text = inet_ntop(AF_INET6, octets_.data(), buffer, sizeof(buffer));
  CHECK(text != nullptr);
  return text;
}

std::string IpAddress::ToLiteral() const { return is_v4() ? ToString() : "IPv6:" + ToString(); }

Result<SocketAddress> SocketAddress::Parse(std::string_view text, uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text[0] == '[') {
    const size_t close = text.find(']');
    if (close != std::string_view::npos) {
      host = text.substr(1, close - 1);
      const std::string_view rest = text.substr(close + 1);
      has_port = !rest.empty() && rest[0] == ':';
      if (has_port) port = rest.substr(1);
      if (!has_port && !rest.empty()) host = text;  // "[::1]x": fails below
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(host.size() + 1);
    has_port = true;
  }
  const Result<IpAddress> ip = IpAddress::Parse(host);
  int number = default_port;
  if (!ip.ok() || (has_port && !ParseDecimal(port, 65535, &number)) ||
      (!has_port && default_port == 0) || (text[0] == '[' && ip->is_v4())) {
    return Malformed("an IP address and port", text,
                     "for example \"192.0.2.1:25\" or \"[2001:db8::1]:25\"");
  }
  return SocketAddress{*ip, static_cast<uint16_t>(number)};
}

std::string SocketAddress::ToString() const {
  const std::string number = std::to_string(port);
  return ip.is_v4() ? ip.ToString() + ":" + number : "[" + ip.ToString() + "]:" + number;
}

Result<Network> Network::Parse(std::string_view text) {
  static constexpr std::string_view kExpected =
      "for example \"10.0.0.0/8\", \"192.0.2.1\" or \"2001:db8::/32\"";
  const size_t slash = text.find('/');
  const Result<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return Malformed("a network", text, kExpected);
  const bool mapped_text = text.find(':') != std::string_view::npos;
  Network network;
  network.address_ = *address;
  if (slash != std::string_view::npos) {
    int bits = 0;
    if (!ParseDecimal(text.substr(slash + 1), mapped_text ? 128 : 32, &bits)) {
      return Malformed("a network", text, kExpected);
    }
    network.mapped_prefix_length_ = mapped_text ? bits : bits + kMappedBits;
  }
  if (address->is_v4() && network.mapped_prefix_length_ < kMappedBits) {
    return Malformed("a network", text, "an IPv4 network in IPv4 form");
  }
  // What is behind the prefix must be zero.
  for (int bit = network.mapped_prefix_length_; bit < 128; ++bit) {
    const uint8_t octet = address->octets()[static_cast<size_t>(bit / 8)];
    if ((octet >> (7 - bit % 8)) & 1) {
      return Malformed("a network", text, "zeros behind the prefix length");
    }
  }
  return network;
}

bool Network::Contains(const IpAddress& address) const {
  // "::/0" is every IPv6 address and no IPv4 one, as the person who wrote it meant.
  const bool v4 = address.is_v4();
  if (v4 != address_.is_v4() || (!v4 && address.is_local_user())) return false;
  const size_t whole = static_cast<size_t>(mapped_prefix_length_ / 8);
  const int rest = mapped_prefix_length_ % 8;
  if (std::memcmp(address.octets().data(), address_.octets().data(), whole) != 0) return false;
  if (rest == 0) return true;
  const int difference = address.octets()[whole] ^ address_.octets()[whole];
  return (difference >> (8 - rest)) == 0;
}

int Network::prefix_length() const {
  return address_.is_v4() ? mapped_prefix_length_ - kMappedBits : mapped_prefix_length_;
}

std::string Network::ToString() const {
  const int whole = address_.is_v4() ? 32 : 128;
  if (prefix_length() == whole) return address_.ToString();
  return address_.ToString() + "/" + std::to_string(prefix_length());
}

}  // namespace outbox::core
