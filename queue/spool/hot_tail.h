// HotTail: the newest part of the log, still in memory, which is lent to those who send it.
//
// Batches are built in *arenas*: aligned memory, each the mirror of one stretch of a segment, batch
// behind batch. An arena in which leases are out stays; others are used again, oldest first. When
// leases hold all of them, batches are built in two arenas that are never lent: accepting mail
// never waits for a slow peer. What a burst has taken and nobody needs any more goes back to the
// system while the log goes on, and when it has rested for a second.
#ifndef OUTBOX_QUEUE_SPOOL_HOT_TAIL_H_
#define OUTBOX_QUEUE_SPOOL_HOT_TAIL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/time.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segments.h"
#include "queue/window.h"

namespace outbox::queue {

struct Arena {
  uint32_t index = 0;
  AlignedBuffer memory;
  uint32_t segment = UINT32_MAX;
  uint64_t generation = 0;
  uint32_t offset = 0;  // in the segment, of memory's first byte
  uint32_t filled = 0;  // bytes of whole blocks that batches took
  uint32_t leases = 0;
  uint32_t users = 0;  // batches being built or written in it, and the writer that fills it
  bool lendable = true;
  uint64_t taken = 0;  // when it was last taken, in takes: for "oldest"

  bool busy() const { return leases > 0 || users > 0; }
};

class HotTail {
 public:
  HotTail(uint32_t arena_bytes, uint64_t bytes_max);

  // An empty arena that mirrors the segment from `offset`. Never fails: at most two are in use.
  Arena* Take(const Segment& segment, uint32_t offset);

  // The bytes [offset, offset + length) of the segment's present use, if they are in a lendable
  // arena.
  Window Lease(const Segment& segment, uint32_t offset, uint32_t length);
  void Return(uint32_t arena);

  // Every turn: whether the log rests.
  void Tick(int64_t now_ns);
  // kNever while there is nothing to give back.
  int64_t NextDeadline() const { return look_ns_; }

  // Memory that it has.
  uint64_t bytes() const { return with_memory_ * uint64_t{arena_bytes_}; }
  uint64_t leased_bytes() const { return leased_arenas_ * uint64_t{arena_bytes_}; }
  uint32_t leases() const { return leases_; }

 private:
  void GiveBack();

  uint32_t arena_bytes_;
  uint32_t arenas_max_;  // lendable ones
  uint32_t leased_arenas_ = 0;
  uint32_t leases_ = 0;
  uint64_t takes_ = 0;
  uint64_t takes_seen_ = 0;         // by Tick
  int64_t look_ns_ = core::kNever;  // when it will have rested
  uint32_t with_memory_ = 0;
  uint32_t busy_max_ = 0;  // arenas that could not be taken, since the last GiveBack
  std::vector<std::unique_ptr<Arena>> arenas_;
  uint32_t newest_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_HOT_TAIL_H_
