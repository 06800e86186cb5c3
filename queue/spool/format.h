// The spool's bytes: headers of segments, batches, records, entries and indexes.
//
// docs/spool-format.md draws them and says why they are so. Here are their values in memory and the
// functions that encode and check them. Every checksum of what lies in a segment is seeded with the
// segment's generation, its salt (random for each use, so that nobody can put a valid record into
// the body of a message) and the offset; so what an earlier use left behind is never taken for the
// present.
#ifndef OUTBOX_QUEUE_SPOOL_FORMAT_H_
#define OUTBOX_QUEUE_SPOOL_FORMAT_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "io/io.h"

namespace outbox::queue {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint32_t kBlock = static_cast<uint32_t>(io::kBlockBytes);
// Blocks 0 and 1 of a segment: the use header and the retire mark.
inline constexpr uint32_t kRetireMarkAt = kBlock;
inline constexpr uint32_t kSegmentDataAt = 2 * kBlock;
inline constexpr uint32_t kBatchHeaderBytes = 64;
inline constexpr uint32_t kRecordHeaderBytes = 24;
inline constexpr uint32_t kEntryHeaderBytes = 24;
inline constexpr uint32_t kIndexEntryBytes = 24;

enum class SegmentKind : uint8_t { kLog = 1, kExtents = 2 };

// One use of a segment. What a checksum needs to know.
struct SegmentUse {
  uint64_t generation = 0;
  uint64_t salt = 0;
  // The seed of a checksum at `offset` of this use.
  uint32_t Seed(uint32_t offset) const;
};

struct SegmentHeader {
  SegmentKind kind = SegmentKind::kLog;
  uint32_t log_id = 0;
  SegmentUse use;
  uint64_t segment_bytes = 0;
  uint64_t next_id = 0;  // ids below may have been used
};
void EncodeSegmentHeader(const SegmentHeader& header, std::span<char, io::kBlockBytes> block);
std::optional<SegmentHeader> DecodeSegmentHeader(std::span<const char> block);

// A segment header that is intact, but of a version that we cannot read.
bool OfOtherVersion(std::span<const char> block);

// Says that everything of the generations up to this one in the segment is dead: the segment is
// free.
struct RetireMark {
  uint32_t log_id = 0;
  uint64_t generation = 0;
  uint64_t next_id = 0;
};
void EncodeRetireMark(const RetireMark& mark, std::span<char, io::kBlockBytes> block);
std::optional<RetireMark> DecodeRetireMark(std::span<const char> block);

struct BatchHeader {
  SegmentUse use;
  uint32_t log_id = 0;
  uint32_t offset = 0;  // of the batch in its segment
  uint32_t bytes = 0;   // with this header, without the padding to the next block
  uint32_t record_count = 0;
  // All that the log has up to here was durable when this batch was written.
  uint64_t durable_generation = 0;
  uint32_t durable_offset = 0;
  uint64_t next_id = 0;
};
void EncodeBatchHeader(const BatchHeader& header, char* at);
std::optional<BatchHeader> DecodeBatchHeader(std::span<const char> bytes);

struct RecordHeader {
  uint32_t bytes = 0;  // of its entries
  uint32_t entry_count = 0;
  uint32_t entries_crc = 0;  // over the headers of its entries
};
void EncodeRecordHeader(const SegmentUse& use, uint32_t offset, const RecordHeader& header,
                        char* at);
std::optional<RecordHeader> DecodeRecordHeader(const SegmentUse& use, uint32_t offset,
                                               std::span<const char> bytes);

enum class EntryType : uint8_t {
  kMessage = 1,
  kState = 2,
  kDone = 3,
  // A message that reclaim has moved and that has a state entry, which may be older than this copy.
  kMovedMessage = 4,
};
inline constexpr bool IsMessage(EntryType type) {
  return type == EntryType::kMessage || type == EntryType::kMovedMessage;
}

struct EntryHeader {
  EntryType type = EntryType::kMessage;
  uint32_t bytes = 0;  // of the data behind the header, without padding
  uint64_t id = 0;
  uint32_t crc = 0;  // over type, bytes, id and the data
};
// The entry's data must be behind `at` already. Fills in the checksum.
void EncodeEntryHeader(const SegmentUse& use, uint32_t offset, EntryHeader header, char* at);
// Reads the header only; the type may be one that we do not know.
EntryHeader DecodeEntryHeader(const char* at);
// Whether the entry at `offset`, header and data in `bytes`, is as it was written.
bool EntryIntact(const SegmentUse& use, uint32_t offset, std::span<const char> bytes);

// The last block of a sealed segment; the index lies right before it.
struct Footer {
  SegmentUse use;
  uint32_t log_id = 0;
  uint32_t data_end = 0;  // end of the last batch, padded
  uint32_t index_at = 0;
  uint32_t index_bytes = 0;
  uint32_t index_crc = 0;
  uint32_t entry_count = 0;
  uint64_t next_id = 0;
};
void EncodeFooter(const Footer& footer, std::span<char, io::kBlockBytes> block);
std::optional<Footer> DecodeFooter(std::span<const char> block);

// "segment-00000007" and back; nothing for any other name.
std::string SegmentFileName(uint32_t number);
std::optional<uint32_t> SegmentNumber(const std::string& name);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_FORMAT_H_
