// What the daemon must know of the machine that it runs on, beyond its configuration.
#ifndef OUTBOX_TOOLS_MACHINE_H_
#define OUTBOX_TOOLS_MACHINE_H_

#include <vector>

#include "core/config.h"
#include "core/ip_address.h"

namespace outbox::tools {

// The addresses of all interfaces; empty when they cannot be had.
std::vector<core::IpAddress> OwnAddresses();

// What a configuration leaves to the machine: without name servers, those of /etc/resolv.conf.
// After every reading of a configuration.
void AddMachineDefaults(core::Config* config);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_MACHINE_H_
