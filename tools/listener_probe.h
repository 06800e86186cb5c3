// What a shared port hides: that it is somebody else's.
//
// The shards of one daemon listen at one port together (SO_REUSEPORT), and the kernel lets every
// process of the same user join in: two daemons would share the clients without noticing. So each
// new address is bound alone first, for a moment.
#ifndef OUTBOX_TOOLS_LISTENER_PROBE_H_
#define OUTBOX_TOOLS_LISTENER_PROBE_H_

#include "core/config.h"
#include "core/status.h"

namespace outbox::tools {

// Whether the listeners of `config` can have their addresses to themselves. Those at a port where
// `running` (null: nothing runs) listens already are not asked about. The error names the address.
core::Status ProbeListeners(const core::Config& config, const core::Config* running);
// The same at a start, with patience for addresses that are in use: the sockets of a daemon that
// was killed are closed when the kernel has taken its rings apart, some time after the process has
// gone. Blocks for kListenersAwaitedMs (core/limits.h) at most.
core::Status AwaitListeners(const core::Config& config);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LISTENER_PROBE_H_
