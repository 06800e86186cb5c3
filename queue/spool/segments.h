// Segments: the files of a log and what is known of each while it runs: its use, what is live in
// it, which done entries guard dead copies in it.
//
// Guards. A message that is done may still lie in segments that were not overwritten yet; its done
// entry must not disappear before them, or it would come back. A done entry names the generations
// that it guards. So a pair (guarded segment, segment with the done entry) has a count; a segment
// with guard_refs > 0 is not retired, and when a guarded segment is retired the counts of its
// guards go down.
#ifndef OUTBOX_QUEUE_SPOOL_SEGMENTS_H_
#define OUTBOX_QUEUE_SPOOL_SEGMENTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "io/io.h"
#include "queue/spool/format.h"
#include "queue/store.h"

namespace outbox::queue {

enum class SegmentState : uint8_t {
  kAbsent,    // no file (yet, or any more)
  kMaking,    // being created and filled
  kFree,      // everything in it is dead, and it says so
  kStarting,  // its use header is being written
  kReady,     // header written, nothing in it
  kActive,    // being written to
  kSealed,    // not written to any more
  kRetiring,  // its retire mark is being written
};

struct Segment {
  uint32_t number = 0;  // its place in Segments and in its name
  SegmentState state = SegmentState::kAbsent;
  SegmentKind kind = SegmentKind::kLog;
  bool suspect = false;  // may have copies that no Message points to; every done entry guards it
  bool failed = false;   // a write to it failed
  bool stuck = false;    // reclaim could not move all of it
  bool guards_moved = false;  // its done entries were written again elsewhere
  io::File file = io::kNoHandle;
  uint32_t bytes = 0;
  uint32_t data_end = kSegmentDataAt;     // behind the last batch
  uint32_t durable_end = kSegmentDataAt;  // what is below was acknowledged
  SegmentUse use;
  uint32_t live_entries = 0;  // messages, newest states; extents
  uint64_t live_bytes = 0;
  uint64_t live_room = 0;   // what its live entries would take if written again without gaps
  uint32_t guard_refs = 0;  // its done entries that still guard something
  uint32_t pins = 0;        // reads and writes in flight
  uint32_t tries = 0;       // of writing the retire mark

  struct Guard {
    uint32_t segment = 0;  // that has the done entries
    uint64_t generation = 0;
    uint32_t count = 0;
  };
  std::vector<Guard> guards;  // who guards what is dead in here

  bool in_use() const {
    return state == SegmentState::kReady || state == SegmentState::kActive ||
           state == SegmentState::kSealed || state == SegmentState::kRetiring;
  }
  // Nothing in it is needed any more.
  bool dead() const {
    return state == SegmentState::kSealed && live_entries == 0 && pins == 0 &&
           (guard_refs == 0 || guards_moved);
  }
};

// Message::meta_units of a message with this meta.
uint8_t MetaUnits(const MetaView& meta);

class Segments {
 public:
  uint32_t count() const { return static_cast<uint32_t>(all_.size()); }
  Segment& operator[](uint32_t number) { return *all_[number]; }
  const Segment& operator[](uint32_t number) const { return *all_[number]; }
  // The segment with this number, made if needed (numbers below it, too).
  Segment& Ensure(uint32_t number);
  // A segment without a file.
  Segment& Unused();

  // A use begins, ends. REQUIRES of End: dead or failed to start.
  void Begin(Segment* segment, SegmentKind kind, const SegmentUse& use);
  void End(Segment* segment);
  Segment* ByGeneration(uint64_t generation);

  // The message's entry at its place, its newest state's.
  void AddMessage(const Message& message);
  void DropMessage(const Message& message);
  void AddState(const Message& message);
  void DropState(const Message& message);
  // A piece of a body, in whole blocks.
  void AddExtent(uint32_t segment, uint32_t bytes);
  void DropExtent(uint32_t segment, uint32_t bytes);
  // A done entry in `guard` guards the use `generation` of `guarded`, if that still exists.
  void AddGuard(uint32_t guarded, uint64_t generation, uint32_t guard);

  uint64_t live_bytes() const { return live_bytes_; }
  // Of the log segments in use, and what of them their live entries would take if written again.
  uint64_t log_bytes() const { return log_bytes_; }
  uint64_t log_room() const { return log_room_; }
  // Of the segments with extents, and of the extents that are live in them.
  uint64_t extent_bytes() const { return extent_bytes_; }
  uint64_t extent_live_bytes() const { return extent_live_bytes_; }
  // Of all files.
  uint64_t disk_bytes() const { return disk_bytes_; }
  void AddFile(uint32_t bytes) { disk_bytes_ += bytes; }
  void DropFile(uint32_t bytes) { disk_bytes_ -= bytes; }
  // Suspects, for the lists in done entries. In order of number.
  const std::vector<uint32_t>& suspects() const { return suspects_; }
  void MarkSuspect(Segment* segment);
  // Counts of what came before: so that a walk over the segments is made only when one may be dead.
  bool may_be_dead() const { return may_be_dead_; }
  void set_may_be_dead(bool value) { may_be_dead_ = value; }

 private:
  void AddLive(uint32_t segment, uint32_t bytes, uint32_t room);
  void DropLive(uint32_t segment, uint32_t bytes, uint32_t room);

  std::vector<std::unique_ptr<Segment>> all_;
  absl::flat_hash_map<uint64_t, uint32_t> by_generation_;
  std::vector<uint32_t> suspects_;
  uint64_t live_bytes_ = 0;
  uint64_t log_bytes_ = 0;
  uint64_t log_room_ = 0;
  uint64_t extent_bytes_ = 0;
  uint64_t extent_live_bytes_ = 0;
  uint64_t disk_bytes_ = 0;
  bool may_be_dead_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_SEGMENTS_H_
