// The reading: files, headers, indexes. recovery_entries.cc has what is made of the entries.
#include "queue/spool/recovery.h"

#include <algorithm>
#include <cerrno>

#include "core/limits.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

constexpr size_t kReadBytes = 1u << 20;
// Messages that room is made for before they are found, one for each block: 16 MiB of buckets.
constexpr uint32_t kReservedMax = 1u << 22;
// What is found may leave at once, each message with a connection of its own: turns stay short, so
// that the first of them do not wait for all the others.
constexpr uint32_t kEntriesPerTurn = core::kSpoolEntriesPerTurn / 8;
// Of a read that fails, before what it was to bring counts as unreadable.
constexpr uint32_t kReadTries = 3;

}  // namespace

Recovery::Recovery(Log* log) : log_(log) { op_.Bind<&Recovery::OnDone>(this); }

void Recovery::Expect(Step step) {
  reading_ = true;
  step_ = step;
}

void Recovery::OnDone(const io::OpResult& result) {
  reading_ = false;
  if (stopped_) {
    // A file that was just opened is closed with the others.
    if (step_ == &Recovery::OnOpened && result.result >= 0) segment_->file = result.result;
    return;
  }
  const Step step = step_;
  (this->*step)(result.result);
}

void Recovery::Start() {
  CHECK(phase_ == Phase::kIdle);
  phase_ = Phase::kHeaders;
  Expect(&Recovery::OnDirectory);
  log_->io->MakeDirectory(&op_, log_->options.directory);
}

void Recovery::OnDirectory(int32_t result) {
  if (result < 0) {
    return Fail(core::Status::FromErrno(-result, "create " + log_->options.directory));
  }
  // The directory's own name must be durable before what is in it counts.
  const size_t slash = log_->options.directory.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : log_->options.directory.substr(0, slash);
  Expect(&Recovery::OnParentSynced);
  log_->io->SyncDirectory(&op_, parent);
}

void Recovery::OnParentSynced(int32_t result) {
  if (result < 0) {
    return Fail(core::Status::FromErrno(-result, "sync what holds " + log_->options.directory));
  }
  Expect(&Recovery::OnListed);
  log_->io->ListDirectory(&op_, log_->options.directory, &files_);
}

void Recovery::OnListed(int32_t result) {
  if (result < 0) return Fail(core::Status::FromErrno(-result, "read " + log_->options.directory));
  NextFile();
}

void Recovery::NextFile() {
  while (next_file_ < files_.size()) {
    const io::FileInfo& file = files_[next_file_++];
    const auto number = SegmentNumber(file.name);
    if (!number || file.is_directory) continue;
    if (*number >= core::kSegmentsPerLog) {
      log_->Damage(file.name, "is not read: segments have numbers below " +
                                  std::to_string(core::kSegmentsPerLog));
      continue;
    }
    segment_ = &log_->segments.Ensure(*number);
    // Until we know better: not to be touched.
    segment_->state = SegmentState::kMaking;
    constexpr uint64_t kBytesMax = UINT32_MAX / kBlock * kBlock;
    segment_->bytes = static_cast<uint32_t>(std::min(file.size / kBlock * kBlock, kBytesMax));
    log_->segments.AddFile(segment_->bytes);
    OpenFile(file.name);
    return;
  }
  HeadersRead();
}

void Recovery::OpenFile(const std::string& name) {
  io::OpenOptions open;
  open.write = open.dsync = true;
  open.direct = log_->options.direct;
  Expect(&Recovery::OnOpened);
  log_->io->Open(&op_, log_->options.directory + "/" + name, open);
}

void Recovery::OnOpened(int32_t result) {
  if (result == -EINVAL && log_->options.direct) {
    log_->options.direct = false;
    return OpenFile(SegmentFileName(segment_->number));
  }
  if (result < 0) {
    log_->Damage(SegmentFileName(segment_->number),
                 core::Status::FromErrno(-result, "cannot be opened").message());
    return NextFile();
  }
  segment_->file = result;
  if (segment_->bytes < kSegmentDataAt + 2 * kBlock) return Remove();  // was never completed
  bytes_ = AlignedBuffer(kSegmentDataAt);
  tries_ = 0;
  Expect(&Recovery::OnHeader);
  log_->io->Read(&op_, segment_->file, bytes_.span(), 0);
}

void Recovery::OnHeader(int32_t result) {
  const std::string name = SegmentFileName(segment_->number);
  header_unreadable_ = result < static_cast<int32_t>(kSegmentDataAt);
  if (header_unreadable_) {
    if (++tries_ < kReadTries) {
      Expect(&Recovery::OnHeader);
      return log_->io->Read(&op_, segment_->file, bytes_.span(), 0);
    }
    log_->Damage(name, "its header cannot be read");
    // What it has may be readable all the same.
    std::fill_n(bytes_.data(), kSegmentDataAt, '\0');
  }
  const std::span<const char> bytes = bytes_.span();
  if (OfOtherVersion(bytes.first(kBlock))) {
    return Fail(core::Status(core::StatusCode::kUnimplemented,
                             log_->PathOf(segment_->number) + ": written by another version"));
  }
  const auto mark = DecodeRetireMark(bytes.subspan(kRetireMarkAt, kBlock));
  mark_found_ = mark.has_value();
  mark_generation_ = mark ? mark->generation : 0;
  generation_max_ = std::max(generation_max_, mark_generation_);
  if (mark) log_->NoteId(mark->next_id);
  const auto header = DecodeSegmentHeader(bytes.first(kBlock));
  if (!header) return ReadWhole();
  if (header->log_id != log_->options.log_id) {
    return Fail(core::Status(core::StatusCode::kInvalidArgument,
                             log_->PathOf(segment_->number) + ": belongs to log " +
                                 std::to_string(header->log_id)));
  }
  log_->NoteId(header->next_id);
  generation_max_ = std::max(generation_max_, header->use.generation);
  if (header->use.generation <= mark_generation_ && mark_found_) {
    log_->pool.AddFree(segment_);
  } else {
    log_->segments.Begin(segment_, header->kind, header->use);
    segment_->state = SegmentState::kSealed;
  }
  NextFile();
}

// Without a header the batches may tell. An empty use, or one that was never written to, is free.
void Recovery::ReadWhole() {
  bytes_ = AlignedBuffer(segment_->bytes);
  read_ = 0;
  tries_ = unreadable_ = 0;
  whole_for_header_ = true;
  Expect(&Recovery::OnWhole);
  log_->io->Read(&op_, segment_->file, bytes_.span().first(std::min(kReadBytes, bytes_.size())), 0);
}

void Recovery::OnWhole(int32_t result) {
  if (result <= 0 && ++tries_ < kReadTries) {
    Expect(&Recovery::OnWhole);
    const size_t most = tries_ == kReadTries - 1 ? kBlock : kReadBytes;
    log_->io->Read(&op_, segment_->file,
                   bytes_.span().subspan(read_, std::min(most, bytes_.size() - read_)), read_);
    return;
  }
  if (result <= 0) {
    // The block that cannot be read counts as zeros: go on behind it, but keep the segment as it is
    // for as long as we run.
    if (++unreadable_ == 1) ++segment_->pins;
    const size_t skip = std::min<size_t>(kBlock, bytes_.size() - read_);
    std::fill_n(bytes_.data() + read_, skip, '\0');
    read_ += skip;
  } else {
    tries_ = 0;
    read_ += static_cast<size_t>(result) / kBlock * kBlock;
    if (static_cast<size_t>(result) < kBlock) read_ = bytes_.size();
  }
  if (read_ < bytes_.size()) {
    Expect(&Recovery::OnWhole);
    // After an error block by block, so that one bad block costs no more than itself.
    const size_t most = result <= 0 ? kBlock : kReadBytes;
    log_->io->Read(&op_, segment_->file,
                   bytes_.span().subspan(read_, std::min(most, bytes_.size() - read_)), read_);
    return;
  }
  if (unreadable_ > 0) {
    log_->Damage(SegmentFileName(segment_->number),
                 std::to_string(unreadable_) + " blocks cannot be read");
  }
  if (whole_for_header_) {
    whole_for_header_ = false;
    return Classify(bytes_.span());
  }
  const auto known = durable_.find(segment_->use.generation);
  const uint32_t durable_end = known == durable_.end() ? 0 : known->second;
  ++report_.segments_read;
  Found(ScanSegment(bytes_.span(), segment_->use, durable_end));
}

void Recovery::Classify(std::span<const char> whole) {
  const auto use = FindUse(whole, log_->options.log_id, mark_generation_);
  if (use) {
    log_->Damage(SegmentFileName(segment_->number), "header damaged");
    generation_max_ = std::max(generation_max_, use->generation);
    log_->segments.Begin(segment_, SegmentKind::kLog, *use);
    segment_->state = SegmentState::kSealed;
  } else if (header_unreadable_ || unreadable_ > 0) {
    // It may hold extents. Nobody touches it; its generation is not known, so go on far above.
    generation_max_ += 1u << 20;
  } else if (mark_found_) {
    log_->pool.AddFree(segment_);
  } else {
    return Remove();
  }
  NextFile();
}

// A file that was never completed.
void Recovery::Remove() {
  Expect(&Recovery::OnClosed);
  log_->io->CloseFile(&op_, segment_->file);
  segment_->file = io::kNoHandle;
}

void Recovery::OnClosed(int32_t) {
  log_->segments.DropFile(segment_->bytes);
  segment_->state = SegmentState::kAbsent;  // made again under the same name when it is needed
  NextFile();
}

void Recovery::HeadersRead() {
  files_.clear();
  for (uint32_t i = 0; i < log_->segments.count(); ++i) {
    Segment& segment = log_->segments[i];
    if (segment.state == SegmentState::kSealed && segment.kind == SegmentKind::kLog) {
      order_.push_back(&segment);
    }
  }
  std::sort(order_.begin(), order_.end(), [](const Segment* a, const Segment* b) {
    return a->use.generation > b->use.generation;
  });
  uint64_t bytes = 0;
  for (const Segment* segment : order_) bytes += segment->bytes;
  log_->messages.Reserve(static_cast<uint32_t>(std::min<uint64_t>(bytes / kBlock, kReservedMax)));
  phase_ = Phase::kSegments;
  NextSegment();
}

void Recovery::NextSegment() {
  phase_ = Phase::kSegments;
  if (next_segment_ == order_.size()) {
    BecomeWritable();
    return Finish();
  }
  segment_ = order_[next_segment_++];
  bytes_ = AlignedBuffer(kBlock);
  Expect(&Recovery::OnFooter);
  log_->io->Read(&op_, segment_->file, bytes_.span(), segment_->bytes - kBlock);
}

void Recovery::OnFooter(int32_t result) {
  const auto footer = result == static_cast<int32_t>(kBlock) ? DecodeFooter(bytes_.span())
                                                             : std::nullopt;
  const bool usable =
      footer && footer->use.generation == segment_->use.generation &&
      footer->use.salt == segment_->use.salt && footer->index_at % kBlock == 0 &&
      footer->index_at >= footer->data_end && footer->data_end >= kSegmentDataAt &&
      footer->index_bytes > 0 &&
      uint64_t{footer->index_at} + footer->index_bytes <= segment_->bytes - kBlock;
  if (!usable) {
    ReadWhole();
    whole_for_header_ = false;
    return;
  }
  footer_ = *footer;
  bytes_ = AlignedBuffer(footer_.index_bytes);
  Expect(&Recovery::OnIndex);
  log_->io->Read(&op_, segment_->file, bytes_.span(), footer_.index_at);
}

void Recovery::OnIndex(int32_t result) {
  std::optional<SegmentContents> contents;
  if (result == static_cast<int32_t>(bytes_.size())) {
    contents = ReadIndex(bytes_.span().first(footer_.index_bytes), footer_);
  }
  if (!contents) {
    // Torn while it was sealed, or damaged; the batches say the same.
    durable_[segment_->use.generation] = footer_.data_end;
    ReadWhole();
    whole_for_header_ = false;
    return;
  }
  ++report_.indexes_read;
  Found(std::move(*contents));
}

void Recovery::Found(SegmentContents contents) {
  const std::string name = SegmentFileName(segment_->number);
  for (const std::string& damage : contents.damages) log_->Damage(name, damage);
  const uint32_t more = contents.damage_count - static_cast<uint32_t>(contents.damages.size());
  if (more > 0) log_->Damage(name, std::to_string(more) + " more damages");
  report_.torn_records += contents.torn_records;
  log_->NoteId(contents.next_id);
  segment_->data_end = contents.data_end;
  segment_->durable_end = contents.durable_end;
  uint32_t& durable = durable_[contents.durable_generation];
  durable = std::max(durable, contents.durable_offset);
  contents_ = std::move(contents);
  entries_left_ = contents_.entries.size();
  // The newest batch of all knows the highest id that was used.
  if (entries_left_ > 0) BecomeWritable();
  phase_ = Phase::kEntries;
}

void Recovery::BecomeWritable() {
  if (log_->writable) return;
  log_->writable = true;
  log_->pool.Start(generation_max_ + 1);
  log_->sink->OnWritable(core::Status());
}

void Recovery::Tick() {
  if (!due() || stopped_) return;
  for (uint32_t i = 0; i < kEntriesPerTurn; ++i) {
    if (entries_left_ == 0) {
      contents_ = {};
      bytes_.Reset();
      return NextSegment();
    }
    TakeEntry(contents_.entries[--entries_left_]);
  }
}

void Recovery::Fail(core::Status status) {
  phase_ = Phase::kFinished;
  log_->last_error = status;
  log_->sink->OnWritable(status);
}

}  // namespace outbox::queue
