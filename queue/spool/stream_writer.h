// StreamWriter: writes the bodies of big messages into extents while they arrive (body_stream.h),
// and lends what it has written for as long as it is in memory.
//
// All streams of a log share a fixed number of buffers. One is filled, waits for a place in an
// extent segment, is written together with its neighbours, and is *kept*: the message is usually
// sent within milliseconds, and then from here, not from the disk. When buffers are short a kept
// one makes room, those first that have been lent already; one that has not waits for its message
// to be sent, so that mail which comes faster than it goes is slowed down a little instead of being
// read back from the disk (and not at all while nobody sends any of it). A peer that is slow costs
// a lease, and streams never wait for it: a quarter of the buffers is never lent.
//
// Streams that have begun come before new ones, and a quarter of the buffers is filled at a time,
// so that what they bring can be kept. A buffer that is not full in time does not count: slow
// clients do not hold up others.
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
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/body_stream.h"
#include "queue/spool/segments.h"
#include "queue/window.h"

namespace outbox::queue {

class Log;

// One buffer of a stream: free, being filled, waiting for a place, being written, or kept.
struct StreamBuffer {
  uint32_t index = 0;
  std::span<char> memory;
  BodyStream* stream = nullptr;  // until it is written; null: aborted, or nobody's
  uint32_t length = 0;
  uint32_t piece = 0;  // which extent of the stream
  Extent extent;       // while it is written or kept
  uint32_t leases = 0;
  bool kept = false;
  int64_t since_ns = 0;  // it is filled, or kept
  core::ListLink link;   // while it is filled; while it is kept, and not lent
};

class StreamWriter {
 public:
  explicit StreamWriter(Log* log) : log_(log) {}
  ~StreamWriter();

  bool Begin(BodyStream* stream);
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
  Window Lease(const Extent& extent);
  bool Owns(uint32_t name) const { return (name & kMark) != 0; }
  void Return(uint32_t name);
  uint32_t leases() const { return leases_; }
  uint64_t leased_bytes() const;

 private:
  friend class BodyStream;

  // Tells a window of ours from one of the hot tail; the fetcher's have another.
  static constexpr uint32_t kMark = 1u << 30;
  // Pieces of one write, which lie side by side: a megabyte.
  static constexpr size_t kGatherMax = 4;
  static constexpr int64_t kKeepNs = core::kStreamKeepMs * core::kNsPerMs;

  using WaitingList = core::IntrusiveList<BodyStream, &BodyStream::link_>;
  using BufferList = core::IntrusiveList<StreamBuffer, &StreamBuffer::link>;

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
  bool MayFill(const BodyStream& stream);
  void StopFilling(StreamBuffer* buffer);
  StreamBuffer* TakeBuffer();
  bool Grow();
  uint32_t PieceBytes() const;
  void FreeBuffer(StreamBuffer* buffer);
  void Keep(StreamBuffer* buffer);
  // REQUIRES: !kept_.empty().
  int64_t KeptUntilNs();
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
  std::vector<AlignedBuffer> memory_;
  std::vector<std::unique_ptr<StreamBuffer>> buffers_;
  std::vector<StreamBuffer*> free_;  // the last used last: it is in the cache
  BufferList filling_;               // for less than kKeepNs, the oldest first
  uint32_t filling_count_ = 0;
  BufferList lent_before_;     // kept, and lent once already; the last one first
  BufferList kept_;            // and not, the oldest first
  uint32_t kept_in_vain_ = 0;  // since one was asked for
  std::deque<StreamBuffer*> waiting_place_;
  std::vector<std::unique_ptr<Write>> writes_;
  std::vector<Write*> free_writes_;
  WaitingList ending_;          // to be finished, or to be told that they have failed
  WaitingList begun_;           // for their next buffer
  WaitingList new_;             // for their first
  Segment* segment_ = nullptr;  // that takes extents now
  uint32_t offset_ = 0;
  uint32_t leases_ = 0;
  uint32_t leased_ = 0;     // buffers
  uint32_t in_flight_ = 0;  // writes
  uint32_t active_ = 0;
  int64_t wake_ns_ = core::kNever;  // a buffer, or a stream's turn, comes by time then
  bool blocked_ = false;            // there was no segment to write to
  bool due_ = false;  // something has become free, or a stream waits, since the last Tick
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_
