#include "queue/spool/index_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/crc32c.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {

IndexReader::IndexReader() {
  for (Piece& piece : pieces_) {
    piece.reader = this;
    piece.op.Bind<&Piece::OnRead>(&piece);
  }
}

void IndexReader::Start(Store* store, uint32_t segment) {
  CHECK(!reading() && (!counted_ || log_ == store->log_.get()));
  log_ = store->log_.get();
  segment_ = segment;
  generation_ = segment < log_->segments.count() ? log_->segments[segment].use.generation : 0;
  step_ = Step::kWaiting;
  Tick();
}

void IndexReader::LetGo() {
  CHECK(!reading());
  if (counted_) --log_->index_readers;
  counted_ = false;
  SetInLine(false);
  bytes_ = AlignedBuffer();
  step_ = Step::kIdle;
}

bool IndexReader::Full() const { return log_->index_readers >= core::kIndexReadersPerLog; }

void IndexReader::SetInLine(bool in_line) {
  if (std::exchange(in_line_, in_line) == in_line) return;
  in_line ? ++log_->index_line : --log_->index_line;
}

uint32_t IndexReader::line() const { return counted_ ? log_->index_line : 0; }

bool IndexReader::wants_turn() const {
  if (reading()) return false;
  if (step_ == Step::kWaiting) return counted_ || !Full();
  return step_ == Step::kCopy || step_ == Step::kCheck;
}

Segment* IndexReader::Here() {
  if (segment_ >= log_->segments.count()) return nullptr;
  Segment& segment = log_->segments[segment_];
  const bool same = segment.in_use() && segment.state != SegmentState::kRetiring &&
                    segment.kind == SegmentKind::kLog && segment.use.generation == generation_;
  return same ? &segment : nullptr;
}

// The buffer is used again as long as it is large enough: fresh memory costs more than the reading.
void IndexReader::MakeRoom(size_t bytes) {
  if (bytes_.size() < bytes) bytes_ = AlignedBuffer(std::max(bytes, kPieceBytes));
}

void IndexReader::Tick() {
  if (reading()) return;
  if (step_ == Step::kWaiting) return Begin();
  if (step_ == Step::kCopy) return Copy();
  if (step_ == Step::kCheck) return Check();
}

void IndexReader::Begin() {
  if (!counted_) {
    SetInLine(Full());
    if (in_line_) return;
    ++log_->index_readers;
    counted_ = true;
  }
  Segment* const segment = Here();
  done_ = 0;
  at_ = 0;
  damaged_ = false;
  step_ = Step::kFailed;
  if (segment == nullptr) return;
  if (log_->writer.active() != segment) {
    MakeRoom(kBlock);
    step_ = Step::kFooter;
    return Read(&pieces_[0], 0, kBlock, segment->bytes - kBlock);
  }
  size_ = log_->writer.index().bytes();
  if (size_ > core::kIndexBytesMax) return;
  MakeRoom(size_);
  step_ = Step::kCopy;
}

// What is there was appended once and stays, until another segment is written to.
void IndexReader::Copy() {
  Segment* const segment = Here();
  if (segment == nullptr || log_->writer.active() != segment ||
      log_->writer.index().bytes() < size_) {
    step_ = Step::kWaiting;  // it is being sealed: from the disk, then
    return;
  }
  const size_t piece = std::min<size_t>(kPieceBytes, size_ - done_);
  if (piece > 0) std::memcpy(bytes_.data() + done_, &log_->writer.index().out()[done_], piece);
  done_ += piece;
  if (done_ == size_) step_ = Step::kReady;
}

void IndexReader::Read(Piece* piece, size_t offset, size_t bytes, uint64_t at) {
  Segment& segment = log_->segments[segment_];
  ++segment.pins;
  ++reads_;
  piece->bytes = bytes;
  log_->io->Read(&piece->op, segment.file, bytes_.span().subspan(offset, bytes), at);
}

void IndexReader::OnRead(Piece* piece, const io::OpResult& result) {
  Segment& segment = log_->segments[segment_];  // pinned
  --segment.pins;
  --reads_;
  if (segment.dead()) log_->segments.set_may_be_dead(true);
  const bool whole = result.result == static_cast<int32_t>(piece->bytes);
  if (step_ == Step::kFooter) return OnFooter(whole);
  damaged_ = damaged_ || !whole;
  if (reads_ == 0) step_ = damaged_ ? Step::kFailed : Step::kCheck;
}

void IndexReader::OnFooter(bool whole) {
  const Segment* const segment = Here();
  const auto footer = segment != nullptr && whole ? DecodeFooter(bytes_.span().first(kBlock))
                                                  : std::nullopt;
  const bool usable = footer && footer->use.generation == segment->use.generation &&
                      footer->use.salt == segment->use.salt && footer->index_at % kBlock == 0 &&
                      footer->index_at >= footer->data_end && footer->index_bytes > 0 &&
                      footer->index_bytes <= core::kIndexBytesMax &&
                      uint64_t{footer->index_at} + footer->index_bytes <= segment->bytes - kBlock;
  if (!usable) {
    step_ = Step::kFailed;
    return;
  }
  footer_ = *footer;
  size_ = footer_.index_bytes;
  crc_ = footer_.use.Seed(footer_.index_at);
  step_ = Step::kPieces;
  const size_t room = Align(size_, kBlock);
  MakeRoom(room);
  for (size_t i = 0; i * kPieceBytes < room; ++i) {
    const size_t offset = i * kPieceBytes;
    Read(&pieces_[i], offset, std::min(kPieceBytes, room - offset), footer_.index_at + offset);
  }
}

void IndexReader::Check() {
  const size_t piece = std::min<size_t>(kPieceBytes, size_ - done_);
  crc_ = core::Crc32cExtend(crc_, {bytes_.data() + done_, piece});
  done_ += piece;
  if (done_ == size_) step_ = crc_ == footer_.index_crc ? Step::kReady : Step::kFailed;
}

bool IndexReader::Next(EntryRef* entry) {
  CHECK(ready());
  const std::span<const char> index = bytes_.span().first(size_);
  while (NextIndexEntry(index, &at_, entry)) {
    if (IsMessage(entry->type)) return true;
  }
  step_ = Step::kIdle;
  return false;
}

}  // namespace outbox::queue
