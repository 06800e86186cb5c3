#include "queue/spool/stream_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/crc32c.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// Buffers of one stream that wait for a place or are written, while another fills.
constexpr uint32_t kWritingPerStream = 4;
// What a stream is expected to bring that says nothing of it: more than what need not have one.
constexpr uint64_t kPiecesUnknown = 2;
// Writes in flight; what comes meanwhile is gathered, and goes with the next one.
constexpr uint32_t kWritesMax = 4;

// A buffer is one extent, and fits into a segment.
uint32_t PieceBytes(uint64_t segment_bytes) {
  const uint64_t room = (segment_bytes - kSegmentDataAt) / kBlock * kBlock;
  return static_cast<uint32_t>(std::min<uint64_t>(core::kExtentBytesMax, room));
}

}  // namespace

StreamWriter::StreamWriter(Log* log)
    : log_(log), buffers_(log->options.stream_buffers, PieceBytes(log->options.segment_bytes)) {}

// --- The stream's side ---------------------------------------------------------------------------

BodyStream::~BodyStream() { CHECK(!active()); }

std::span<char> BodyStream::room() {
  if (filling_ == nullptr) return {};
  return filling_->memory.subspan(filled_);
}

void BodyStream::Advance(size_t bytes) {
  CHECK(filling_ != nullptr && !finishing_ && bytes <= filling_->memory.size() - filled_);
  // Now, while they are in the cache.
  crc_ = core::Crc32cExtend(crc_, {filling_->memory.data() + filled_, bytes});
  filled_ += static_cast<uint32_t>(bytes);
  bytes_ += bytes;
  if (filled_ == filling_->memory.size()) writer_->Full(this);
}

std::string_view BodyStream::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> to = room();
    if (to.empty()) break;
    const size_t take = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), take);
    Advance(take);
    bytes.remove_prefix(take);
  }
  return bytes;
}

void BodyStream::Finish() {
  CHECK(active() && !finishing_);
  finishing_ = true;
  if (filling_ != nullptr) writer_->Full(this);
  writer_->Unpromise(this);
  if (link_.linked()) link_.Unlink();
  writer_->ending_.PushBack(this);
  writer_->due_ = true;
}

void BodyStream::Abort() {
  if (active()) writer_->Aborted(this);
}

bool StreamWriter::Begin(BodyStream* stream, uint64_t expected_bytes) {
  CHECK(!stream->active());
  if (active_ >= core::kStreamsPerLog) return false;
  ++active_;
  log_->pool.WantExtents();
  stream->writer_ = this;
  stream->filling_ = nullptr;
  stream->filled_ = 0;
  stream->crc_ = 0;
  stream->writing_ = 0;
  stream->promised_ = 0;
  stream->expected_ = ExpectedBuffers(expected_bytes);
  stream->begun_ = false;
  stream->bytes_ = 0;
  stream->extents_.clear();
  stream->finishing_ = stream->finished_ = stream->failed_ = false;
  stream->error_ = core::Status();
  // In order: behind those that wait for a buffer already.
  if (!begun_.empty() || !new_.empty() || !Refill(stream)) {
    new_.PushBack(stream);
    due_ = true;
  }
  return true;
}

// filling_ is full, or the last one.
void StreamWriter::Full(BodyStream* stream) {
  StreamBuffer* buffer = stream->filling_;
  stream->filling_ = nullptr;
  StopFilling(buffer);
  buffer->length = stream->filled_;
  buffer->extent.crc = std::exchange(stream->crc_, 0);
  stream->filled_ = 0;
  if (buffer->length == 0 || stream->failed_) {
    FreeBuffer(buffer);
  } else {
    buffer->piece = static_cast<uint32_t>(stream->extents_.size());
    stream->extents_.emplace_back();
    ++stream->writing_;
    waiting_place_.push_back(buffer);
    due_ = true;
  }
  if (stream->finishing_ || stream->link_.linked()) return;
  // The next buffer: at once if there is one, else by Tick, in order.
  if (!begun_.empty() || !Refill(stream)) begun_.PushBack(stream);
}

void StreamWriter::Aborted(BodyStream* stream) {
  if (stream->filling_ != nullptr) {
    StopFilling(stream->filling_);
    FreeBuffer(stream->filling_);
  }
  buffers_.Forget(stream);  // writes end by themselves
  for (const Extent& extent : stream->extents_) log_->DropExtent(extent);
  End(stream);
}

void StreamWriter::Claimed(BodyStream* stream) {
  CHECK(stream->finished_);
  End(stream);
}

void StreamWriter::FailStream(BodyStream* stream, const core::Status& status) {
  stream->failed_ = true;
  Unpromise(stream);
  if (stream->error_.ok()) stream->error_ = status;
  if (stream->link_.linked()) stream->link_.Unlink();
  ending_.PushBack(stream);
  due_ = true;
}

void StreamWriter::End(BodyStream* stream) {
  if (stream->link_.linked()) stream->link_.Unlink();
  Unpromise(stream);
  stream->filling_ = nullptr;
  stream->extents_.clear();
  stream->writer_ = nullptr;
  stream->finishing_ = stream->finished_ = stream->failed_ = false;
  --active_;
}

// --- Buffers -------------------------------------------------------------------------------------

// What a stream of so many bytes is expected to ask for, within what is never lent: so that it can
// begin whatever peers do.
uint32_t StreamWriter::ExpectedBuffers(uint64_t bytes) const {
  const uint32_t piece = buffers_.piece_bytes();
  const uint64_t pieces = bytes == 0 ? kPiecesUnknown : (bytes + piece - 1) / piece;
  return static_cast<uint32_t>(std::min<uint64_t>(pieces, buffers_.never_lent()));
}

void StreamWriter::Unpromise(BodyStream* stream) {
  if (stream->promised_ == 0) return;
  promised_ -= std::exchange(stream->promised_, 0);
  due_ = true;
}

void StreamWriter::StopFilling(StreamBuffer* buffer) {
  if (!buffer->link.linked()) return;
  buffer->link.Unlink();
  --filling_count_;
}

// Of clients that take their time nothing is expected.
void StreamWriter::PassOverSlow() {
  const int64_t since_ns = log_->io->now_ns() - kFillNs;
  while (!filling_.empty() && filling_.front()->since_ns <= since_ns) {
    Unpromise(filling_.front()->stream);
    StopFilling(filling_.front());
  }
}

// A stream that has begun may always have one.
bool StreamWriter::MayBegin(const BodyStream& stream) {
  PassOverSlow();
  if (filling_count_ >= std::max(2u, buffers_.never_lent())) return false;
  // Alone it waits for nobody: peers may have the rest for as long as they like.
  const uint32_t needed = promised_ == 0 ? 1 : promised_ + stream.expected_;
  return buffers_.HasRoomFor(needed, log_->io->now_ns());
}

bool StreamWriter::Refill(BodyStream* stream) {
  if (stream->writing_ >= kWritingPerStream) return false;
  StreamBuffer* buffer = nullptr;
  if (stream->begun_ || MayBegin(*stream)) buffer = buffers_.Take(log_->io->now_ns());
  if (buffer == nullptr) {
    NoteWake();
    return false;
  }
  if (!stream->begun_) {
    stream->begun_ = true;
    stream->promised_ = stream->expected_;
    promised_ += stream->promised_;
  }
  if (stream->promised_ > 0) {
    --stream->promised_;
    --promised_;
  }
  buffer->stream = stream;
  buffer->since_ns = log_->io->now_ns();
  stream->filling_ = buffer;
  filling_.PushBack(buffer);
  ++filling_count_;
  return true;
}

// A buffer may be had by time alone: when one is not filled in time, or has been kept for long
// enough. Whatever else makes one free sets due_.
void StreamWriter::NoteWake() {
  PassOverSlow();
  if (!filling_.empty()) wake_ns_ = std::min(wake_ns_, filling_.front()->since_ns + kFillNs);
  wake_ns_ = std::min(wake_ns_, buffers_.NextRoomNs(log_->io->now_ns()));
}

void StreamWriter::FreeBuffer(StreamBuffer* buffer) {
  buffers_.Free(buffer);
  due_ = true;
}

void StreamWriter::Return(uint32_t name) {
  buffers_.Return(name);
  due_ = true;
}

// --- Writing -------------------------------------------------------------------------------------

void StreamWriter::Tick() {
  if (!due_ && !blocked_ && log_->io->now_ns() < wake_ns_) return;
  due_ = false;
  PlaceWaiting();
  ServeWaiting();
}

void StreamWriter::PlaceWaiting() {
  while (!waiting_place_.empty() && in_flight_ < kWritesMax) {
    Write* write = TakeWrite();
    while (write->count < kGatherMax && !waiting_place_.empty()) {
      StreamBuffer* buffer = waiting_place_.front();
      if (buffer->stream == nullptr) {
        FreeBuffer(buffer);
      } else if (!Place(buffer, write)) {
        if (write->count > 0)
          break;  // it goes to the next segment, or is heard of in the next turn
        if (!log_->pool.hopeless() && log_->pool.may_take_extents()) break;
        --buffer->stream->writing_;
        FailStream(buffer->stream,
                   core::Status(core::StatusCode::kResourceExhausted, "the spool is full"));
        FreeBuffer(buffer);
      }
      waiting_place_.pop_front();
    }
    if (write->count == 0) {
      free_writes_.push_back(write);
      blocked_ = !waiting_place_.empty();
      return;
    }
    Start(write);
  }
  blocked_ = false;
}

StreamWriter::Write* StreamWriter::TakeWrite() {
  if (free_writes_.empty()) {
    writes_.push_back(std::make_unique<Write>());
    free_writes_.push_back(writes_.back().get());
    free_writes_.back()->writer = this;
    free_writes_.back()->op.Bind<&Write::OnWritten>(free_writes_.back());
  }
  Write* write = free_writes_.back();
  free_writes_.pop_back();
  write->count = write->bytes = 0;
  write->segment = nullptr;
  return write;
}

bool StreamWriter::OpenSegment(uint32_t room) {
  if (segment_ != nullptr && (segment_->failed || segment_->bytes - offset_ < room)) {
    segment_->state = SegmentState::kSealed;
    log_->segments.set_may_be_dead(true);
    segment_ = nullptr;
  }
  if (segment_ != nullptr) return true;
  if (!log_->pool.may_take_extents()) return false;
  segment_ = log_->pool.TakeExtents();
  offset_ = kSegmentDataAt;
  return segment_ != nullptr;
}

// Puts the buffer behind what the write has already. False: there is no place, or another segment
// begins.
bool StreamWriter::Place(StreamBuffer* buffer, Write* write) {
  const uint32_t room = Align(buffer->length, kBlock);
  if (!OpenSegment(room)) return false;
  if (write->count > 0 && write->segment != segment_) return false;
  write->segment = segment_;
  buffer->extent.generation = segment_->use.generation;
  buffer->extent.offset = offset_;
  buffer->extent.length = buffer->length;
  // Old bytes of another message must not follow on the disk.
  std::memset(buffer->memory.data() + buffer->length, 0, room - buffer->length);
  offset_ += room;
  segment_->data_end = offset_;
  log_->segments.AddExtent(segment_->number, room);
  write->buffers[write->count] = buffer;
  write->parts[write->count] = {buffer->memory.data(), room};
  ++write->count;
  write->bytes += room;
  return true;
}

void StreamWriter::Start(Write* write) {
  ++write->segment->pins;
  ++in_flight_;
  log_->io->Write(&write->op, write->segment->file, std::span(write->parts).first(write->count),
                  write->buffers[0]->extent.offset);
}

void StreamWriter::OnWritten(Write* write, int32_t result) {
  --in_flight_;
  Segment* segment = write->segment;
  --segment->pins;
  if (segment->dead()) log_->segments.set_may_be_dead(true);
  const bool good = result == static_cast<int32_t>(write->bytes);
  if (good) {
    log_->stats.bytes_written += write->bytes;
  } else {
    log_->NoteWriteError(result < 0 ? result : -EIO);
    segment->failed = true;  // nothing more goes there; what was written before is good
  }
  for (uint32_t i = 0; i < write->count; ++i) Settle(write->buffers[i], segment, good);
  free_writes_.push_back(write);
}

void StreamWriter::Settle(StreamBuffer* buffer, Segment* segment, bool good) {
  BodyStream* stream = buffer->stream;
  if (stream != nullptr) {
    --stream->writing_;
    if (!good) FailStream(stream, log_->last_error);
  }
  if (good && stream != nullptr) {
    stream->extents_[buffer->piece] = buffer->extent;
    buffers_.Keep(buffer, log_->io->now_ns());
    due_ = true;
  } else {
    log_->segments.DropExtent(segment->number, Align(buffer->length, kBlock));
    FreeBuffer(buffer);
  }
}

// --- Streams that wait ---------------------------------------------------------------------------

void StreamWriter::ServeWaiting() {
  // A callback may end its own stream, but not the one behind it.
  for (BodyStream* stream = ending_.front(); stream != nullptr;) {
    BodyStream* next = ending_.Next(stream);
    if (!stream->finishing_) {
      ending_.Remove(stream);
      stream->on_room_(stream->owner_);  // it has failed
    } else if (stream->writing_ == 0) {
      ending_.Remove(stream);
      stream->finished_ = !stream->failed_;
      stream->on_finished_(stream->owner_, stream->error_);
    }
    stream = next;
  }
  wake_ns_ = core::kNever;
  if (Serve(&begun_)) Serve(&new_);
}

// In order. False: one has to wait, and those behind it.
bool StreamWriter::Serve(WaitingList* list) {
  for (BodyStream* stream = list->front(); stream != nullptr;) {
    BodyStream* next = list->Next(stream);
    if (Refill(stream)) {
      list->Remove(stream);
      stream->on_room_(stream->owner_);
    } else if (stream->writing_ < kWritingPerStream) {
      return false;
    }
    stream = next;
  }
  return true;
}

int64_t StreamWriter::NextDeadline() const { return due_ ? 0 : wake_ns_; }

// --- The end -------------------------------------------------------------------------------------

StreamWriter::~StreamWriter() {
  CHECK(idle() && active_ == 0 && buffers_.leases() == 0);
  while (filling_.PopFront() != nullptr) {
  }
}

void StreamWriter::Abandon() {
  buffers_.Abandon([this](BodyStream* stream) {
    if (stream->active()) End(stream);
  });
  for (WaitingList* list : {&ending_, &begun_, &new_}) {
    while (BodyStream* stream = list->front()) End(stream);
  }
  waiting_place_.clear();
  in_flight_ = active_ = promised_ = 0;
}

}  // namespace outbox::queue
