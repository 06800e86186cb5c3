// IndexReader: the envelopes of all messages in one log segment, for who looks through the queue.
//
// Reading a million messages one by one would be a million small reads. The index of a segment has
// the metas of its messages without their bodies, in one place: it is read in pieces, one after
// another, and checked as a whole before any of it is handed over. Of the segment that is being
// written to, the index is still in memory and is copied in pieces.
//
// Embedded in its owner, who calls Tick once a turn while wants_turn(), and takes entries by Next
// when ready(). An index may name messages that are over, or copies that have moved: the owner asks
// the store what lives. Shard-local. At most core::kIndexReadersPerLog indexes of a log are in
// memory at a time; another reader waits for its turn.
#ifndef OUTBOX_QUEUE_SPOOL_INDEX_READER_H_
#define OUTBOX_QUEUE_SPOOL_INDEX_READER_H_

#include <cstddef>
#include <cstdint>

#include "core/check.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segment_scan.h"
#include "queue/store.h"

namespace outbox::queue {

struct Segment;

class IndexReader {
 public:
  IndexReader() { op_.Bind<&IndexReader::OnRead>(this); }
  IndexReader(const IndexReader&) = delete;
  IndexReader& operator=(const IndexReader&) = delete;
  // REQUIRES: !reading().
  ~IndexReader() { Stop(); }

  // Begins with the index of a segment (RecordPlace::segment). REQUIRES: idle().
  void Start(Store* store, uint32_t segment);
  void Tick();
  // Lets go of the index. REQUIRES: !reading().
  void Stop();

  bool idle() const { return step_ == Step::kIdle; }
  // A read is in flight: only its completion brings anything further.
  bool reading() const { return op_.in_flight; }
  // Next may be called.
  bool ready() const { return step_ == Step::kReady; }
  // There is no index that can be used: the messages are to be read one by one.
  bool failed() const { return step_ == Step::kFailed; }
  bool wants_turn() const { return !op_.in_flight && step_ != Step::kIdle && !in_line_; }

  // The next entry of a message: its id and its meta, valid until the next call of anything but
  // Next. False at the end. REQUIRES: ready().
  bool Next(EntryRef* entry);

 private:
  enum class Step : uint8_t { kIdle, kWaiting, kCopy, kFooter, kIndex, kReady, kFailed };

  void Begin();
  void Copy();
  void ReadPiece();
  void OnRead(const io::OpResult& result);
  void OnFooter(int32_t result);
  void OnPiece(int32_t result);
  void Finish(Step step);
  // The segment, if it is still the use that we began with; else null.
  Segment* Here();

  Log* log_ = nullptr;
  uint32_t segment_ = 0;
  uint64_t generation_ = 0;
  Step step_ = Step::kIdle;
  bool in_line_ = false;  // others have as many indexes as there may be
  bool counted_ = false;  // among them
  AlignedBuffer bytes_;
  size_t filled_ = 0;
  uint32_t size_ = 0;  // of the index
  uint32_t crc_ = 0;
  uint32_t at_ = 0;  // Next
  Footer footer_;
  io::Op op_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_INDEX_READER_H_
