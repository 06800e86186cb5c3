// Whether this machine has the addresses that a configuration sends from. It may get them later, so
// that is no error: their mail waits. But somebody should say so.
#ifndef OUTBOX_TOOLS_SOURCE_ADDRESSES_H_
#define OUTBOX_TOOLS_SOURCE_ADDRESSES_H_

#include <string>
#include <vector>

#include "core/config.h"
#include "core/ip_address.h"

namespace outbox::tools {

// Something could be sent from it: a socket can be bound to it. Else *why says why not.
bool HasAddress(const core::IpAddress& address, std::string* why);

// A sentence for each address of a [[source]], or of a route's `bind`, that is not here.
std::vector<std::string> MissingAddresses(const core::Config& config);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SOURCE_ADDRESSES_H_
