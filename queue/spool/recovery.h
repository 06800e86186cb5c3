// Recovery: finds what lives in the log, newest segment first.
//
// First all headers are read, then segment by segment, each by its index or, where there is none,
// by its batches. Going backwards, the first copy of a message that shows up is its newest, and the
// first state; a message whose done entry has shown up is dead. So a live message is reported as
// soon as it is seen and can be delivered while older segments are still being read. The one
// exception is a message that reclaim has moved: its state may be older than its copy, so it waits
// for it.
//
// Nothing of what is found is written to: the log goes on in a fresh segment.
#ifndef OUTBOX_QUEUE_SPOOL_RECOVERY_H_
#define OUTBOX_QUEUE_SPOOL_RECOVERY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segment_scan.h"
#include "queue/spool/segments.h"
#include "queue/store.h"

namespace outbox::queue {

class Log;

class Recovery {
 public:
  explicit Recovery(Log* log);
  ~Recovery() { CHECK(!reading_); }

  void Start();
  // Reports a bounded number of what was found.
  void Tick();
  bool due() const { return phase_ == Phase::kEntries && !reading_; }
  bool finished() const { return phase_ == Phase::kFinished; }
  void Abandon() { reading_ = false; }
  bool busy() const { return reading_; }
  // No more steps; an operation in flight ends by itself.
  void Stop() { stopped_ = true; }

  // A done entry of a message has been staged while recovery goes on: older copies that it does not
  // guard (generations, 8 bytes each) may still show up.
  void NoteDone(uint64_t id, std::span<const char> generations);

 private:
  enum class Phase : uint8_t { kIdle, kHeaders, kSegments, kEntries, kFinished };
  using Step = void (Recovery::*)(int32_t);
  struct FoundState {
    RecordPlace place;
    std::string bytes;
  };
  struct Moved {
    Message* message = nullptr;
    std::string meta;
  };
  struct DoneNode {
    uint64_t generation = 0;
    uint32_t next = UINT32_MAX;
  };

  void OnDone(const io::OpResult& result);
  void Expect(Step step);
  void OnDirectory(int32_t result);
  void OnParentSynced(int32_t result);
  void OnListed(int32_t result);
  void NextFile();
  void OpenFile(const std::string& name);
  void OnOpened(int32_t result);
  void OnHeader(int32_t result);
  void ReadWhole();
  void OnWhole(int32_t result);
  void Classify(std::span<const char> whole);
  void Remove();
  void OnClosed(int32_t result);
  void HeadersRead();
  void NextSegment();
  void OnFooter(int32_t result);
  void OnIndex(int32_t result);
  void Found(SegmentContents contents);
  void BecomeWritable();
  void Finish();
  void Fail(core::Status status);

  void TakeEntry(const EntryRef& entry);
  void TakeDone(const EntryRef& entry);
  void TakeState(const EntryRef& entry);
  void TakeMessage(const EntryRef& entry);
  void AddDone(uint64_t id, uint64_t generation);
  bool Guarded(uint64_t id, uint64_t generation) const;
  void CountExtents(const MetaView& meta);
  bool Holds(const EntryRef& entry);
  void Report(Message* message, const MetaView& meta, const RecordPlace* place,
              std::span<const char> state);

  Log* log_;
  Phase phase_ = Phase::kIdle;
  bool reading_ = false;
  bool stopped_ = false;
  io::Op op_;
  Step step_ = nullptr;
  std::vector<io::FileInfo> files_;
  size_t next_file_ = 0;
  Segment* segment_ = nullptr;
  AlignedBuffer bytes_;
  size_t read_ = 0;
  uint64_t mark_generation_ = 0;
  bool mark_found_ = false;
  bool whole_for_header_ = false;
  bool header_unreadable_ = false;
  uint32_t tries_ = 0;       // of the read under way
  uint32_t unreadable_ = 0;  // blocks of the segment
  uint64_t generation_max_ = 0;
  std::vector<Segment*> order_;  // log segments, newest first
  size_t next_segment_ = 0;
  Footer footer_;
  SegmentContents contents_;
  size_t entries_left_ = 0;
  // Where the log was durable in segments that are still to be read.
  absl::flat_hash_map<uint64_t, uint32_t> durable_;
  absl::flat_hash_map<uint64_t, uint32_t> done_;  // id -> done_nodes_: generations that are guarded
  std::vector<DoneNode> done_nodes_;
  absl::flat_hash_map<uint64_t, FoundState> states_;
  absl::flat_hash_map<uint64_t, uint32_t> moved_index_;
  std::vector<Moved> moved_;  // in the order found; message null when it is reported or over
  RecoveryReport report_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_RECOVERY_H_
