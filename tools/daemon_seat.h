// Daemon::Seat: a shard of the daemon with what belongs to it: its numbers, its Io, its thread.
#ifndef OUTBOX_TOOLS_DAEMON_SEAT_H_
#define OUTBOX_TOOLS_DAEMON_SEAT_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "core/metrics.h"
#include "io/uring_io.h"
#include "queue/shard.h"
#include "tools/daemon.h"

namespace outbox::tools {

struct Daemon::Seat {
  uint32_t index = 0;
  core::ShardMetrics metrics;
  std::unique_ptr<io::UringIo> io;
  std::unique_ptr<queue::Shard> shard;
  std::thread thread;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DAEMON_SEAT_H_
