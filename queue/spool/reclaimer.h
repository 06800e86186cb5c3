// Reclaimer: gives space back by moving what is still needed out of segments that are mostly dead.
//
// Dead segments are retired by Log without its help. When the files take more than half again as
// much as what is live would take without gaps, or segments run short, the emptiest segment is read
// whole, and its live messages, newest states and done entries that still guard something are
// written again, a little with each batch. A segment that failed goes first, so that the list of
// suspects stays short.
#ifndef OUTBOX_QUEUE_SPOOL_RECLAIMER_H_
#define OUTBOX_QUEUE_SPOOL_RECLAIMER_H_

#include <cstdint>
#include <deque>
#include <string>

#include "core/time.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segment_scan.h"
#include "queue/spool/segments.h"

namespace outbox::queue {

class Log;

class Reclaimer {
 public:
  explicit Reclaimer(Log* log);
  ~Reclaimer() { CHECK(!reading_); }

  void Tick();
  bool idle() const { return !reading_ && victim_ == nullptr; }
  // Gives up what is under way; a read in flight ends by itself.
  void Stop();
  void Abandon() { reading_ = false; }
  bool reading() const { return reading_; }
  // Being moved: Log must not retire it, though it may die meanwhile. A new use of it would be
  // taken for the one that was moved.
  bool moving(const Segment* segment) const { return segment == victim_; }
  // Tick has something to do.
  bool due() const;
  // When the next pass is made; kNever if none waits.
  int64_t NextDeadline() const {
    return victim_ == nullptr || reading_ ? core::kNever : next_pass_ns_;
  }

 private:
  Segment* Pick() const;
  static bool Movable(const Segment& segment);
  void Read();
  void OnRead(const io::OpResult& result);
  void MoveSome();
  void MoveEntry(const EntryRef& entry);
  void EndPass();
  void Forget(bool stuck);

  Log* log_;
  Segment* victim_ = nullptr;  // not retired before it is forgotten
  uint64_t generation_ = 0;    // of the use that is being moved
  AlignedBuffer bytes_;
  std::deque<std::string> guards_;  // lists of moved done entries, in place until written
  size_t read_ = 0;
  bool reading_ = false;
  bool scanned_ = false;
  bool stopped_ = false;
  SegmentContents contents_;
  size_t next_ = 0;
  uint32_t failures_before_ = 0;
  uint32_t passes_ = 0;
  int64_t next_pass_ns_ = 0;
  io::Op op_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_RECLAIMER_H_
