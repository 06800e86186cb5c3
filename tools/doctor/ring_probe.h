// What we do with io_uring, done once: on loopback, and on a file of the spool.
#ifndef OUTBOX_TOOLS_DOCTOR_RING_PROBE_H_
#define OUTBOX_TOOLS_DOCTOR_RING_PROBE_H_

#include <string>

#include "core/ip_address.h"
#include "core/status.h"
#include "tools/doctor/blocking_loop.h"

namespace outbox::tools {

// Listens, connects, accepts, sends and receives.
core::Status ProbeRing(BlockingLoop* loop);

// Writes one block to a new file in `directory` as a log does, and removes it. 0, or -errno of the
// first step that failed. `direct`: past the page cache.
int ProbeWrite(BlockingLoop* loop, const std::string& directory, bool direct);

// What a server at `address`, or at the unix socket `path` unless that is empty, says first: "220
// relay.example.com ESMTP Outbox". kUnavailable: nobody listens there; kIoError: it cannot be
// reached, or says nothing.
core::Result<std::string> ReadGreeting(BlockingLoop* loop, const core::SocketAddress& address,
                                       const std::string& path);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_RING_PROBE_H_
