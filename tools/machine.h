// What the daemon must know of the machine that it runs on, beyond its configuration.
#ifndef OUTBOX_TOOLS_MACHINE_H_
#define OUTBOX_TOOLS_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/ip_address.h"

namespace outbox::tools {

// The addresses of all interfaces; empty when they cannot be had.
std::vector<core::IpAddress> OwnAddresses();

// The cores that the process may use: so many shards there are when the configuration leaves their
// number open. At most limits.h kMaxShards.
uint32_t UsableCores();

// The files of the logs below `spool`; 0 when it is not there.
uint64_t CountSpoolFiles(const std::string& spool);

// What a configuration leaves to the machine: without name servers, those of /etc/resolv.conf.
// After every reading of a configuration.
void AddMachineDefaults(core::Config* config);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_MACHINE_H_
