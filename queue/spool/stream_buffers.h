// StreamBuffers: the memory in which the bodies of big messages arrive (stream_writer.h), from
// which they are written, and from which they are sent for as long as nobody else needs it.
//
// A fixed number of buffers for all streams of a log. One that has been written is *kept*, since
// its message is usually sent within milliseconds. It makes room for others once it has been lent
// and given back. One that nobody has asked for yet makes room after core::kStreamKeepMs: mail that
// comes faster than it goes is slowed down a little instead of being read back from the disk. While
// nothing of what comes is sent at all, nobody waits. What makes room can still be lent, until it
// is taken. A quarter is never lent: peers that are slow do not stop streams.
#ifndef OUTBOX_QUEUE_SPOOL_STREAM_BUFFERS_H_
#define OUTBOX_QUEUE_SPOOL_STREAM_BUFFERS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/intrusive_list.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/message_meta.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/window.h"

namespace outbox::queue {

class BodyStream;

// One of them: free, being filled, waiting for a place, being written, or kept.
struct StreamBuffer {
  uint32_t index = 0;
  std::span<char> memory;
  BodyStream* stream = nullptr;  // until it is written; null: aborted, or nobody's
  uint32_t length = 0;
  uint32_t piece = 0;  // which extent of the stream
  Extent extent;       // while it is written or kept
  uint32_t leases = 0;
  bool kept = false;
  bool makes_room = false;  // kept, and may be taken now
  int64_t since_ns = 0;     // it is filled, or kept
  core::ListLink link;      // while it is filled; while it is kept, and not lent
};

using StreamBufferList = core::IntrusiveList<StreamBuffer, &StreamBuffer::link>;

class StreamBuffers {
 public:
  // count: at most; memory is taken as it is needed. piece_bytes: of one, a multiple of kBlock.
  StreamBuffers(uint32_t count, uint32_t piece_bytes) : count_(count), piece_bytes_(piece_bytes) {}
  // REQUIRES: none is lent.
  ~StreamBuffers();

  uint32_t piece_bytes() const { return piece_bytes_; }
  uint32_t never_lent() const { return std::max(1u, count_ / 4); }

  // Could so many be taken now, one after the other?
  bool HasRoomFor(uint32_t count, int64_t now_ns);
  // One to fill, null if all are needed. The caller's until Free or Keep.
  StreamBuffer* Take(int64_t now_ns);
  void Free(StreamBuffer* buffer);
  // It is written: extent says where.
  void Keep(StreamBuffer* buffer, int64_t now_ns);
  // When a kept one will make room by itself, after now_ns; kNever if none will.
  int64_t NextRoomNs(int64_t now_ns);
  // The stream is not any more; what it had is written all the same, and nobody's.
  void Forget(const BodyStream* stream);

  // Lends an extent that is still in memory; nothing if it is not.
  Window Lease(const Extent& extent);
  bool Owns(uint32_t name) const { return (name & kMark) != 0; }
  void Return(uint32_t name);
  uint32_t leases() const { return leases_; }
  uint64_t leased_bytes() const { return uint64_t{lent_} * piece_bytes_; }

  // After a crash in simulation: calls end(stream) for each stream that has one; no lease is left.
  template <typename End>
  void Abandon(End end) {
    for (const auto& buffer : buffers_) {
      if (BodyStream* stream = std::exchange(buffer->stream, nullptr)) end(stream);
    }
    leases_ = lent_ = 0;
  }

 private:
  // Tells a window of ours from one of the hot tail; the fetcher's have another.
  static constexpr uint32_t kMark = 1u << 30;
  static constexpr int64_t kKeepNs = core::kStreamKeepMs * core::kNsPerMs;

  uint32_t takeable() const;
  void Grow();
  // REQUIRES: !kept_.empty().
  int64_t KeptUntilNs();

  const uint32_t count_;
  const uint32_t piece_bytes_;
  std::vector<AlignedBuffer> memory_;
  std::vector<std::unique_ptr<StreamBuffer>> buffers_;
  std::vector<StreamBuffer*> free_;  // the last used last: it is in the cache
  StreamBufferList makes_room_;      // in this order
  uint32_t makes_room_count_ = 0;
  StreamBufferList kept_;      // and not lent yet, the oldest first
  uint32_t kept_in_vain_ = 0;  // since one was asked for
  uint32_t leases_ = 0;
  uint32_t lent_ = 0;  // buffers
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_STREAM_BUFFERS_H_
