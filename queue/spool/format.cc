#include "queue/spool/format.h"

#include <cstdio>
#include <cstring>

#include "core/crc32c.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

// First bytes of a header block, a retire mark, a footer; a batch, a record.
constexpr uint64_t kSegmentMagic = 0x3130676f6c58424f;
constexpr uint64_t kRetireMagic = 0x3165657266584f4f;
constexpr uint64_t kFooterMagic = 0x7865646e6958424f;
constexpr uint32_t kBatchMagic = 0x62584230;
constexpr uint32_t kRecordMagic = 0x72584231;

constexpr uint32_t kBlockHeadBytes = 128;  // what of a header block is used, checksum included
// The same again in another sector: a header is the only thing whose loss would cost more than
// itself.
constexpr uint32_t kCopyAt = 2048;

uint32_t Checksum(const char* at, size_t bytes) { return core::Crc32c({at, bytes}); }

void SealBlock(char* at) {
  Put<uint32_t>(at + kBlockHeadBytes - 4, Checksum(at, kBlockHeadBytes - 4));
  std::memcpy(at + kCopyAt, at, kBlockHeadBytes);
}
bool Sealed(const char* at, uint64_t magic) {
  return Get<uint64_t>(at) == magic &&
         Get<uint32_t>(at + kBlockHeadBytes - 4) == Checksum(at, kBlockHeadBytes - 4);
}
// The intact one of the two copies, or null.
const char* IntactBlock(std::span<const char> block, uint64_t magic) {
  if (block.size() < kBlock) return nullptr;
  for (const char* at : {block.data(), block.data() + kCopyAt}) {
    if (Sealed(at, magic) && Get<uint32_t>(at + 8) == kFormatVersion) return at;
  }
  return nullptr;
}
char* StartBlock(std::span<char, io::kBlockBytes> block, uint64_t magic, uint32_t log_id) {
  std::memset(block.data(), 0, block.size());
  Put<uint64_t>(block.data(), magic);
  Put<uint32_t>(block.data() + 8, kFormatVersion);
  Put<uint32_t>(block.data() + 12, log_id);
  return block.data();
}

}  // namespace

uint32_t SegmentUse::Seed(uint32_t offset) const {
  char bytes[20];
  Put<uint64_t>(bytes, generation);
  Put<uint64_t>(bytes + 8, salt);
  Put<uint32_t>(bytes + 16, offset);
  return Checksum(bytes, sizeof(bytes));
}

void EncodeSegmentHeader(const SegmentHeader& header, std::span<char, io::kBlockBytes> block) {
  char* at = StartBlock(block, kSegmentMagic, header.log_id);
  Put<uint64_t>(at + 16, header.use.generation);
  Put<uint64_t>(at + 24, header.use.salt);
  Put<uint64_t>(at + 32, header.segment_bytes);
  Put<uint64_t>(at + 40, header.next_id);
  Put<uint8_t>(at + 48, static_cast<uint8_t>(header.kind));
  SealBlock(at);
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::span<const char> block) {
  const char* at = IntactBlock(block, kSegmentMagic);
  if (at == nullptr) return std::nullopt;
  const uint8_t kind = Get<uint8_t>(at + 48);
  if (kind != static_cast<uint8_t>(SegmentKind::kLog) &&
      kind != static_cast<uint8_t>(SegmentKind::kExtents)) {
    return std::nullopt;
  }
  SegmentHeader header;
  header.kind = static_cast<SegmentKind>(kind);
  header.log_id = Get<uint32_t>(at + 12);
  header.use.generation = Get<uint64_t>(at + 16);
  header.use.salt = Get<uint64_t>(at + 24);
  header.segment_bytes = Get<uint64_t>(at + 32);
  header.next_id = Get<uint64_t>(at + 40);
  return header;
}

void EncodeRetireMark(const RetireMark& mark, std::span<char, io::kBlockBytes> block) {
  char* at = StartBlock(block, kRetireMagic, mark.log_id);
  Put<uint64_t>(at + 16, mark.generation);
  Put<uint64_t>(at + 24, mark.next_id);
  SealBlock(at);
}

std::optional<RetireMark> DecodeRetireMark(std::span<const char> block) {
  const char* at = IntactBlock(block, kRetireMagic);
  if (at == nullptr) return std::nullopt;
  RetireMark mark;
  mark.log_id = Get<uint32_t>(at + 12);
  mark.generation = Get<uint64_t>(at + 16);
  mark.next_id = Get<uint64_t>(at + 24);
  return mark;
}

bool OfOtherVersion(std::span<const char> block) {
  if (block.size() < kBlock) return false;
  for (const char* at : {block.data(), block.data() + kCopyAt}) {
    if (Sealed(at, kSegmentMagic) && Get<uint32_t>(at + 8) != kFormatVersion) return true;
  }
  return false;
}

void EncodeBatchHeader(const BatchHeader& header, char* at) {
  Put<uint32_t>(at, kBatchMagic);
  Put<uint64_t>(at + 8, header.use.generation);
  Put<uint64_t>(at + 16, header.use.salt);
  Put<uint32_t>(at + 24, header.offset);
  Put<uint32_t>(at + 28, header.bytes);
  Put<uint64_t>(at + 32, header.durable_generation);
  Put<uint32_t>(at + 40, header.durable_offset);
  Put<uint32_t>(at + 44, header.record_count);
  Put<uint64_t>(at + 48, header.next_id);
  Put<uint32_t>(at + 56, header.log_id);
  Put<uint32_t>(at + 60, 0);
  Put<uint32_t>(at + 4, Checksum(at + 8, kBatchHeaderBytes - 8));
}

std::optional<BatchHeader> DecodeBatchHeader(std::span<const char> bytes) {
  if (bytes.size() < kBatchHeaderBytes || Get<uint32_t>(bytes.data()) != kBatchMagic ||
      Get<uint32_t>(bytes.data() + 4) != Checksum(bytes.data() + 8, kBatchHeaderBytes - 8)) {
    return std::nullopt;
  }
  const char* at = bytes.data();
  BatchHeader header;
  header.use.generation = Get<uint64_t>(at + 8);
  header.use.salt = Get<uint64_t>(at + 16);
  header.offset = Get<uint32_t>(at + 24);
  header.bytes = Get<uint32_t>(at + 28);
  header.durable_generation = Get<uint64_t>(at + 32);
  header.durable_offset = Get<uint32_t>(at + 40);
  header.record_count = Get<uint32_t>(at + 44);
  header.next_id = Get<uint64_t>(at + 48);
  header.log_id = Get<uint32_t>(at + 56);
  return header;
}

void EncodeRecordHeader(const SegmentUse& use, uint32_t offset, const RecordHeader& header,
                        char* at) {
  Put<uint32_t>(at, kRecordMagic);
  Put<uint32_t>(at + 8, header.bytes);
  Put<uint32_t>(at + 12, header.entry_count);
  Put<uint32_t>(at + 16, header.entries_crc);
  Put<uint32_t>(at + 20, 0);
  Put<uint32_t>(at + 4, core::Crc32cExtend(use.Seed(offset), {at + 8, kRecordHeaderBytes - 8}));
}

std::optional<RecordHeader> DecodeRecordHeader(const SegmentUse& use, uint32_t offset,
                                               std::span<const char> bytes) {
  if (bytes.size() < kRecordHeaderBytes || Get<uint32_t>(bytes.data()) != kRecordMagic ||
      Get<uint32_t>(bytes.data() + 4) !=
          core::Crc32cExtend(use.Seed(offset), bytes.subspan(8, kRecordHeaderBytes - 8))) {
    return std::nullopt;
  }
  RecordHeader header;
  header.bytes = Get<uint32_t>(bytes.data() + 8);
  header.entry_count = Get<uint32_t>(bytes.data() + 12);
  header.entries_crc = Get<uint32_t>(bytes.data() + 16);
  return header;
}

void EncodeEntryHeader(const SegmentUse& use, uint32_t offset, EntryHeader header, char* at) {
  Put<uint32_t>(at, static_cast<uint8_t>(header.type));
  Put<uint32_t>(at + 4, header.bytes);
  Put<uint64_t>(at + 8, header.id);
  Put<uint32_t>(at + 16, 0);
  uint32_t crc = core::Crc32cExtend(use.Seed(offset), {at, 16});
  crc = core::Crc32cExtend(crc, {at + kEntryHeaderBytes, header.bytes});
  Put<uint32_t>(at + 20, crc);
}

EntryHeader DecodeEntryHeader(const char* at) {
  EntryHeader header;
  header.type = static_cast<EntryType>(Get<uint8_t>(at));
  header.bytes = Get<uint32_t>(at + 4);
  header.id = Get<uint64_t>(at + 8);
  header.crc = Get<uint32_t>(at + 20);
  return header;
}

bool EntryIntact(const SegmentUse& use, uint32_t offset, std::span<const char> bytes) {
  if (bytes.size() < kEntryHeaderBytes) return false;
  const EntryHeader header = DecodeEntryHeader(bytes.data());
  if (header.bytes > bytes.size() - kEntryHeaderBytes) return false;
  uint32_t crc = core::Crc32cExtend(use.Seed(offset), bytes.first(16));
  crc = core::Crc32cExtend(crc, bytes.subspan(kEntryHeaderBytes, header.bytes));
  return crc == header.crc && Get<uint32_t>(bytes.data() + 16) == 0;
}

void EncodeFooter(const Footer& footer, std::span<char, io::kBlockBytes> block) {
  char* at = StartBlock(block, kFooterMagic, footer.log_id);
  Put<uint64_t>(at + 16, footer.use.generation);
  Put<uint64_t>(at + 24, footer.use.salt);
  Put<uint32_t>(at + 32, footer.data_end);
  Put<uint32_t>(at + 36, footer.index_at);
  Put<uint32_t>(at + 40, footer.index_bytes);
  Put<uint32_t>(at + 44, footer.index_crc);
  Put<uint32_t>(at + 48, footer.entry_count);
  Put<uint64_t>(at + 56, footer.next_id);
  SealBlock(at);
}

std::optional<Footer> DecodeFooter(std::span<const char> block) {
  const char* at = IntactBlock(block, kFooterMagic);
  if (at == nullptr) return std::nullopt;
  Footer footer;
  footer.log_id = Get<uint32_t>(at + 12);
  footer.use.generation = Get<uint64_t>(at + 16);
  footer.use.salt = Get<uint64_t>(at + 24);
  footer.data_end = Get<uint32_t>(at + 32);
  footer.index_at = Get<uint32_t>(at + 36);
  footer.index_bytes = Get<uint32_t>(at + 40);
  footer.index_crc = Get<uint32_t>(at + 44);
  footer.entry_count = Get<uint32_t>(at + 48);
  footer.next_id = Get<uint64_t>(at + 56);
  return footer;
}

std::string SegmentFileName(uint32_t number) {
  char name[32];
  std::snprintf(name, sizeof(name), "segment-%08u", number);
  return name;
}

std::optional<uint32_t> SegmentNumber(const std::string& name) {
  constexpr size_t kPrefix = 8;  // "segment-"
  if (name.size() != kPrefix + 8 || name.compare(0, kPrefix, "segment-") != 0) return std::nullopt;
  uint32_t number = 0;
  for (size_t i = kPrefix; i < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return std::nullopt;
    number = number * 10 + static_cast<uint32_t>(name[i] - '0');
  }
  return number;
}

}  // namespace outbox::queue
