// OfflineLog: a log as it lies on disk, read while nobody writes to it, for tools.
//
// Goes through all batches of all segments, newest first, without the indexes: so every record is
// checked. Reads only. Off the mail path: it calls the system directly and waits.
#ifndef OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_
#define OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "queue/spool/format.h"
#include "queue/spool/segment_scan.h"

namespace outbox::queue {

struct OfflineMessage {
  uint64_t id = 0;
  std::string meta;      // MetaView::Parse takes it
  std::string state;     // StateView::Parse takes it; empty: untouched
  std::string path;      // the segment's file
  uint64_t body_at = 0;  // where an inline body lies in it
  uint64_t body_bytes = 0;
};

// A segment, as far as who writes to the log needs to know it.
struct OfflineSegment {
  std::string path;
  uint64_t bytes = 0;
  SegmentUse use = {};
  uint32_t data_end = kSegmentDataAt;
  uint32_t durable_end = 0;
  bool empty = false;       // nothing is in this use yet
  bool appendable = false;  // a batch may follow at data_end
};

class OfflineLog {
 public:
  // An error only when the directory cannot be read; damages are listed.
  core::Status Read(const std::string& directory);
  // The body in wire form, from its record or its extents, whose checksums are compared.
  core::Result<std::string> Body(const OfflineMessage& message) const;

  const std::map<uint64_t, OfflineMessage>& messages() const { return messages_; }
  const std::vector<std::string>& damages() const { return damages_; }
  uint64_t segments() const { return segments_; }
  uint64_t segments_free() const { return free_; }
  uint64_t batches() const { return batches_; }
  uint64_t records() const { return records_; }
  uint64_t torn_records() const { return torn_; }

  // --- For who adds to it (queue/spool/offline_writer.h) ---
  // Why nothing may be added; empty: it may.
  const std::string& untouchable() const { return untouchable_; }
  uint32_t log_id() const { return log_id_; }
  // Ids below may have been used; generations up to this one have been.
  uint64_t next_id() const { return next_id_; }
  uint64_t generation_max() const { return generation_max_; }
  // The log segment that was used last; null: there is none.
  const OfflineSegment* newest() const { return newest_.path.empty() ? nullptr : &newest_; }
  const std::vector<OfflineSegment>& free() const { return free_segments_; }
  // Of the files.
  uint64_t segment_bytes() const { return segment_bytes_; }
  // The uses of segments in which entries of the message were met, by generation.
  std::vector<uint64_t> CopiesOf(uint64_t id) const;

 private:
  struct Use {
    std::string path;
    SegmentUse use;
  };

  void ReadSegment(const std::string& path);
  void NoteNewest(const Use& segment, const SegmentContents& contents, bool sealed,
                  uint64_t bytes);
  void ReadLogSegment(const Use& segment);
  void Take(const Use& segment, const EntryRef& entry);

  std::vector<Use> log_uses_;
  std::map<uint64_t, std::string> extents_;  // generation -> path
  std::map<uint64_t, OfflineMessage> messages_;
  std::map<uint64_t, std::string> states_;   // newest, of messages that are still to be seen
  std::map<uint64_t, bool> done_;
  std::map<uint64_t, bool> waits_for_state_;
  std::map<uint64_t, uint32_t> durable_;
  std::vector<std::pair<uint64_t, uint64_t>> copies_;  // (id, generation), sorted at the end
  std::string untouchable_;
  uint32_t log_id_ = 0;
  uint64_t next_id_ = 1;
  uint64_t generation_max_ = 0;
  uint64_t segment_bytes_ = 0;
  OfflineSegment newest_;
  std::vector<OfflineSegment> free_segments_;
  std::vector<std::string> damages_;
  uint64_t segments_ = 0;
  uint64_t free_ = 0;
  uint64_t batches_ = 0;
  uint64_t records_ = 0;
  uint64_t torn_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_
