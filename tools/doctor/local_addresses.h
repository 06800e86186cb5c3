// The addresses that this machine sends from, as its routes choose them.
#ifndef OUTBOX_TOOLS_DOCTOR_LOCAL_ADDRESSES_H_
#define OUTBOX_TOOLS_DOCTOR_LOCAL_ADDRESSES_H_

#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "io/io.h"

namespace outbox::tools {

// One of each family that has a route to the Internet. Nothing is sent.
std::vector<core::IpAddress> SendingAddresses(io::Io* io);

// Whether an IPv6 address is a temporary one (RFC 8981), by the text of /proc/net/if_inet6.
bool IsTemporary(const core::IpAddress& address, std::string_view if_inet6);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_LOCAL_ADDRESSES_H_
