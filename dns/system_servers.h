// The system's name servers, from the text of resolv.conf(5). Reading the file is the daemon's.
#ifndef OUTBOX_DNS_SYSTEM_SERVERS_H_
#define OUTBOX_DNS_SYSTEM_SERVERS_H_

#include <string_view>
#include <vector>

#include "core/ip_address.h"

namespace outbox::dns {

inline constexpr const char* kResolvConf = "/etc/resolv.conf";

// The addresses of its `nameserver` lines with port 53, in order, at most limits.h
// kConfigResolvers; one that cannot be read (a link-local address with its zone, say) is left out.
// As the C library has it, a text without any means 127.0.0.1.
std::vector<core::SocketAddress> ServersOf(std::string_view resolv_conf);

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_SYSTEM_SERVERS_H_
