// OfflineWriter: adds state and done entries to a log that nobody else uses, for tools.
//
// Writes batches as the daemon does (docs/spool-format.md), so that its recovery takes them: each
// is on the disk before the next is begun, and a batch that a crash cuts off is a torn tail. Where
// to: the newest use of a segment if nothing is in it yet, else a free segment, a new file, or the
// end of the newest use. The daemon leaves room of that kind for state entries when it refuses mail
// (its reserve), so this works with a full disk.
//
// Off the mail path: it calls the system directly and waits. The spool's lock is its owner's.
#ifndef OUTBOX_QUEUE_SPOOL_OFFLINE_WRITER_H_
#define OUTBOX_QUEUE_SPOOL_OFFLINE_WRITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"
#include "queue/spool/format.h"
#include "queue/spool/offline_log.h"

namespace outbox::queue {

class OfflineWriter {
 public:
  // `directory` is the log's, `log` what was read there; both outlive the writer.
  OfflineWriter(std::string directory, const OfflineLog* log);
  OfflineWriter(const OfflineWriter&) = delete;
  OfflineWriter& operator=(const OfflineWriter&) = delete;
  ~OfflineWriter();

  // The message is over. After an error nothing more may be added; what was written before counts.
  core::Status Done(uint64_t id);
  // A snapshot (StateBuilder::Finish) that is to be the message's newest.
  core::Status State(uint64_t id, std::span<const char> state);
  // Everything that was added is on the disk.
  core::Status Flush();

 private:
  core::Status Add(EntryType type, uint64_t id, std::span<const char> data);
  bool Room(size_t entry_bytes) const;
  // An entry of that size fits into the batch that gathers, which may be a new one.
  core::Status Reserve(size_t entry_bytes);
  // Begins a batch with room for an entry of that size.
  core::Status OpenBatch(size_t entry_bytes);
  void EndRecord();
  // A place to write to.
  core::Status FindPlace();
  core::Status Open(const std::string& path, uint64_t bytes, const SegmentUse& use, uint32_t at);
  core::Status BeginUse(const std::string& path, uint64_t bytes, bool fresh);
  core::Status MakeFile(std::string* path, uint64_t bytes);
  void Close();

  const std::string directory_;
  const OfflineLog* const log_;
  std::vector<OfflineSegment> free_;
  bool tried_newest_ = false;
  bool tried_tail_ = false;
  uint64_t next_generation_;
  uint64_t durable_generation_ = 0;
  uint32_t durable_offset_ = 0;
  // The segment that is written to.
  std::string path_;
  int fd_ = -1;
  uint64_t segment_bytes_ = 0;
  SegmentUse use_;
  uint32_t next_at_ = 0;  // of the next batch
  // The batch that gathers.
  std::string batch_;  // header and records; empty: none
  uint32_t records_ = 0;
  size_t record_at_ = 0;  // in batch_; 0: no record is open
  uint32_t record_entries_ = 0;
  uint32_t record_crc_ = 0;
  EntryType record_type_ = EntryType::kDone;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_OFFLINE_WRITER_H_
