// Writes the seeds of recovery_fuzz and meta_fuzz: a segment with three batches, whole and cut in
// its last one, its header, metas and states, as the store writes them.
//
//   spool_corpus tests/fuzz/corpus
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "core/crc32c.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/spool/coding.h"
#include "queue/spool/format.h"

namespace {

using namespace outbox::queue;  // NOLINT: a program of its own

constexpr SegmentUse kUse = {5, 7};
constexpr uint32_t kLogId = 1;
constexpr uint32_t kSegmentBytes = 6 * kBlock;

std::string Copy(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

std::string Meta(uint64_t id, bool extents, std::string_view body, bool asks = false) {
  MetaBuilder builder;
  const uint32_t retry[] = {60, 300, 900};
  builder.Start(id, 1'000'000, 0, "sender@example.com", "192.0.2.7");
  builder.AddGroup("a.example", "default", retry,
                   {.notify_after_s = 14400, .retry_until_s = 432000});
  if (asks) builder.SetDsn(outbox::smtp::DsnReturn::kHeaders, "QQ+3D314");
  const outbox::smtp::RecipientDsn dsn{outbox::smtp::kNotifySuccess, "rfc822;was@a.example"};
  builder.AddRecipient("first@a.example", asks ? dsn : outbox::smtp::RecipientDsn{});
  builder.AddGroup("via:192.0.2.9:25", "static", {retry, 1}, {.retry_until_s = 600});
  builder.AddRecipient("second@b.example");
  builder.AddRecipient("third@b.example");
  builder.SetPrefix("Received: by relay.example.com\r\n");
  const Extent parts[] = {{.generation = 4, .offset = 8192, .length = 262144, .crc = 1},
                          {.generation = 4, .offset = 270336, .length = 1000, .crc = 2}};
  if (extents) {
    builder.SetExtents(263144, 0, parts);
  } else {
    builder.SetBody(body.size(), 1);
  }
  return Copy(builder.Finish()).append(body);
}

std::string State() {
  StateBuilder builder;
  builder.Start();
  StatePart part;
  part.mask = 1;
  part.attempts = 3;
  part.next_attempt_wall_ns = 5'000'000;
  part.code = 451;
  part.enhanced = "4.2.1";
  part.text = "mailbox busy";
  part.mailhost = "192.0.2.9:25";
  builder.Add(part);
  part.mask = 2;
  part.group = part.first = 1;
  builder.Add(part);
  return Copy(builder.Finish());
}

// One record behind another in a batch that begins at `offset`.
class BatchWriter {
 public:
  BatchWriter(std::string* segment, uint32_t offset)
      : segment_(segment), offset_(offset), at_(offset + kBatchHeaderBytes) {}

  void AddRecord(EntryType type, uint64_t id, std::string_view data) {
    const uint32_t entry_at = at_ + kRecordHeaderBytes;
    char* entry = segment_->data() + entry_at;
    std::memcpy(entry + kEntryHeaderBytes, data.data(), data.size());
    EntryHeader header;
    header.type = type;
    header.bytes = static_cast<uint32_t>(data.size());
    header.id = id;
    EncodeEntryHeader(kUse, entry_at, header, entry);
    RecordHeader record;
    record.bytes = Align8(kEntryHeaderBytes + header.bytes);
    record.entry_count = 1;
    record.entries_crc = outbox::core::Crc32c({entry, kEntryHeaderBytes});
    EncodeRecordHeader(kUse, at_, record, segment_->data() + at_);
    at_ += kRecordHeaderBytes + record.bytes;
    ++records_;
  }
  void End() {
    BatchHeader header;
    header.use = kUse;
    header.log_id = kLogId;
    header.offset = offset_;
    header.bytes = at_ - offset_;
    header.record_count = records_;
    header.durable_generation = kUse.generation;
    header.durable_offset = offset_;
    header.next_id = 4096;
    EncodeBatchHeader(header, segment_->data() + offset_);
  }

 private:
  std::string* segment_;
  uint32_t offset_;
  uint32_t at_;
  uint32_t records_ = 0;
};

std::string Segment() {
  std::string segment(kSegmentBytes, '\0');
  SegmentHeader header;
  header.kind = SegmentKind::kLog;
  header.log_id = kLogId;
  header.use = kUse;
  header.segment_bytes = kSegmentBytes;
  header.next_id = 1024;
  EncodeSegmentHeader(header, std::span<char, kBlock>(segment.data(), kBlock));
  EncodeRetireMark({kLogId, kUse.generation - 1, 1024},
                   std::span<char, kBlock>(segment.data() + kRetireMarkAt, kBlock));
  BatchWriter first(&segment, kSegmentDataAt);
  first.AddRecord(EntryType::kMessage, 1025,
                  Meta(1025, false, "Subject: a\r\n\r\n..body\r\n.\r\n"));
  first.AddRecord(EntryType::kMessage, 2049, Meta(2049, true, ""));
  first.End();
  BatchWriter second(&segment, kSegmentDataAt + kBlock);
  second.AddRecord(EntryType::kState, 1025, State());
  second.AddRecord(EntryType::kMovedMessage, 3073, Meta(3073, false, "moved\r\n.\r\n"));
  second.End();
  BatchWriter third(&segment, kSegmentDataAt + 2 * kBlock);
  std::string guards;
  Add<uint64_t>(&guards, 3);
  Add<uint64_t>(&guards, 4);
  third.AddRecord(EntryType::kDone, 2049, guards);
  third.AddRecord(EntryType::kState, 3073, State());
  third.End();
  return segment;
}

bool Write(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  out.close();
  if (!out) std::fprintf(stderr, "spool_corpus: cannot write %s\n", path.c_str());
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: spool_corpus DIRECTORY\n");
    return 2;
  }
  const std::string recovery = std::string(argv[1]) + "/recovery_fuzz/";
  const std::string meta = std::string(argv[1]) + "/meta_fuzz/";
  const std::string segment = Segment();
  constexpr uint32_t kTornAt = kSegmentDataAt + 2 * kBlock + 100;
  const bool good =
      Write(recovery + "segment", segment) &&
      Write(recovery + "torn", segment.substr(0, kTornAt)) &&
      Write(recovery + "headers", segment.substr(0, kSegmentDataAt)) &&
      Write(meta + "inline", Meta(1025, false, "Subject: a\r\n\r\n..body\r\n.\r\n")) &&
      Write(meta + "extents", Meta(2049, true, "")) && Write(meta + "state", State()) &&
      Write(meta + "asks", Meta(3073, false, "Subject: a\r\n\r\n.\r\n", /*asks=*/true));
  return good ? 0 : 1;
}
