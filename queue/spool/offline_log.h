// OfflineLog: a log as it lies on disk, read while nobody writes to it, for tools.
//
// Goes through all batches of all segments, newest first, without the indexes: so every record is
// checked. Reads only. Off the mail path: it calls the system directly and waits.
#ifndef OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_
#define OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_

#include <cstdint>
#include <map>
#include <string>
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

 private:
  struct Use {
    std::string path;
    SegmentUse use;
  };

  void ReadSegment(const std::string& path);
  void ReadLogSegment(const Use& segment);
  void Take(const Use& segment, const EntryRef& entry);

  std::vector<Use> log_uses_;
  std::map<uint64_t, std::string> extents_;  // generation -> path
  std::map<uint64_t, OfflineMessage> messages_;
  std::map<uint64_t, std::string> states_;   // newest, of messages that are still to be seen
  std::map<uint64_t, bool> done_;
  std::map<uint64_t, bool> waits_for_state_;
  std::map<uint64_t, uint32_t> durable_;
  std::vector<std::string> damages_;
  uint64_t segments_ = 0;
  uint64_t free_ = 0;
  uint64_t batches_ = 0;
  uint64_t records_ = 0;
  uint64_t torn_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_OFFLINE_LOG_H_
