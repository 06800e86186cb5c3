// The names of addresses: where they are asked for, and whether they look like a customer's line.
// Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_REVERSE_NAME_H_
#define OUTBOX_TOOLS_DOCTOR_REVERSE_NAME_H_

#include <string>
#include <string_view>

#include "core/ip_address.h"

namespace outbox::tools {

// "1.2.0.192.in-addr.arpa", or the nibbles below ip6.arpa (RFC 1035 3.5, RFC 3596 2.5).
std::string ReverseName(const core::IpAddress& address);

// Why a name looks like one that a provider gives to all of its addresses, as many receivers judge
// it: "it contains the address", "\"dynamic\" is part of it"; "" when it does not. `name` in lower
// case.
std::string GenericNameReason(std::string_view name, const core::IpAddress& address);

// Whether an address is one that the Internet cannot see: private, link-local, loopback, shared
// (RFC 6890).
bool IsPrivateAddress(const core::IpAddress& address);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_REVERSE_NAME_H_
