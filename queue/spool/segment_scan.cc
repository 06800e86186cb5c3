#include "queue/spool/segment_scan.h"

#include <algorithm>

#include "core/crc32c.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

class Scanner {
 public:
  Scanner(std::span<const char> segment, const SegmentUse& use, uint32_t durable_end)
      : bytes_(segment), use_(use), durable_end_(durable_end) {}

  SegmentContents Run() {
    const uint32_t size =
        static_cast<uint32_t>(std::min<size_t>(bytes_.size(), UINT32_MAX - kBlock));
    // First the batches, so that what lies before the last one is known to have been durable.
    struct Piece {
      uint32_t from, to;
      bool batch;
    };
    std::vector<Piece> pieces;
    uint32_t gap = kSegmentDataAt;
    uint32_t last_batch = 0;
    for (uint32_t at = kSegmentDataAt; at + kBatchHeaderBytes <= size;) {
      const auto header = DecodeBatchHeader(bytes_.subspan(at, kBatchHeaderBytes));
      if (!header || header->use.generation != use_.generation || header->use.salt != use_.salt ||
          header->offset != at || header->bytes < kBatchHeaderBytes || header->bytes > size - at) {
        at += kBlock;
        continue;
      }
      if (gap < at) pieces.push_back({gap, at, false});
      pieces.push_back({at, at + header->bytes, true});
      last_batch = at;
      NoteBatch(*header);
      at = Align(at + header->bytes, kBlock);
      gap = out_.data_end = out_.batches_end = at;
    }
    durable_end_ = std::max(durable_end_, last_batch);
    out_.durable_end = durable_end_;
    if (gap < size) pieces.push_back({gap, size, false});
    for (const Piece& piece : pieces) {
      if (piece.batch) {
        ScanRecords(piece.from + kBatchHeaderBytes, piece.to, piece.to <= durable_end_);
      } else {
        ScanGap(piece.from, piece.to);
      }
    }
    return std::move(out_);
  }

 private:
  void NoteBatch(const BatchHeader& header) {
    ++out_.batches;
    out_.next_id = std::max(out_.next_id, header.next_id);
    if (out_.batches > 1) return;
    out_.durable_generation = header.durable_generation;
    out_.durable_offset = header.durable_offset;
  }

  // No batch header where one should be: the records behind it may still be good.
  void ScanGap(uint32_t from, uint32_t to) {
    const uint32_t durable = std::clamp(durable_end_, from, to);
    if (from < durable) Damage(from, "no valid batch header");
    // A record can reach over the durable end only by damage; look on both sides of it alike.
    ScanRecords(from, to, from < durable, /*in_gap=*/true);
  }

  void ScanRecords(uint32_t at, uint32_t end, bool durable, bool in_gap = false) {
    bool lost = in_gap;  // the chain is broken and was reported
    while (at + kRecordHeaderBytes <= end) {
      const auto header = DecodeRecordHeader(use_, at, bytes_.subspan(at, kRecordHeaderBytes));
      if (!header || header->bytes > end - at - kRecordHeaderBytes) {
        if (!lost) Bad(at, durable, "record header damaged");
        lost = true;
        at += 8;
        continue;
      }
      lost = false;
      const uint32_t next = at + Align8(kRecordHeaderBytes + header->bytes);
      if (!ReadRecord(at, *header)) Bad(at, durable, "record damaged");
      at = next;
      if (in_gap) {
        lost = true;
        out_.data_end = std::max(out_.data_end, Align(at, kBlock));
      }
    }
    // Up to 7 bytes or the zeros of a gap are left; a damaged length of the batch shows as damage
    // of its header.
  }

  bool ReadRecord(uint32_t at, const RecordHeader& header) {
    const size_t kept = out_.entries.size();
    uint32_t offset = at + kRecordHeaderBytes;
    const uint32_t end = offset + header.bytes;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < header.entry_count; ++i) {
      if (end - offset < kEntryHeaderBytes) return Drop(kept);
      const EntryHeader entry = DecodeEntryHeader(&bytes_[offset]);
      const std::span<const char> whole = bytes_.subspan(offset, end - offset);
      if (!EntryIntact(use_, offset, whole)) return Drop(kept);
      crc = core::Crc32cExtend(crc, whole.first(kEntryHeaderBytes));
      const uint32_t length = kEntryHeaderBytes + entry.bytes;
      out_.entries.push_back(
          {entry.type, entry.id, offset, length, whole.subspan(kEntryHeaderBytes, entry.bytes)});
      offset += std::min(Align8(length), end - offset);
    }
    if (crc != header.entries_crc) return Drop(kept);
    ++out_.records;
    return true;
  }

  bool Drop(size_t kept) {
    out_.entries.resize(kept);
    return false;
  }

  void Bad(uint32_t at, bool durable, const char* what) {
    if (durable) {
      Damage(at, what);
    } else {
      ++out_.torn_records;
    }
  }
  void Damage(uint32_t at, const char* what) {
    ++out_.damage_count;
    if (out_.damages.size() < SegmentContents::kDamagesMax) {
      out_.damages.push_back("offset " + std::to_string(at) + ": " + what);
    }
  }

  std::span<const char> bytes_;
  SegmentUse use_;
  uint32_t durable_end_;
  SegmentContents out_;
};

}  // namespace

SegmentContents ScanSegment(std::span<const char> segment, const SegmentUse& use,
                            uint32_t durable_end) {
  return Scanner(segment, use, durable_end).Run();
}

std::optional<SegmentUse> FindUse(std::span<const char> segment, uint32_t log_id,
                                  uint64_t retired_generation) {
  std::optional<SegmentUse> found;
  for (size_t at = kSegmentDataAt; at + kBatchHeaderBytes <= segment.size(); at += kBlock) {
    const auto header = DecodeBatchHeader(segment.subspan(at, kBatchHeaderBytes));
    if (!header || header->log_id != log_id || header->offset != at) continue;
    if (header->use.generation <= retired_generation) continue;
    if (!found || header->use.generation > found->generation) found = header->use;
  }
  return found;
}

bool NextIndexEntry(std::span<const char> index, uint32_t* at, EntryRef* entry) {
  const uint32_t end = static_cast<uint32_t>(index.size());
  if (end - *at < kIndexEntryBytes) return false;
  const char* p = &index[*at];
  const uint32_t bytes = Get<uint32_t>(p + 4);
  if (bytes > end - *at - kIndexEntryBytes) return false;
  *entry = {static_cast<EntryType>(Get<uint8_t>(p)), Get<uint64_t>(p + 8), Get<uint32_t>(p + 16),
            Get<uint32_t>(p + 20), index.subspan(*at + kIndexEntryBytes, bytes)};
  *at += std::min(Align8(kIndexEntryBytes + bytes), end - *at);
  return true;
}

std::optional<SegmentContents> ReadIndex(std::span<const char> index, const Footer& footer) {
  if (index.size() != footer.index_bytes ||
      core::Crc32cExtend(footer.use.Seed(footer.index_at), index) != footer.index_crc) {
    return std::nullopt;
  }
  SegmentContents contents;
  // An entry takes kIndexEntryBytes at least: a damaged count cannot ask for more.
  contents.entries.reserve(std::min<size_t>(footer.entry_count, index.size() / kIndexEntryBytes));
  uint32_t at = 0;
  for (uint32_t i = 0; i < footer.entry_count; ++i) {
    EntryRef entry;
    if (!NextIndexEntry(index, &at, &entry)) return std::nullopt;
    contents.entries.push_back(entry);
  }
  contents.data_end = contents.durable_end = footer.data_end;
  contents.next_id = footer.next_id;
  return contents;
}

void IndexBuilder::Clear() {
  out_.clear();
  entry_count_ = 0;
}

void IndexBuilder::Add(EntryType type, uint64_t id, uint32_t offset, uint32_t length,
                       std::span<const char> data) {
  queue::Add<uint32_t>(&out_, static_cast<uint8_t>(type));
  queue::Add<uint32_t>(&out_, static_cast<uint32_t>(data.size()));
  queue::Add<uint64_t>(&out_, id);
  queue::Add<uint32_t>(&out_, offset);
  queue::Add<uint32_t>(&out_, length);
  out_.append(data.data(), data.size());
  out_.resize(Align8(static_cast<uint32_t>(out_.size())));
  ++entry_count_;
}

uint32_t IndexBuilder::BytesFor(uint32_t data_bytes) {
  return Align8(kIndexEntryBytes + data_bytes);
}

void IndexBuilder::Swap(IndexBuilder* other) {
  out_.swap(other->out_);
  std::swap(entry_count_, other->entry_count_);
}

}  // namespace outbox::queue
