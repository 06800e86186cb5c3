#include "queue/spool/stream_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/crc32c.h"
#include "core/limits.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// Buffers of one stream: one fills while the other is written.
constexpr uint32_t kBuffersPerStream = 2;

}  // namespace

BodyStream::~BodyStream() { CHECK(!active()); }

std::span<char> BodyStream::room() {
  if (filling_ == nullptr) return {};
  return filling_->memory.span().subspan(filled_);
}

void BodyStream::Advance(size_t bytes) {
  CHECK(filling_ != nullptr && !finishing_ && bytes <= filling_->memory.size() - filled_);
  // Now, while they are in the cache.
  crc_ = core::Crc32cExtend(crc_, {filling_->memory.data() + filled_, bytes});
  filled_ += static_cast<uint32_t>(bytes);
  bytes_ += bytes;
  if (filled_ == filling_->memory.size()) filling_->writer->Full(this);
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
  StreamWriter* writer = writer_;
  if (filling_ != nullptr) writer->Full(this);
  if (!link_.linked()) writer->waiting_.PushBack(this);
}

void BodyStream::Abort() {
  if (active()) writer_->Aborted(this);
}

void StreamBuffer::OnWritten(const io::OpResult& result) { writer->OnWritten(this, result.result); }

StreamWriter::~StreamWriter() { CHECK(idle() && active_ == 0); }

bool StreamWriter::Begin(BodyStream* stream) {
  CHECK(!stream->active());
  if (active_ >= core::kStreamsPerLog) return false;
  ++active_;
  log_->pool.WantExtents();
  stream->writer_ = this;
  stream->filling_ = nullptr;
  stream->filled_ = 0;
  stream->crc_ = 0;
  stream->writing_ = 0;
  stream->bytes_ = 0;
  stream->extents_.clear();
  stream->finishing_ = stream->finished_ = stream->failed_ = false;
  stream->error_ = core::Status();
  // In order: behind those that wait for a buffer already.
  if (!waiting_.empty() || !Refill(stream)) waiting_.PushBack(stream);
  return true;
}

StreamBuffer* StreamWriter::TakeBuffer() {
  if (!free_.empty()) {
    StreamBuffer* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  if (buffers_.size() >= log_->options.stream_buffers) return nullptr;
  buffers_.push_back(std::make_unique<StreamBuffer>());
  StreamBuffer* buffer = buffers_.back().get();
  buffer->writer = this;
  const uint64_t room = log_->options.segment_bytes - kSegmentDataAt;
  buffer->memory = AlignedBuffer(std::min<uint64_t>(core::kExtentBytesMax, room / kBlock * kBlock));
  buffer->op.Bind<&StreamBuffer::OnWritten>(buffer);
  return buffer;
}

void StreamWriter::FreeBuffer(StreamBuffer* buffer) {
  due_ = true;
  buffer->stream = nullptr;
  buffer->segment = nullptr;
  free_.push_back(buffer);
}

void StreamWriter::Full(BodyStream* stream) {
  StreamBuffer* buffer = stream->filling_;
  stream->filling_ = nullptr;
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
  }
  // The next buffer: at once if there is one, else by Tick, in order.
  if (!stream->finishing_ && (!waiting_.empty() || !Refill(stream)) && !stream->link_.linked()) {
    waiting_.PushBack(stream);
  }
}

bool StreamWriter::Refill(BodyStream* stream) {
  if (stream->writing_ >= kBuffersPerStream) return false;
  StreamBuffer* buffer = TakeBuffer();
  if (buffer == nullptr) return false;
  buffer->stream = stream;
  stream->filling_ = buffer;
  return true;
}

void StreamWriter::Tick() {
  due_ = false;
  while (!waiting_place_.empty()) {
    StreamBuffer* buffer = waiting_place_.front();
    if (buffer->stream == nullptr) {
      FreeBuffer(buffer);
    } else if (!Place(buffer)) {
      if (log_->pool.hopeless() || !log_->pool.above_reserve()) {
        FailStream(buffer->stream,
                   core::Status(core::StatusCode::kResourceExhausted, "the spool is full"));
        --buffer->stream->writing_;
        FreeBuffer(buffer);
      } else {
        break;
      }
    }
    waiting_place_.pop_front();
  }
  for (BodyStream* stream = waiting_.front(); stream != nullptr;) {
    BodyStream* next = waiting_.Next(stream);
    if (stream->finishing_) {
      if (stream->writing_ == 0) {
        waiting_.Remove(stream);
        stream->finished_ = !stream->failed_;
        // The callback may end this stream, but not the one behind it.
        stream->on_finished_(stream->owner_, stream->error_);
      }
    } else if (stream->failed_ || Refill(stream)) {
      waiting_.Remove(stream);
      stream->on_room_(stream->owner_);
    }
    stream = next;
  }
}

bool StreamWriter::Place(StreamBuffer* buffer) {
  const uint32_t room = Align(buffer->length, kBlock);
  if (segment_ != nullptr && (segment_->failed || segment_->bytes - offset_ < room)) {
    segment_->state = SegmentState::kSealed;
    log_->segments.set_may_be_dead(true);
    segment_ = nullptr;
  }
  if (segment_ == nullptr) {
    if (!log_->pool.above_reserve()) return false;
    segment_ = log_->pool.TakeExtents();
    if (segment_ == nullptr) return false;
    offset_ = kSegmentDataAt;
  }
  buffer->segment = segment_;
  buffer->extent.generation = segment_->use.generation;
  buffer->extent.offset = offset_;
  buffer->extent.length = buffer->length;
  // Old bytes of another message must not follow on the disk.
  std::memset(buffer->memory.data() + buffer->length, 0, room - buffer->length);
  offset_ += room;
  segment_->data_end = offset_;
  ++segment_->pins;
  log_->segments.AddExtent(segment_->number, room);
  buffer->part = {buffer->memory.data(), room};
  ++in_flight_;
  log_->io->Write(&buffer->op, segment_->file, {&buffer->part, 1}, buffer->extent.offset);
  return true;
}

void StreamWriter::OnWritten(StreamBuffer* buffer, int32_t result) {
  --in_flight_;
  Segment* segment = buffer->segment;
  --segment->pins;
  if (segment->dead()) log_->segments.set_may_be_dead(true);
  const bool good = result == static_cast<int32_t>(buffer->part.iov_len);
  BodyStream* stream = buffer->stream;
  if (!good) {
    log_->NoteWriteError(result < 0 ? result : -EIO);
    segment->failed = true;  // nothing more goes there; what was written before is good
    if (stream != nullptr) FailStream(stream, log_->last_error);
  } else {
    log_->stats.bytes_written += buffer->part.iov_len;
  }
  if (stream != nullptr) --stream->writing_;
  if (good && stream != nullptr) {
    stream->extents_[buffer->piece] = buffer->extent;
  } else {
    log_->segments.DropExtent(segment->number, Align(buffer->length, kBlock));
  }
  FreeBuffer(buffer);
}

void StreamWriter::FailStream(BodyStream* stream, const core::Status& status) {
  stream->failed_ = true;
  if (stream->error_.ok()) stream->error_ = status;
  if (!stream->link_.linked()) waiting_.PushBack(stream);
}

void StreamWriter::Aborted(BodyStream* stream) {
  if (stream->filling_ != nullptr) FreeBuffer(stream->filling_);
  for (const auto& buffer : buffers_) {
    if (buffer->stream == stream) buffer->stream = nullptr;  // writes end by themselves
  }
  for (const Extent& extent : stream->extents_) log_->DropExtent(extent);
  End(stream);
}

void StreamWriter::Abandon() {
  for (const auto& buffer : buffers_) {
    if (buffer->stream == nullptr) continue;
    BodyStream* stream = buffer->stream;
    buffer->stream = nullptr;
    if (stream->active()) End(stream);
  }
  while (BodyStream* stream = waiting_.front()) End(stream);
  waiting_place_.clear();
  in_flight_ = active_ = 0;
}

void StreamWriter::Claimed(BodyStream* stream) {
  CHECK(stream->finished_);
  End(stream);
}

void StreamWriter::End(BodyStream* stream) {
  if (stream->link_.linked()) stream->link_.Unlink();
  stream->filling_ = nullptr;
  stream->extents_.clear();
  stream->writer_ = nullptr;
  stream->finishing_ = stream->finished_ = stream->failed_ = false;
  --active_;
}

}  // namespace outbox::queue
