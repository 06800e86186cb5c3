// IndexReader: the envelopes of all messages in one log segment, for who looks through the queue.
//
// Reading a million messages one by one would be a million small reads. The index of a segment has
// the metas of its messages without their bodies, in one place: its pieces are read at the same
// time, and it is checked as a whole before any of it is handed over. Of the segment that is being
// written to, the index is still in memory and is copied in pieces.
//
// Embedded in its owner, who calls Tick once a turn while wants_turn(), takes entries by Next when
// ready(), and goes on to another segment with Start. An index may name messages that are over, or
// copies that have moved: the owner asks the store what lives. Shard-local. At most
// core::kIndexReadersPerLog readers of a log have an index in memory at a time; another one waits
// for its turn, until one of them lets go.
#ifndef OUTBOX_QUEUE_SPOOL_INDEX_READER_H_
#define OUTBOX_QUEUE_SPOOL_INDEX_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/check.h"
#include "core/limits.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segment_scan.h"
#include "queue/store.h"

namespace outbox::queue {

struct Segment;

class IndexReader {
 public:
  IndexReader();
  IndexReader(const IndexReader&) = delete;
  IndexReader& operator=(const IndexReader&) = delete;
  // REQUIRES: !reading().
  ~IndexReader() { LetGo(); }

  // Begins with the index of a segment (RecordPlace::segment). REQUIRES: !reading(); it has let go
  // if it was another store's.
  void Start(Store* store, uint32_t segment);
  void Tick();
  // Frees the memory, for others. REQUIRES: !reading().
  void LetGo();

  bool idle() const { return step_ == Step::kIdle; }
  // Reads are in flight: only their completion brings anything further.
  bool reading() const { return reads_ > 0; }
  // Next may be called.
  bool ready() const { return step_ == Step::kReady; }
  // There is no index that can be used: the messages are to be read one by one.
  bool failed() const { return step_ == Step::kFailed; }
  // Tick has something to do.
  bool wants_turn() const;
  // It waits for others to let go.
  bool in_line() const { return in_line_; }
  // Readers of the log that do, if this one could help them.
  uint32_t line() const;
  // Whose index it is. REQUIRES: !idle().
  uint32_t segment() const { return segment_; }

  // The next entry of a message: its id and its meta, valid until the next Start. False at the end:
  // it is idle then. REQUIRES: ready().
  bool Next(EntryRef* entry);
  // After failed(): as at the end.
  void GiveUp() { step_ = Step::kIdle; }

 private:
  enum class Step : uint8_t { kIdle, kWaiting, kCopy, kFooter, kPieces, kCheck, kReady, kFailed };
  static constexpr size_t kPieceBytes = 1u << 20;
  static constexpr size_t kPieces = core::kIndexBytesMax / kPieceBytes;

  struct Piece {
    IndexReader* reader = nullptr;
    size_t bytes = 0;
    io::Op op;
    void OnRead(const io::OpResult& result) { reader->OnRead(this, result); }
  };

  bool Full() const;
  void SetInLine(bool in_line);
  void Begin();
  void Copy();
  void Check();
  void Read(Piece* piece, size_t offset, size_t bytes, uint64_t at);
  void OnRead(Piece* piece, const io::OpResult& result);
  void OnFooter(bool whole);
  void MakeRoom(size_t bytes);
  // The segment, if it is still the use that we began with; else null.
  Segment* Here();

  Log* log_ = nullptr;
  uint32_t segment_ = 0;
  uint64_t generation_ = 0;
  Step step_ = Step::kIdle;
  bool in_line_ = false;  // others have as many indexes as there may be
  bool counted_ = false;  // among them
  bool damaged_ = false;  // a piece of it could not be read
  AlignedBuffer bytes_;
  size_t done_ = 0;    // copied, or checked
  uint32_t size_ = 0;  // of the index
  uint32_t crc_ = 0;
  uint32_t at_ = 0;  // Next
  uint32_t reads_ = 0;
  Footer footer_;
  std::array<Piece, kPieces> pieces_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_INDEX_READER_H_
