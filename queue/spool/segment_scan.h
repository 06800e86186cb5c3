// What is in a segment: its entries, found by its index or by going through its batches.
//
// Pure functions over bytes that may be anything: used by recovery, reclaim, spoolcat and a fuzzer.
#ifndef OUTBOX_QUEUE_SPOOL_SEGMENT_SCAN_H_
#define OUTBOX_QUEUE_SPOOL_SEGMENT_SCAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "queue/spool/format.h"

namespace outbox::queue {

// One entry. `data` is what follows its header: for a message the meta and, when it comes from a
// scan, the inline body; it points into the bytes that were scanned.
struct EntryRef {
  EntryType type = EntryType::kMessage;
  uint64_t id = 0;
  uint32_t offset = 0;  // of the entry's header in its segment
  uint32_t length = 0;  // header and data
  std::span<const char> data;
};

struct SegmentContents {
  std::vector<EntryRef> entries;     // in log order
  std::vector<std::string> damages;  // sentences without the segment's name; at most kDamagesMax
  uint32_t damage_count = 0;
  uint32_t torn_records = 0;
  uint32_t batches = 0;
  uint32_t records = 0;
  uint32_t data_end = kSegmentDataAt;  // behind the last batch
  uint32_t batches_end = kSegmentDataAt;  // the same, without records that have lost theirs
  uint64_t next_id = 0;                // the highest that a batch names
  // What its first batch says was durable before: the end of an earlier segment.
  uint64_t durable_generation = 0;
  uint32_t durable_offset = 0;
  uint32_t durable_end = 0;  // of this segment, as far as is known

  static constexpr uint32_t kDamagesMax = 16;
};

// Goes through all batches of `use` in a whole segment. Bytes below `durable_end` (or below a later
// batch) that do not make sense are damage and cost the record that they are in; others are a torn
// tail.
SegmentContents ScanSegment(std::span<const char> segment, const SegmentUse& use,
                            uint32_t durable_end);

// For a segment whose header is damaged: the newest use above `retired_generation` that a batch
// tells of.
std::optional<SegmentUse> FindUse(std::span<const char> segment, uint32_t log_id,
                                  uint64_t retired_generation);

// The entry at `*at` of an index, and where the next one is. False at the end, and where it makes
// no sense.
bool NextIndexEntry(std::span<const char> index, uint32_t* at, EntryRef* entry);

// Reads an index (the bytes that the footer names). Nothing if it is damaged.
std::optional<SegmentContents> ReadIndex(std::span<const char> index, const Footer& footer);

// Builds an index while its segment is written.
class IndexBuilder {
 public:
  void Clear();
  // `data`: of the whole entry; of a message, the meta alone.
  void Add(EntryType type, uint64_t id, uint32_t offset, uint32_t length,
           std::span<const char> data);
  // What Add with so much data will add.
  static uint32_t BytesFor(uint32_t data_bytes);
  uint32_t bytes() const { return static_cast<uint32_t>(out_.size()); }
  uint32_t entry_count() const { return entry_count_; }
  const std::string& out() const { return out_; }
  void Swap(IndexBuilder* other);

 private:
  std::string out_;
  uint32_t entry_count_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_SEGMENT_SCAN_H_
