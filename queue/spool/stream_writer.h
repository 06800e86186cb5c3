// StreamWriter: writes the bodies of big messages into extents while they arrive (body_stream.h),
// and lends what it has written for as long as it is in memory.
//
// All streams of a log share a fixed number of buffers (stream_buffers.h). One is filled, waits for
// a place in an extent segment, is written together with its neighbours, and is kept for a while.
//
// A stream begins when there are buffers for all that it is expected to bring, beside what those
// that have begun are still expected to, or when nothing is expected of others: each ends without
// waiting for another, and its pieces are there when it is sent. A quarter of the buffers is
// filled at a time. A stream whose buffer is not full in time does not count any more: slow
// clients do not hold up others. Nor does what was expected bind anybody: who brings more waits
// for a buffer, before those that have not begun.
#ifndef OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_
#define OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "core/intrusive_list.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/body_stream.h"
#include "queue/spool/segments.h"
#include "queue/spool/stream_buffers.h"
#include "queue/window.h"

namespace outbox::queue {

class Log;

class StreamWriter {
 public:
  explicit StreamWriter(Log* log);
  ~StreamWriter();

  bool Begin(BodyStream* stream, uint64_t expected_bytes);
  // Finds places for what waits, gives buffers to streams that wait for one, finishes. Callbacks.
  void Tick();
  void Abandon();
  bool idle() const { return in_flight_ == 0 && waiting_place_.empty(); }
  uint32_t active() const { return active_; }
  // When Tick has something to do that no completion announces; kNever if nothing.
  int64_t NextDeadline() const;

  // The extents of a finished stream belong to a committed message now.
  void Claimed(BodyStream* stream);
  // The extents, still counted as live, are the caller's now; the stream has none any more.
  std::vector<Extent> TakeExtents(BodyStream* stream) {
    return std::exchange(stream->extents_, {});
  }

  // Lends an extent that is still in memory; nothing if it is not.
  Window Lease(const Extent& extent) { return buffers_.Lease(extent); }
  bool Owns(uint32_t name) const { return buffers_.Owns(name); }
  void Return(uint32_t name);
  uint32_t leases() const { return buffers_.leases(); }
  uint64_t leased_bytes() const { return buffers_.leased_bytes(); }

 private:
  friend class BodyStream;

  // Pieces of one write, which lie side by side: a megabyte.
  static constexpr size_t kGatherMax = 4;

  // A buffer that is filled for longer is a slow client's.
  static constexpr int64_t kFillNs = core::kStreamKeepMs * core::kNsPerMs;

  using WaitingList = core::IntrusiveList<BodyStream, &BodyStream::link_>;

  struct Write {
    StreamWriter* writer = nullptr;
    Segment* segment = nullptr;
    uint32_t count = 0;
    uint32_t bytes = 0;
    std::array<StreamBuffer*, kGatherMax> buffers = {};
    std::array<iovec, kGatherMax> parts = {};
    io::Op op;
    void OnWritten(const io::OpResult& result) { writer->OnWritten(this, result.result); }
  };

  void Full(BodyStream* stream);  // filling_ is full, or the last one
  void Aborted(BodyStream* stream);
  // Gives the stream a buffer to fill, if it may have one now.
  bool Refill(BodyStream* stream);
  bool MayBegin(const BodyStream& stream);
  void StopFilling(StreamBuffer* buffer);
  void PassOverSlow();
  uint32_t ExpectedBuffers(uint64_t bytes) const;
  void Unpromise(BodyStream* stream);
  void NoteWake();
  void FreeBuffer(StreamBuffer* buffer);
  void PlaceWaiting();
  bool Place(StreamBuffer* buffer, Write* write);
  bool OpenSegment(uint32_t room);
  Write* TakeWrite();
  void Start(Write* write);
  void OnWritten(Write* write, int32_t result);
  void Settle(StreamBuffer* buffer, Segment* segment, bool good);
  void ServeWaiting();
  // In order. False: for want of a buffer.
  bool Serve(WaitingList* list);
  void FailStream(BodyStream* stream, const core::Status& status);
  void End(BodyStream* stream);

  Log* log_;
  StreamBuffers buffers_;
  StreamBufferList filling_;  // for less than kFillNs, the oldest first
  uint32_t filling_count_ = 0;
  uint32_t promised_ = 0;  // to all streams that have begun
  std::deque<StreamBuffer*> waiting_place_;
  std::vector<std::unique_ptr<Write>> writes_;
  std::vector<Write*> free_writes_;
  WaitingList ending_;          // to be finished, or to be told that they have failed
  WaitingList begun_;           // for their next buffer
  WaitingList new_;             // for their first
  Segment* segment_ = nullptr;  // that takes extents now
  uint32_t offset_ = 0;
  uint32_t in_flight_ = 0;  // writes
  uint32_t active_ = 0;
  int64_t wake_ns_ = core::kNever;  // a buffer, or a stream's turn, comes by time then
  bool blocked_ = false;            // there was no segment to write to
  bool due_ = false;  // something has become free, or a stream waits, since the last Tick
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_
