#include "io/sim_world.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "io/sim_disk.h"
#include "io/sim_io.h"
#include "io/sim_network.h"

namespace outbox::io {

SimWorld::SimWorld(const SimOptions& options)
    : options_(options),
      random_(options.seed),
      now_ns_(options.start_ns),
      wall_offset_ns_(options.start_wall_ns - options.start_ns),
      network_(std::make_unique<SimNetwork>(this)) {
  CHECK(options.turn.low_ns >= 1);
}

SimWorld::~SimWorld() { CHECK(participants_.empty()); }

SimDisk& SimWorld::disk(int node) {
  std::unique_ptr<SimDisk>& disk = disks_[node];
  if (disk == nullptr) disk = std::make_unique<SimDisk>(this, node);
  return *disk;
}

SimEvent SimWorld::Schedule(int64_t delay_ns, std::function<void()> run) {
  CHECK(delay_ns >= 0);
  const SimEvent event{now_ns_ + delay_ns, random_.Next(), NextId()};
  events_.emplace(event, std::move(run));
  return event;
}

void SimWorld::Leave(SimIo* io) { std::erase(participants_, io); }

SimIo* SimWorld::FindIo(uint64_t io_id) const {
  for (SimIo* io : participants_) {
    if (io->id() == io_id) return io;
  }
  return nullptr;
}

bool SimWorld::Step(int64_t limit_ns, const SimIo* except) {
  const int64_t event_ns = events_.empty() ? core::kNever : events_.begin()->first.time_ns;
  int64_t turn_ns = core::kNever;
  uint64_t same = 0;
  SimIo* next = nullptr;
  for (SimIo* io : participants_) {
    if (io == except) continue;
    const int64_t io_ns = io->NextTurn();
    if (io_ns > turn_ns || io_ns == core::kNever) continue;
    same = io_ns < turn_ns ? 1 : same + 1;
    // One of those that are due at the same time, each with the same chance.
    if (same == 1 || random_.Chance(1, same)) next = io;
    turn_ns = io_ns;
  }
  const int64_t at_ns = std::min(event_ns, turn_ns);
  if (at_ns == core::kNever || at_ns > limit_ns) return false;
  now_ns_ = std::max(now_ns_, at_ns);
  ++steps_;
  const bool event_first =
      event_ns < turn_ns || (event_ns == turn_ns && (next == nullptr || random_.Chance(1, 2)));
  if (event_first) {
    auto node = events_.extract(events_.begin());
    node.mapped()();
    return true;
  }
  in_turn_ = true;
  next->RunOnce();
  in_turn_ = false;
  return true;
}

SimWorld::RunResult SimWorld::RunUntil(const std::function<bool()>& condition, int64_t limit_ns) {
  CHECK(!in_turn_);
  const int64_t end_ns = now_ns_ + limit_ns;
  for (uint64_t turns = 0; turns < options_.turns_max; ++turns) {
    if (crash_pending_) return RunResult::kCrashPoint;
    if (condition()) return RunResult::kCondition;
    if (!Step(end_ns, nullptr)) {
      now_ns_ = end_ns;
      return RunResult::kTimeLimit;
    }
  }
  return RunResult::kTurnLimit;
}

SimWorld::RunResult SimWorld::RunFor(int64_t duration_ns) {
  return RunUntil([] { return false; }, duration_ns);
}

void SimWorld::RunFor(SimIo* io, int64_t until_ns) {
  CHECK(!in_turn_);
  for (uint64_t turns = 0; turns < options_.turns_max; ++turns) {
    if (crash_pending_ || io->HasWork() || now_ns_ >= until_ns) return;
    if (!Step(until_ns, io)) {
      if (until_ns != core::kNever) now_ns_ = until_ns;
      return;
    }
  }
}

void SimWorld::AbandonNode(int node, SimDeath death) {
  CHECK(!in_turn_);
  for (SimIo* io : participants_) {
    if (io->node() == node && !io->abandoned()) io->Abandon(death);
  }
}

void SimWorld::Crash(int node) {
  // The disk first: it looks at the memory of the writes in flight.
  disk(node).Crash();
  AbandonNode(node, SimDeath::kPower);
  crash_pending_ = false;
}

void SimWorld::Kill(int node) { AbandonNode(node, SimDeath::kExit); }

void SimWorld::Fold(uint64_t value) {
  trace_hash_ = std::rotl((trace_hash_ ^ value) * 0x9e3779b97f4a7c15u, 29);
}

uint64_t SimHash(const void* data, size_t size, uint64_t seed) {
  const char* at = static_cast<const char*>(data);
  uint64_t hash = seed ^ (size * 0xff51afd7ed558ccdu);
  while (size > 0) {
    uint64_t word = 0;
    const size_t count = std::min(size, sizeof(word));
    memcpy(&word, at, count);
    hash = std::rotl((hash ^ word) * 0xc4ceb9fe1a85ec53u, 31);
    at += count;
    size -= count;
  }
  return hash ^ (hash >> 33);
}

}  // namespace outbox::io
