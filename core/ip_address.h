// IpAddress, SocketAddress, Network: where a peer is, as plain values.
//
// Small, trivially copyable and comparable, so that they can be keys. An IPv4 address is kept in
// its IPv4-mapped form (RFC 4291 2.5.5.2) and always printed as IPv4.
#ifndef OUTBOX_CORE_IP_ADDRESS_H_
#define OUTBOX_CORE_IP_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::core {

class IpAddress {
 public:
  // "::", the IPv6 wildcard.
  constexpr IpAddress() = default;
  // The four octets of an IPv4 address in network order, first octet first.
  static IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  // 16 octets in network order.
  static IpAddress V6(const std::array<uint8_t, 16>& octets);
  // Takes "192.0.2.1", "2001:db8::1". No zone, no brackets, no port.
  static Result<IpAddress> Parse(std::string_view text);

  // Who comes in by a unix socket is no host but a user of this machine; kept as ff00::<uid>, which
  // no packet can come from (RFC 4291 2.7), and written "uid:1000". No network contains it.
  static IpAddress LocalUser(uint32_t uid);
  bool is_local_user() const;

  bool is_v4() const;
  bool is_loopback() const;
  bool is_any() const;  // 0.0.0.0 or ::
  const std::array<uint8_t, 16>& octets() const { return octets_; }
  std::string ToString() const;
  // As RFC 5321 4.1.3 writes it in an address literal, without brackets: "192.0.2.1",
  // "IPv6:2001:db8::1".
  std::string ToLiteral() const;

  auto operator<=>(const IpAddress&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& address) {
    return H::combine(std::move(h), address.octets_);
  }

 private:
  std::array<uint8_t, 16> octets_ = {};
};

struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;

  // Takes "192.0.2.1:25" and "[2001:db8::1]:25"; with default_port > 0 also an address without a
  // port
  // ("192.0.2.1", "2001:db8::1", "[2001:db8::1]").
  static Result<SocketAddress> Parse(std::string_view text, uint16_t default_port = 0);
  std::string ToString() const;

  auto operator<=>(const SocketAddress&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const SocketAddress& address) {
    return H::combine(std::move(h), address.ip, address.port);
  }
};

// A CIDR block. A bare address is the block of that address alone.
class Network {
 public:
  // Takes "127.0.0.0/8", "::1", "2001:db8::/32". Bits behind the prefix must be zero: "10.1.2.3/8"
  // is an error, since one of the two numbers was not meant.
  static Result<Network> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;
  // The number of leading bits, 0-32 for IPv4 and 0-128 for IPv6.
  int prefix_length() const;
  const IpAddress& address() const { return address_; }
  std::string ToString() const;

 private:
  IpAddress address_;
  int mapped_prefix_length_ = 128;  // of the 128-bit form
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_IP_ADDRESS_H_
