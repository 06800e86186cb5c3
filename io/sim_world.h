// SimWorld: a deterministic world for tests: clocks, chance, disks, a network, faults.
//
// Any number of SimIo (io/sim_io.h) live in one world; together with it they run on one thread. The
// world owns two virtual clocks, one seeded generator and an event queue ordered by (time, tie
// drawn from the seed, sequence number). Nothing in it depends on anything but the seed and what
// the participants do, so a run is repeated by its seed; trace_hash() proves it.
//
// A participant is a SimIo with a callback that runs one round of its loop and calls Turn in it.
// The world picks the earliest of: the next event, and the time at which any participant has a
// completion, a wake-up or its Turn's `until`; it moves the clock there and runs that one. What is
// due at the same time runs in an order drawn from the seed.
//
// Nodes. A node is a machine: some SimIo and one disk. Crash(node) ends it as a power failure does.
#ifndef OUTBOX_IO_SIM_WORLD_H_
#define OUTBOX_IO_SIM_WORLD_H_

#include <compare>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/random.h"
#include "io/sim_options.h"

namespace outbox::io {

class SimDisk;
class SimIo;
class SimNetwork;
enum class SimDeath;

// Names a scheduled event; the order of these is the order of the events.
struct SimEvent {
  int64_t time_ns = -1;
  uint64_t tie = 0;
  uint64_t number = 0;

  auto operator<=>(const SimEvent&) const = default;
};

class SimWorld {
 public:
  enum class RunResult {
    kCondition,   // the condition holds
    kTimeLimit,   // the time is over, or nothing would ever happen again
    kCrashPoint,  // a disk reached the change set with SimDisk::CrashAt: call Crash now
    kTurnLimit,   // SimOptions::turns_max: somebody never sleeps
  };

  explicit SimWorld(const SimOptions& options);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;
  // REQUIRES: every SimIo of this world is gone.
  ~SimWorld();

  const SimOptions& options() const { return options_; }
  // For faults that change while the world runs.
  SimOptions& mutable_options() { return options_; }
  core::Random& random() { return random_; }
  int64_t now_ns() const { return now_ns_; }
  int64_t wall_ns() const { return now_ns_ + wall_offset_ns_; }
  // Somebody sets the wall clock forward or back.
  void JumpWall(int64_t delta_ns) { wall_offset_ns_ += delta_ns; }

  // The disk of a node; made, empty, when first asked for.
  SimDisk& disk(int node = 0);
  SimNetwork& network() { return *network_; }

  // Runs until the condition holds (looked at before the first and after every step) or limit_ns
  // from now have passed. When nothing is left to happen the clock goes straight to the limit.
  RunResult RunUntil(const std::function<bool()>& condition, int64_t limit_ns);
  RunResult RunFor(int64_t duration_ns);

  // Power failure of a node: every operation of its SimIo vanishes without a completion, its
  // handles die, its connections break (some with a reset, some silently), its disk keeps what was
  // durable and any part of what was on its way. Its SimIo objects do nothing more; destroy them
  // and their owners. REQUIRES: not called from within a turn.
  void Crash(int node = 0);
  // kill -9 of a node's programs: as Crash, but the machine stays up: what was written is there,
  // synced or not, and its connections end as the kernel ends those of a dead process.
  void Kill(int node = 0);
  // True from a crash point (RunResult::kCrashPoint) until Crash.
  bool crash_pending() const { return crash_pending_; }

  // A number for everything that was ever delivered: time, SimIo, operation, result, bytes.
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t steps() const { return steps_; }
  // Prints every delivered completion, for a person who reads a failing seed.
  void set_trace(FILE* trace) { trace_ = trace; }
  FILE* trace() const { return trace_; }

  // --- For the parts of the world ---

  SimEvent Schedule(int64_t delay_ns, std::function<void()> run);
  // No effect when the event has run.
  void Unschedule(const SimEvent& event) { events_.erase(event); }
  int64_t Draw(const SimRange& range) { return random_.Between(range.low_ns, range.high_ns); }
  bool Chance(uint32_t ppm) { return ppm > 0 && random_.Chance(ppm, 1'000'000); }
  void Fold(uint64_t value);
  uint64_t NextId() { return ++last_id_; }
  int NextHandle() { return ++last_handle_; }
  void StopForCrash() { crash_pending_ = true; }
  // A participant comes or goes; called by SimIo.
  void Join(SimIo* io) { participants_.push_back(io); }
  void Leave(SimIo* io);
  // nullptr once it has left.
  SimIo* FindIo(uint64_t io_id) const;
  // True while a participant's callback runs.
  bool in_turn() const { return in_turn_; }
  // Turn of an Io whose program is not driven by Run: lets the others and the events go on until
  // `io` has something to do or `until_ns` comes.
  void RunFor(SimIo* io, int64_t until_ns);

 private:
  // Does the earliest thing that is due at or before limit_ns. False if there is none.
  bool Step(int64_t limit_ns, const SimIo* except);
  void AbandonNode(int node, SimDeath death);

  SimOptions options_;
  core::Random random_;
  int64_t now_ns_;
  int64_t wall_offset_ns_;
  std::map<SimEvent, std::function<void()>> events_;
  std::vector<SimIo*> participants_;  // in order of creation
  std::map<int, std::unique_ptr<SimDisk>> disks_;
  std::unique_ptr<SimNetwork> network_;
  uint64_t last_id_ = 0;
  int last_handle_ = 1000;
  uint64_t trace_hash_ = 0xcbf29ce484222325u;
  uint64_t steps_ = 0;
  bool in_turn_ = false;
  bool crash_pending_ = false;
  FILE* trace_ = nullptr;
};

// A fast 64-bit hash for traces and for finding memory that was touched too early. Not for the
// wire.
uint64_t SimHash(const void* data, size_t size, uint64_t seed = 0);

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_WORLD_H_
