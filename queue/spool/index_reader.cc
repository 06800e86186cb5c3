#include "queue/spool/index_reader.h"

#include <algorithm>
#include <cstring>

#include "core/crc32c.h"
#include "core/limits.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// Of one read, one copy, one checksum: a tenth of a millisecond of a turn.
constexpr size_t kPieceBytes = 1u << 20;

}  // namespace

void IndexReader::Start(Store* store, uint32_t segment) {
  CHECK(idle());
  log_ = store->log_.get();
  segment_ = segment;
  generation_ = segment < log_->segments.count() ? log_->segments[segment].use.generation : 0;
  step_ = Step::kWaiting;
  in_line_ = log_->index_readers >= core::kIndexReadersPerLog;
}

void IndexReader::Stop() {
  CHECK(!op_.in_flight);
  if (counted_) --log_->index_readers;
  counted_ = in_line_ = false;
  bytes_.Reset();
  step_ = Step::kIdle;
}

Segment* IndexReader::Here() {
  if (segment_ >= log_->segments.count()) return nullptr;
  Segment& segment = log_->segments[segment_];
  const bool same = segment.in_use() && segment.state != SegmentState::kRetiring &&
                    segment.kind == SegmentKind::kLog && segment.use.generation == generation_;
  return same ? &segment : nullptr;
}

void IndexReader::Tick() {
  if (op_.in_flight) return;
  if (step_ == Step::kWaiting) return Begin();
  if (step_ == Step::kCopy) return Copy();
}

void IndexReader::Begin() {
  in_line_ = log_->index_readers >= core::kIndexReadersPerLog;
  if (in_line_) return;
  ++log_->index_readers;
  counted_ = true;
  Segment* const segment = Here();
  if (segment == nullptr) return Finish(Step::kFailed);
  filled_ = 0;
  if (log_->writer.active() == segment) {
    size_ = log_->writer.index().bytes();
    if (size_ > core::kIndexBytesMax) return Finish(Step::kFailed);
    bytes_ = AlignedBuffer(size_);
    step_ = Step::kCopy;
    return;
  }
  bytes_ = AlignedBuffer(kBlock);
  step_ = Step::kFooter;
  ++segment->pins;
  log_->io->Read(&op_, segment->file, bytes_.span(), segment->bytes - kBlock);
}

// What is there was appended once and stays, until another segment is written to.
void IndexReader::Copy() {
  Segment* const segment = Here();
  if (segment == nullptr || log_->writer.active() != segment ||
      log_->writer.index().bytes() < size_) {
    Stop();
    step_ = Step::kWaiting;  // it is being sealed: from the disk, then
    return;
  }
  const size_t piece = std::min<size_t>(kPieceBytes, size_ - filled_);
  if (piece > 0) {
    std::memcpy(bytes_.data() + filled_, log_->writer.index().out().data() + filled_, piece);
  }
  filled_ += piece;
  if (filled_ == size_) Finish(Step::kReady);
}

void IndexReader::OnRead(const io::OpResult& result) {
  Segment& segment = log_->segments[segment_];  // pinned
  --segment.pins;
  if (segment.dead()) log_->segments.set_may_be_dead(true);
  if (step_ == Step::kFooter) return OnFooter(result.result);
  OnPiece(result.result);
}

void IndexReader::OnFooter(int32_t result) {
  const Segment* const segment = Here();
  const auto footer = segment != nullptr && result == static_cast<int32_t>(kBlock)
                          ? DecodeFooter(bytes_.span())
                          : std::nullopt;
  const bool usable = footer && footer->use.generation == segment->use.generation &&
                      footer->use.salt == segment->use.salt && footer->index_at % kBlock == 0 &&
                      footer->index_at >= footer->data_end && footer->index_bytes > 0 &&
                      footer->index_bytes <= core::kIndexBytesMax &&
                      uint64_t{footer->index_at} + footer->index_bytes <= segment->bytes - kBlock;
  if (!usable) return Finish(Step::kFailed);
  footer_ = *footer;
  size_ = footer_.index_bytes;
  bytes_ = AlignedBuffer(size_);
  crc_ = footer_.use.Seed(footer_.index_at);
  step_ = Step::kIndex;
  ReadPiece();
}

void IndexReader::ReadPiece() {
  Segment* const segment = Here();
  if (segment == nullptr) return Finish(Step::kFailed);
  const size_t piece = std::min(kPieceBytes, bytes_.size() - filled_);
  ++segment->pins;
  log_->io->Read(&op_, segment->file, bytes_.span().subspan(filled_, piece),
                 footer_.index_at + filled_);
}

void IndexReader::OnPiece(int32_t result) {
  const size_t piece = std::min(kPieceBytes, bytes_.size() - filled_);
  if (result != static_cast<int32_t>(piece)) return Finish(Step::kFailed);
  const size_t meant = std::min<size_t>(piece, size_ - filled_);
  crc_ = core::Crc32cExtend(crc_, {bytes_.data() + filled_, meant});
  filled_ += piece;
  if (filled_ < bytes_.size()) return ReadPiece();
  Finish(crc_ == footer_.index_crc ? Step::kReady : Step::kFailed);
}

void IndexReader::Finish(Step step) {
  step_ = step;
  at_ = 0;
  if (step == Step::kFailed) bytes_.Reset();
}

bool IndexReader::Next(EntryRef* entry) {
  CHECK(ready());
  const std::span<const char> index = bytes_.span().first(size_);
  while (NextIndexEntry(index, &at_, entry)) {
    if (IsMessage(entry->type)) return true;
  }
  return false;
}

}  // namespace outbox::queue
