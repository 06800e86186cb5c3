// Fetcher: reads parts of messages from disk into a bounded number of buffers and lends these.
//
// A fetch waits in order when all buffers are out, and knows its message by id only: the message
// may be finished and its slot be another's when a buffer comes. While its read is in flight the
// segment is pinned: it is not retired, so what arrives is what was asked for, whatever became of
// the message.
#ifndef OUTBOX_QUEUE_SPOOL_FETCHER_H_
#define OUTBOX_QUEUE_SPOOL_FETCHER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/intrusive_list.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segments.h"
#include "queue/store.h"

namespace outbox::queue {

class Log;

class Fetcher {
 public:
  explicit Fetcher(Log* log) : log_(log) {}
  ~Fetcher();

  void Fetch(FetchOp* op);
  void Cancel(FetchOp* op);
  // Starts what waits, completes what could not be started. Callbacks.
  void Tick();
  bool Owns(uint32_t buffer) const { return (buffer & kMark) != 0; }
  void Return(uint32_t buffer);
  void Abandon();
  bool idle() const { return waiting_.empty() && in_flight_ == 0; }
  // Something for Tick to do.
  bool due() const { return !waiting_.empty() && (free_ > 0 || CanGrow() || cancelled_); }
  uint32_t lent() const { return lent_; }

 private:
  // Tells a fetch buffer's window from one of the hot tail.
  static constexpr uint32_t kMark = 1u << 31;
  // What FetchOp::scratch holds.
  static constexpr int kCancelled = 0;  // while it waits
  static constexpr int kId = 1;         // of the message

  struct Buffer {
    Fetcher* fetcher = nullptr;
    uint32_t index = 0;
    AlignedBuffer memory;      // while it is out, and of some that are free
    FetchOp* fetch = nullptr;  // whose read is in flight
    bool in_use = false;
    bool cancelled = false;
    Segment* segment = nullptr;
    uint64_t offset = 0;  // of the read
    uint32_t start = 0;   // of what is wanted, in the segment
    uint32_t length = 0;
    io::Op op;
    void OnRead(const io::OpResult& result) { fetcher->OnRead(this, result); }
  };

  bool CanGrow() const;
  Buffer* TakeBuffer();
  void Free(Buffer* buffer);
  // Where the part lies now, as buffer->segment, start and length. False: nowhere.
  bool Locate(const FetchOp& op, Buffer* buffer);
  void Start(FetchOp* op, Buffer* buffer);
  void OnRead(Buffer* buffer, const io::OpResult& result);
  core::Status Check(const Buffer& buffer, const FetchOp& op, int32_t result, Window* window) const;
  void Finish(FetchOp* op, const core::Status& status, Window window);

  Log* log_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  uint32_t free_ = 0;
  uint32_t with_memory_ = 0;  // buffers, those that are out among them
  uint32_t in_flight_ = 0;
  uint32_t lent_ = 0;
  bool cancelled_ = false;  // some of those that wait
  core::IntrusiveList<FetchOp, &FetchOp::link> waiting_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_FETCHER_H_
