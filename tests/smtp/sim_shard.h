// SimShard: one shard in the simulated world: an Io, a timer wheel and the blocks of its
// connections.
#ifndef OUTBOX_TESTS_SMTP_SIM_SHARD_H_
#define OUTBOX_TESTS_SMTP_SIM_SHARD_H_

#include <cstdint>

#include "core/limits.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "smtp/block_cache.h"
#include "smtp/talk.h"

namespace outbox::smtp {

struct SimShard {
  explicit SimShard(io::SimWorld* world, int node)
      : io(world, node, [this] { RunOnce(); }), wheel(world->now_ns(), 10'000) {}

  void RunOnce() {
    const bool more = wheel.Advance(io.now_ns(), core::kTimerWorkPerTurn,
                                    [](uint8_t, uint64_t cookie) { core::Timer::Fire(cookie); });
    io.Turn(more ? 0 : wheel.NextDeadline());
  }

  io::SimIo io;
  core::TimerWheel wheel;
  BlockCache blocks;
  TalkRings rings;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_SIM_SHARD_H_
