// StreamWriter: writes the bodies of big messages into extents while they arrive (body_stream.h).
#ifndef OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_
#define OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "core/intrusive_list.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/body_stream.h"
#include "queue/spool/segments.h"

namespace outbox::queue {

class Log;

// One buffer of a stream: being filled, waiting for a place, or being written.
struct StreamBuffer {
  StreamWriter* writer = nullptr;
  AlignedBuffer memory;
  BodyStream* stream = nullptr;  // null: aborted, or the buffer is free
  uint32_t length = 0;
  uint32_t piece = 0;  // which extent of the stream
  Segment* segment = nullptr;
  Extent extent;
  iovec part = {};
  io::Op op;
  void OnWritten(const io::OpResult& result);
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
  // Something for Tick to do that no completion announces.
  bool due() const { return due_; }

  // The extents of a finished stream belong to a committed message now.
  void Claimed(BodyStream* stream);
  // The extents, still counted as live, are the caller's now; the stream has none any more.
  std::vector<Extent> TakeExtents(BodyStream* stream) {
    return std::exchange(stream->extents_, {});
  }

 private:
  friend class BodyStream;
  friend struct StreamBuffer;

  void Full(BodyStream* stream);  // filling_ is full, or the last one
  void Aborted(BodyStream* stream);
  bool Refill(BodyStream* stream);
  StreamBuffer* TakeBuffer();
  void FreeBuffer(StreamBuffer* buffer);
  bool Place(StreamBuffer* buffer);
  void OnWritten(StreamBuffer* buffer, int32_t result);
  void FailStream(BodyStream* stream, const core::Status& status);
  void End(BodyStream* stream);

  Log* log_;
  std::vector<std::unique_ptr<StreamBuffer>> buffers_;
  std::vector<StreamBuffer*> free_;  // the last used last: it is in the cache
  std::deque<StreamBuffer*> waiting_place_;
  core::IntrusiveList<BodyStream, &BodyStream::link_> waiting_;  // for a buffer, or to be finished
  Segment* segment_ = nullptr;                                   // that takes extents now
  uint32_t offset_ = 0;
  uint32_t in_flight_ = 0;
  uint32_t active_ = 0;
  bool due_ = false;  // a buffer has become free, or a stream waits, since the last Tick
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_STREAM_WRITER_H_
