// Store: one durable log of messages, on top of io::Io.
//
// A store makes messages durable (Append), records what becomes of them (Commit, Done), lends their
// bytes (Lease, Fetch), finds everything again after a crash (Open) and keeps its disk use bounded
// (reclaim, by itself). docs/architecture.md, "The spool", says how; docs/spool-format.md has the
// bytes.
//
// Lifecycle: constructed -> Open (recovery goes on in Turn and Tick) -> writable as soon as the
// headers have been read, usually before recovery is finished -> Close -> closed -> destroyed.
// Owned by a shard; every call on that shard's thread. A shard has one store for its own new mail
// and may have others *adopted* from an earlier number of shards: these take no new mail (Append
// fails; DSNs through Commit are taken).
//
// The shard calls Tick() once a turn, after the completions and before Turn(): what was started in
// one turn is then written together. It passes min(..., NextDeadline()) to Turn.
//
// Every op (AppendOp, CommitOp, FetchOp) is embedded in its owner, stays in place with all memory
// it names until its callback, which comes exactly once and never inside the call that started it.
// An op may be started again from its own callback.
#ifndef OUTBOX_QUEUE_STORE_H_
#define OUTBOX_QUEUE_STORE_H_

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/duration_histogram.h"
#include "core/intrusive_list.h"
#include "core/limits.h"
#include "core/status.h"
#include "io/io.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/spool/body_stream.h"
#include "queue/window.h"

namespace outbox::queue {

// Where an entry is, in one word, so that Message stays small.
class RecordPlace {
 public:
  RecordPlace() = default;
  // `segment`: the store's number of it. REQUIRES: Holds.
  RecordPlace(uint32_t segment, uint32_t offset, uint32_t length)
      : segment_(segment & core::kSegmentsPerLog),
        offset_units_(offset / kUnit & kOffsetMask),
        length_(length & kLengthMask) {
    CHECK(Holds(segment, offset, length));
  }
  // False only for what no log writes: an entry begins on 8 bytes, lies in a segment of 1 GiB at
  // most, and in a record of core::kRecordBytesMax.
  static bool Holds(uint32_t segment, uint32_t offset, uint32_t length) {
    return segment < core::kSegmentsPerLog && offset % kUnit == 0 &&
           offset / kUnit <= kOffsetMask && length <= kLengthMask;
  }

  bool set() const { return segment_ != core::kSegmentsPerLog; }
  uint32_t segment() const { return static_cast<uint32_t>(segment_); }
  uint32_t offset() const { return static_cast<uint32_t>(offset_units_) * kUnit; }
  uint32_t length() const { return static_cast<uint32_t>(length_); }
  bool operator==(const RecordPlace&) const = default;

 private:
  static constexpr uint32_t kUnit = 8;
  static constexpr int kSegmentBits = 18;
  static constexpr int kOffsetBits = 27;
  static constexpr int kLengthBits = 19;
  static constexpr uint32_t kOffsetMask = (1u << kOffsetBits) - 1;
  static constexpr uint32_t kLengthMask = (1u << kLengthBits) - 1;
  static_assert(core::kSegmentsPerLog == (1u << kSegmentBits) - 1);
  static_assert(core::kSegmentBytesMax == uint64_t{kUnit} << kOffsetBits);
  static_assert(core::kRecordBytesMax <= kLengthMask);

  uint64_t segment_ : kSegmentBits = core::kSegmentsPerLog;  // that: none
  uint64_t offset_units_ : kOffsetBits = 0;
  uint64_t length_ : kLengthBits = 0;
};
static_assert(sizeof(RecordPlace) == 8);

// Home's handle of a live message: one cache line in a slab, no strings. Made by the store when the
// message is committed or recovered; freed by the store when its done entry is committed.
struct alignas(64) Message {
  // The index of no message (Store::IndexOf).
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  // What home needs to make the ticket of a message that it keeps back (queue/shelf.h); the rest is
  // in `home`.
  struct Note {
    uint32_t next = kNoIndex;  // on the shelf
    uint32_t size_bytes = 0;
    int32_t accepted = 0;  // steady time of acceptance, in units of its own
    uint32_t reply = 0;    // in home's ReplyTable
    uint16_t sender = 0;
    uint16_t attempts = 0;
  };

  // It is on a shelf: `home` is no ticket, but its place there (queue/shelf.cc).
  bool shelved() const { return (reinterpret_cast<uintptr_t>(home) & 1) != 0; }

  uint64_t id = 0;
  // --- home's own; the store sets pending (to the number of recipients that are not final), else 0
  // ---
  void* home = nullptr;  // home's ticket list or whatever it hangs here
  uint16_t pending = 0;
  uint8_t policy = 0;
  uint8_t flags = 0;  // kFlag... of message_meta.h; set by the store
  // --- the store's own: do not touch ---
  uint8_t meta_units = 0;  // size of its meta in kMetaUnit bytes, rounded up; the highest: or more
  uint8_t staged = 0;  // state and done entries of it on their way to the disk
  uint8_t queued = 0;
  bool recovered = false;  // home's: it was there when this run began
  RecordPlace place;  // the record with its message entry
  RecordPlace state;  // the record with its newest state entry
  uint32_t next = 0;  // in its hash bucket
  // --- home's again ---
  Note note;
};
static_assert(sizeof(Message) == 64);
inline constexpr uint32_t kMetaUnit = 32;

// A new message. In log order: callbacks of appends come in the order in which they were started.
struct AppendOp {
  using Callback = void (*)(AppendOp* op, const core::Status& status, Message* message);
  // op.Bind<&Transaction::OnAppended>(this):  void OnAppended(const core::Status&, Message*);
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](AppendOp* op, const core::Status& status, Message* message) {
      (static_cast<Owner*>(op->owner)->*Method)(status, message);
    };
  }

  std::span<const char> meta;    // MetaBuilder::Finish; stays in place until the callback
  std::span<const iovec> body;   // inline body, wire form; empty with `stream`
  BodyStream* stream = nullptr;  // finished, its extents in `meta`; belongs to the message on
                                 // success, and must be aborted by its owner on failure
  void* owner = nullptr;
  Callback done = nullptr;
  bool in_flight = false;

  core::ListLink link;       // the store's, while in flight
  uint64_t scratch[4] = {};  // likewise
};

// One atomic record: all of it survives a crash or nothing.
struct CommitOp {
  struct State {
    Message* message = nullptr;
    std::span<const char> state;  // StateBuilder::Finish
  };
  struct NewMessage {  // a DSN, or what takes the place of a message
    std::span<const char> meta;
    std::span<const iovec> body;
    Message* message = nullptr;        // set before the callback, on success
    std::span<const char> state = {};  // its first one; empty: untouched
    // Its body lies in the extents of this live message, which must be among `states` or `done`.
    // Each of the two keeps them for as long as it lives. Those in `meta` are of any time.
    const Message* body_of = nullptr;
  };
  using Callback = void (*)(CommitOp* op, const core::Status& status);
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    callback = [](CommitOp* op, const core::Status& status) {
      (static_cast<Owner*>(op->owner)->*Method)(status);
    };
  }

  std::span<const State> states;
  // Finished messages. Home forgets them with the call; on success they are gone before the
  // callback, on failure they are home's again.
  std::span<Message* const> done;
  std::span<NewMessage> messages;
  // Rides with the next batch, at the latest kLazyCommitDelayMs later.
  bool lazy = false;
  void* owner = nullptr;
  Callback callback = nullptr;
  bool in_flight = false;

  core::ListLink link;       // the store's, while in flight
  uint64_t scratch[4] = {};  // likewise
};

// Fetches a part of a message from disk. `part`: 0 is the record (meta, with the prefix inside,
// then the inline body), 1..n the extents of the body in order, kPartState the newest state
// snapshot.
//
// The message may be finished meanwhile (Done, CommitOp::done): a read that is under way still ends
// with the bytes, since its segment is kept until then; one that has not begun ends with kNotFound.
struct FetchOp {
  static constexpr uint32_t kPartState = UINT32_MAX;
  // The window goes back with Store::Return. kDataLoss: the record is damaged on disk. kNotFound:
  // the message has no such part, or is gone.
  using Callback = void (*)(FetchOp* op, const core::Status& status, Window window);
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](FetchOp* op, const core::Status& status, Window window) {
      (static_cast<Owner*>(op->owner)->*Method)(status, window);
    };
  }

  Message* message = nullptr;  // live when Fetch is called; not looked at afterwards
  uint32_t part = 0;
  // part >= 1: which extent, from the meta that the caller holds (MetaView::extent(part - 1)). When
  // reclaim has moved the body since, the piece is found nevertheless.
  Extent extent;
  void* owner = nullptr;
  Callback done = nullptr;
  bool in_flight = false;

  core::ListLink link;       // the store's, while in flight
  uint64_t scratch[4] = {};  // likewise
};

struct StoreOptions {
  std::string directory;  // the log's own: spool/log-<id>; made if missing (its parent not)
  uint32_t log_id = 0;    // below 1024
  bool adopted = false;   // takes no new mail
  bool direct = true;     // O_DIRECT; false for file systems without it
  uint64_t segment_bytes = 32u << 20;  // of new segments; existing logs keep theirs. Block multiple
  uint64_t max_bytes = UINT64_MAX;     // bound of the log's disk use
  uint64_t disk_reserve_bytes = 256u << 20;  // of the file system, that we leave to others
  uint32_t reserve_segments = 3;             // for state and reclaim only
  uint32_t spare_segments = 2;               // made ahead of need
  uint32_t batch_bytes_max = 2u << 20;       // of one write, and of one hot buffer. Block multiple
  uint64_t hot_bytes_max = 64u << 20;        // memory of the hot tail
  uint32_t fetch_buffers = 64;               // windows of cold mail at a time
  uint32_t stream_buffers = 64;              // of kExtentBytesMax, for all BodyStreams together
  core::DurationHistogram* commit_time = nullptr;  // where commits that succeeded are noted
};

struct StoreStats {
  uint64_t commits = 0;  // batches written
  uint64_t records = 0;
  uint64_t bytes_written = 0;
  uint64_t commit_errors = 0;
  uint64_t messages = 0;     // live
  uint64_t live_bytes = 0;   // of live records, newest states and extents
  uint64_t spool_bytes = 0;  // disk use: all segment files
  uint64_t segments = 0;
  uint64_t segments_free = 0;
  uint64_t hot_bytes = 0;    // memory of the hot tail that leases hold
  uint64_t moved_bytes = 0;  // by reclaim
  uint64_t moved_bodies = 0;
  uint64_t damages = 0;      // reported since the start
};

struct RecoveryReport {
  uint64_t messages = 0;
  uint64_t damages = 0;
  uint64_t torn_records = 0;  // cut: above the durable position
  uint32_t segments_read = 0;
  uint32_t indexes_read = 0;
};

// Who hears what recovery finds. Called from Turn and Tick, never inside Open.
class RecoverySink {
 public:
  virtual ~RecoverySink() = default;
  // A live message with its newest state. Views are valid during the call only. The message may be
  // delivered from now on (Commit, Done, Fetch). In no particular order but newest segment first.
  virtual void OnMessage(Message* message, const MetaView& meta, const StateView& state) = 0;
  // Something durable is damaged; a sentence for the operator. May come later, too (reclaim).
  virtual void OnDamage(std::string_view what) = 0;
  // Headers are read; new mail is taken if accepting() (or the log cannot be opened: nothing else
  // comes).
  virtual void OnWritable(const core::Status& status) = 0;
  // All live messages have been reported.
  virtual void OnRecovered(const RecoveryReport& report) = 0;
};

class IndexReader;  // queue/spool/index_reader.h: the metas of a whole segment
class Log;          // queue/spool/log.h

class Store {
 public:
  Store(io::Io* io, const StoreOptions& options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  // REQUIRES: never opened, or closed; all windows returned.
  ~Store();

  void Open(RecoverySink* sink);
  // Commits everything that was started, lazy or not, then calls `done`. The status is the first
  // error. At most one Flush at a time.
  void Flush(std::function<void(const core::Status&)> done);
  // Flushes, waits for what is in flight, closes the files. REQUIRES: no stream active.
  void Close(std::function<void(const core::Status&)> done);

  // For simulations, after a power failure: forgets everything that was started; no callback comes
  // any more, and the destructor asks for nothing.
  void Abandon();

  // Stages what waits, writes if something is urgent or due, goes on with recovery and reclaim
  // (bounded work).
  void Tick();
  // Steady time of the next Tick that is needed though nothing completes; kNever if none.
  int64_t NextDeadline() const;

  // --- Writing -----------------------------------------------------------------------------------

  // An id that was never used and never will be, in any log. REQUIRES: writable.
  uint64_t NewId();
  // False: say 452 (or 451 when status() is an I/O error). At the disk's reserve, when no segment
  // can be written, before Open has read the headers, in an adopted log, after Close. Changes back
  // by itself.
  bool accepting() const;
  // Why accepting() is false; ok otherwise.
  core::Status status() const;
  // Fails with kResourceExhausted (452), kIoError (451), kInvalidArgument (record above
  // kRecordBytesMax: too many recipients for one message).
  void Append(AppendOp* op);
  void Commit(CommitOp* op);
  // The end of a message whose recipients are all final and need no more words: a lazy done entry.
  // The message is no longer home's. Survives failed writes (goes into another segment).
  void Done(Message* message);

  // --- Big bodies --------------------------------------------------------------------------------

  // False when not accepting, or when core::kStreamsPerLog are active: 452. The stream's room() may
  // be empty at first, when others have all buffers, or have been promised them: OnRoom follows.
  // expected_bytes: a guess at its length, of which nothing but its turn depends; 0: none.
  // REQUIRES: stream idle and bound.
  bool BeginStream(BodyStream* stream, uint64_t expected_bytes);

  // --- Reading -----------------------------------------------------------------------------------

  // Lends the message's record from the hot tail, if it is still in memory. Part 0.
  Window Lease(const Message* message);
  // Lends a piece of a big message's body, if it has been written lately and is still in memory.
  Window LeaseExtent(const Extent& extent);
  void Fetch(FetchOp* op);
  // Completes with kCancelled, at once or when the read in flight ends.
  void CancelFetch(FetchOp* op);
  void Return(const Window& window);

  // --- Looking -----------------------------------------------------------------------------------

  Message* Find(uint64_t id);
  // A live message by 32 bits instead of an address, until it is finished.
  static uint32_t IndexOf(const Message* message);
  Message* At(uint32_t index);
  // Visits live messages, at most `max` slots from `*cursor` (start with 0). False at the end.
  // Messages that come and go meanwhile are seen or not; every other one exactly once.
  bool ForEach(uint32_t* cursor, uint32_t max, const std::function<void(Message*)>& visit);
  StoreStats stats() const;
  const StoreOptions& options() const;
  bool recovered() const;

 private:
  friend class BodyStream;
  friend class IndexReader;
  std::unique_ptr<Log> log_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_STORE_H_
