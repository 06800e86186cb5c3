// Writer: puts entries into records, records into batches, batches onto the disk; one batch is in
// flight, the next one gathers.
//
// What is asked for waits in queues, in order, and is *staged* by Tick: encoded once, at its final
// place, into the gathering batch. When the batch in flight has completed, its operations are
// applied (live counts, places of messages) and called back in log order, and the gathering batch
// is written. When it fails, the segment is sealed as suspect: appends fail, state and done entries
// are staged again elsewhere, and what may be on the disk of the failed ones is guarded like a copy
// of a done message.
#ifndef OUTBOX_QUEUE_SPOOL_WRITER_H_
#define OUTBOX_QUEUE_SPOOL_WRITER_H_

#include <cstdint>
#include <vector>

#include "core/intrusive_list.h"
#include "queue/spool/hot_tail.h"
#include "queue/spool/segment_scan.h"
#include "queue/spool/segments.h"
#include "queue/store.h"

namespace outbox::queue {

class Log;

class Writer {
 public:
  explicit Writer(Log* log);
  ~Writer();

  void Append(AppendOp* op);
  void Commit(CommitOp* op);
  void Done(Message* message);
  // A copy of a message that must not come back lies in this use of the segment.
  void Ghost(uint64_t id, uint32_t segment, uint64_t generation);
  // Reclaim: write this entry again, if it is still what counts when it is staged. `data` stays in
  // place until moves_waiting() is 0.
  struct Move {
    EntryType type = EntryType::kMessage;
    uint64_t id = 0;
    RecordPlace from;
    std::span<const char> data;
    RecordPlace to;
    // Of a message whose body was moved: where `data` says that it lies now. Emptied when the
    // message has them, or when a write that failed may have left a record that names them.
    std::vector<Extent>* extents = nullptr;
  };
  void AddMove(const Move& move);
  uint32_t moves_waiting() const { return moves_waiting_; }
  uint32_t move_failures() const { return move_failures_; }
  uint32_t ghosts_waiting() const { return static_cast<uint32_t>(ghosts_.size()) + ghosts_staged_; }

  void Tick(int64_t now_ns);
  int64_t NextDeadline() const;
  // Everything counts as urgent until it is idle.
  void set_hurry(bool hurry) { hurry_ = hurry; }
  // Nothing waits, gathers or is in flight.
  bool idle() const;
  // Fails what waits for space, when none will come.
  void FailWaiting(const core::Status& status);
  void Abandon();
  bool blocked_for_space() const { return blocked_for_space_; }

  // The largest sum of an entry's or a commit's data that fits a record.
  uint32_t record_max() const { return record_max_; }
  const Segment* active() const { return active_; }
  // Of active(): what is staged there, whether or not it is on the disk already.
  const IndexBuilder& index() const { return index_; }
  bool resting() const { return resting_until_ns_ != 0; }

 private:
  using AppendList = core::IntrusiveList<AppendOp, &AppendOp::link>;
  using CommitList = core::IntrusiveList<CommitOp, &CommitOp::link>;
  struct GhostEntry {
    uint64_t id = 0;
    uint32_t segment = 0;
    uint64_t generation = 0;
  };
  struct Guarded {
    uint32_t segment = 0;
    uint64_t generation = 0;
  };
  struct Batch {
    bool open = false;
    bool urgent = false;
    bool full = false;
    Arena* arena = nullptr;
    char* at = nullptr;  // the batch's first byte in the arena
    Segment* segment = nullptr;
    uint32_t offset = 0;
    uint32_t bytes = 0;  // header and records
    uint32_t records = 0;
    uint32_t mails = 0;  // of them
    uint32_t move_bytes = 0;
    AppendList appends;
    CommitList commits;
    std::vector<Message*> dones;
    std::vector<GhostEntry> ghosts;
    std::vector<Guarded> guards;
    std::vector<Move> moves;
  };
  enum class Room : uint8_t { kOk, kLater, kNoSpace };
  // One record that is being staged.
  struct RecordWriter {
    char* start = nullptr;
    uint32_t offset = 0;
    uint32_t used = 0;  // of the entries
    uint32_t entries = 0;
    uint32_t crc = 0;
  };

  bool WaitsForMore(int64_t now_ns);
  void Stage();
  bool StageCommits();
  bool WaitsForItself(const CommitOp& op) const;
  bool StageDones();
  bool StageAppends();
  bool StageMoves();
  Room StageAppend(AppendOp* op);
  Room StageCommit(CommitOp* op);
  void StageNew(RecordWriter* record, const CommitOp::NewMessage& fresh);
  // Makes room for a record whose entries take `entry_bytes`, with `index_bytes` in the index.
  Room MakeRoom(uint32_t entry_bytes, uint32_t index_bytes, bool for_mail);
  bool Fits(const Segment& segment, uint32_t offset, uint32_t bytes, uint32_t index_bytes) const;
  bool OpenBatch(uint32_t bytes, uint32_t index_bytes, bool for_mail, Room* why);
  void Rotate(Segment* next);
  RecordWriter BeginRecord();
  char* EntryData(RecordWriter* record) const;
  // Adds the entry whose data lies at EntryData(); returns its place.
  RecordPlace AddEntry(RecordWriter* record, EntryType type, uint64_t id, uint32_t bytes,
                       uint32_t index_data_bytes);
  void EndRecord(const RecordWriter& record);
  uint32_t PutGuards(char* at, const Message& message);
  uint32_t GuardBytesMax() const;
  bool MoveNeeded(const Move& move);

  void StartWrite();
  void OnWritten(const io::OpResult& result);
  void Apply();
  void ApplyCommit(CommitOp* op, uint32_t segment);
  Message* ApplyNew(std::span<const char> meta, const RecordPlace& place, bool shares_body);
  void ApplyState(Message* message, const RecordPlace& place);
  void ApplyMove(const Move& move);
  void Fail(int32_t result);
  void FailAppend(AppendOp* op, const core::Status& status);
  void FailCommit(CommitOp* op, const core::Status& status);
  // Takes back what is staged: it is staged again later.
  void Unstage(Batch* batch);
  void Release(CommitOp* op);
  void CloseBatch(Batch* batch);

  Log* log_;
  uint32_t record_max_;
  AppendList appends_;
  CommitList commits_;
  std::vector<Message*> dones_;
  std::vector<GhostEntry> ghosts_;
  std::vector<Move> moves_;
  uint32_t ghosts_staged_ = 0;
  uint32_t moves_waiting_ = 0;
  uint32_t move_failures_ = 0;
  uint32_t urgent_waiting_ = 0;
  int64_t lazy_since_ns_ = 0;  // 0: nothing lazy waits
  bool hurry_ = false;
  bool blocked_for_space_ = false;

  Segment* active_ = nullptr;
  Segment* to_seal_ = nullptr;  // full; sealed when its last batch has completed
  uint32_t next_offset_ = 0;    // of the next batch in active_
  Arena* arena_ = nullptr;      // that mirrors active_ up to next_offset_
  IndexBuilder index_;          // of active_
  IndexBuilder seal_index_;     // of to_seal_
  Batch batches_[2];
  Batch* gather_ = &batches_[0];
  Batch* flight_ = &batches_[1];
  bool in_flight_ = false;
  io::Op op_;
  iovec part_ = {};
  uint64_t durable_generation_ = 0;
  uint32_t durable_offset_ = 0;
  uint32_t errors_in_row_ = 0;
  int64_t resting_until_ns_ = 0;
  int64_t write_began_ns_ = 0;
  int64_t last_write_ns_ = 0;  // how long it took
  uint32_t last_mails_ = 0;
  int64_t gather_until_ns_ = 0;  // 0: the gathering batch does not wait
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_WRITER_H_
