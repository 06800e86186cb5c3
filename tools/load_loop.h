// What smtp_source and smtp_sink share of running a loop: the Io, and a stop asked for by a signal.
#ifndef OUTBOX_TOOLS_LOAD_LOOP_H_
#define OUTBOX_TOOLS_LOAD_LOOP_H_

#include <cstdint>
#include <memory>

#include "core/status.h"
#include "io/uring_io.h"

namespace outbox::tools {

// Makes an Io for `sockets` sockets at most.
core::Result<std::unique_ptr<io::UringIo>> CreateLoadIo(uint64_t sockets);

// From now on SIGTERM and SIGINT make StopRequested true and wake `io`; SIGPIPE is ignored.
void StopOnSignals(io::Io* io);
// Before StopOnSignals' io goes.
void ForgetSignals();
bool StopRequested();

// One turn of the loop that sleeps until `until_ns` at most, unless a stop is requested.
void TurnOnce(io::Io* io, int64_t until_ns);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_LOOP_H_
