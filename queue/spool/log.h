// Log: the parts of a store and what they share. Internal to queue/spool; the public face is
// queue/store.h.
#ifndef OUTBOX_QUEUE_SPOOL_LOG_H_
#define OUTBOX_QUEUE_SPOOL_LOG_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "queue/spool/extent_mover.h"
#include "queue/spool/fetcher.h"
#include "queue/spool/hot_tail.h"
#include "queue/spool/message_table.h"
#include "queue/spool/reclaimer.h"
#include "queue/spool/recovery.h"
#include "queue/spool/segment_pool.h"
#include "queue/spool/segments.h"
#include "queue/spool/stream_writer.h"
#include "queue/spool/writer.h"
#include "queue/store.h"

namespace outbox::queue {

class Log {
 public:
  Log(io::Io* the_io, const StoreOptions& the_options);

  std::string PathOf(uint32_t segment) const;
  // Ids: a counter that starts at the wall clock in microseconds, with the log's id in the low
  // bits.
  uint64_t next_id() const { return next_counter << kLogIdBits | options.log_id; }
  uint64_t NewId() { return next_counter++ << kLogIdBits | options.log_id; }
  void NoteId(uint64_t id);

  void Damage(std::string_view segment_name, std::string_view what);
  // A write failed: counted, and named by status() while mail is not accepted.
  void NoteWriteError(int32_t result);

  // A message is over: out of the table, its bytes dead.
  void Drop(Message* message);
  void AddExtents(const MetaView& meta);
  // The message `id`, of a record that is being staged, has the body of `of` as it lies now.
  const std::vector<Extent>& ShareExtents(uint64_t id, uint64_t of);
  void DropExtents(uint64_t id);
  void DropExtent(const Extent& extent);
  // The message's body lies in `fresh` now; takes them, and drops those of before.
  void MoveExtents(uint64_t id, std::vector<Extent>* fresh);
  // Takes further extents, which die with the message: a record that names them may come back.
  void KeepExtents(uint64_t id, std::vector<Extent>* extents);

  bool accepting() const;
  core::Status status() const;
  void Tick();
  int64_t NextDeadline() const;
  void StartFlush(std::function<void(const core::Status&)> done);
  void Abandon();
  void StartClose(std::function<void(const core::Status&)> done);

  static constexpr uint32_t kLogIdBits = 10;

  io::Io* io;
  StoreOptions options;
  RecoverySink* sink = nullptr;
  StoreStats stats;
  Segments segments;
  MessageTable messages;
  // Big messages only: the extents of the body in order. A piece that recovery could not find has
  // length 0.
  absl::flat_hash_map<uint64_t, std::vector<Extent>> extents;
  // And those that only die with the message.
  absl::flat_hash_map<uint64_t, std::vector<Extent>> kept_extents;
  HotTail hot;
  SegmentPool pool;
  Writer writer;
  Fetcher fetcher;
  StreamWriter streams;
  Reclaimer reclaimer;
  ExtentMover extent_mover;
  Recovery recovery;
  uint64_t next_counter = 1;
  uint32_t index_readers = 0;  // that have an index in memory
  uint32_t index_line = 0;     // that wait until they may have one
  bool writable = false;
  core::Status last_error;  // of a write; ok after the next success

 private:
  enum class Phase : uint8_t { kRunning, kClosing, kClosingFiles, kClosed };

  void FinishFlush();
  void CloseFiles();
  void OnFileClosed(const io::OpResult& result);
  void RetireDead();

  Phase phase_ = Phase::kRunning;
  std::function<void(const core::Status&)> flush_done_;
  std::function<void(const core::Status&)> close_done_;
  uint32_t closing_ = 0;  // the next segment to close
  io::Op close_op_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_LOG_H_
