#include "queue/spool/fetcher.h"

#include <algorithm>
#include <cerrno>

#include "core/crc32c.h"
#include "core/limits.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// A record's entry, not aligned in its blocks.
constexpr uint32_t kBufferBytes =
    std::max(core::kRecordBytesMax, core::kExtentBytesMax) + 2 * kBlock;
// Free ones that keep their memory. A burst of cold mail takes more, which goes back with it.
constexpr uint32_t kWarmBuffers = 8;

}  // namespace

Fetcher::~Fetcher() { CHECK(idle() && lent_ == 0); }

void Fetcher::Fetch(FetchOp* op) {
  CHECK(!op->in_flight);
  op->in_flight = true;
  op->scratch[kCancelled] = 0;
  op->scratch[kId] = op->message->id;
  waiting_.PushBack(op);
}

void Fetcher::Cancel(FetchOp* op) {
  if (!op->in_flight) return;
  for (const auto& buffer : buffers_) {
    if (buffer->fetch == op) {
      buffer->cancelled = true;
      return;
    }
  }
  // Completes with the next Tick, without waiting for a buffer.
  op->scratch[kCancelled] = 1;
  cancelled_ = true;
  waiting_.Remove(op);
  waiting_.PushFront(op);
}

bool Fetcher::CanGrow() const { return buffers_.size() < log_->options.fetch_buffers; }

Fetcher::Buffer* Fetcher::TakeBuffer() {
  if (free_ == 0 && CanGrow()) {
    buffers_.push_back(std::make_unique<Buffer>());
    Buffer& buffer = *buffers_.back();
    buffer.fetcher = this;
    buffer.index = static_cast<uint32_t>(buffers_.size() - 1);
    buffer.op.Bind<&Buffer::OnRead>(&buffer);
    ++free_;
  }
  if (free_ == 0) return nullptr;
  Buffer* best = nullptr;
  for (const auto& buffer : buffers_) {
    if (buffer->in_use) continue;
    best = buffer.get();
    if (best->memory.data() != nullptr) break;
  }
  CHECK(best != nullptr);
  if (best->memory.data() == nullptr) {
    best->memory = AlignedBuffer(kBufferBytes);
    ++with_memory_;
  }
  best->in_use = true;
  --free_;
  return best;
}

void Fetcher::Free(Buffer* buffer) {
  buffer->in_use = false;
  ++free_;
  const uint32_t out = static_cast<uint32_t>(buffers_.size()) - free_;
  if (!waiting_.empty() || with_memory_ - out <= kWarmBuffers) return;
  buffer->memory.Reset();
  --with_memory_;
}

void Fetcher::Tick() {
  cancelled_ = false;
  while (FetchOp* op = waiting_.front()) {
    if (op->scratch[kCancelled] != 0) {
      waiting_.Remove(op);
      Finish(op, core::Status(core::StatusCode::kCancelled, "fetch cancelled"), {});
      continue;
    }
    Buffer* buffer = TakeBuffer();
    if (buffer == nullptr) return;
    waiting_.Remove(op);
    Start(op, buffer);
  }
}

bool Fetcher::Locate(const FetchOp& op, Buffer* buffer) {
  const Message* message = log_->messages.Find(op.scratch[kId]);
  if (message == nullptr) return false;  // finished while the fetch waited
  Segment* segment = nullptr;
  if (op.part == 0 || op.part == FetchOp::kPartState) {
    const RecordPlace place = op.part == 0 ? message->place : message->state;
    if (!place.set()) return false;
    segment = &log_->segments[place.segment()];
    buffer->start = place.offset();
    buffer->length = place.length();
  } else {
    // The caller's extent may be of a meta that was read before the body was moved.
    const auto found = log_->extents.find(message->id);
    if (found == log_->extents.end() || op.part > found->second.size()) return false;
    const Extent& extent = found->second[op.part - 1];
    if (extent.length != op.extent.length || extent.crc != op.extent.crc) return false;
    segment = log_->segments.ByGeneration(extent.generation);
    buffer->start = extent.offset;
    buffer->length = extent.length;
  }
  if (segment == nullptr || !segment->in_use() || segment->state == SegmentState::kRetiring) {
    return false;
  }
  buffer->segment = segment;
  return uint64_t{buffer->start} + buffer->length <= segment->bytes &&
         buffer->length <= kBufferBytes - 2 * kBlock;
}

void Fetcher::Start(FetchOp* op, Buffer* buffer) {
  if (!Locate(*op, buffer)) {
    Free(buffer);
    Finish(op, core::Status(core::StatusCode::kNotFound, "no such part in the spool"), {});
    return;
  }
  buffer->fetch = op;
  buffer->cancelled = false;
  buffer->offset = buffer->start / kBlock * kBlock;
  const uint64_t end = uint64_t{buffer->start} + buffer->length;
  const uint32_t bytes = Align(static_cast<uint32_t>(end - buffer->offset), kBlock);
  ++buffer->segment->pins;
  ++in_flight_;
  log_->io->Read(&buffer->op, buffer->segment->file, buffer->memory.span().first(bytes),
                 buffer->offset);
}

void Fetcher::OnRead(Buffer* buffer, const io::OpResult& result) {
  --in_flight_;
  --buffer->segment->pins;
  if (buffer->segment->dead()) log_->segments.set_may_be_dead(true);
  FetchOp* op = buffer->fetch;
  buffer->fetch = nullptr;
  Window window;
  core::Status status;
  if (buffer->cancelled) {
    status = core::Status(core::StatusCode::kCancelled, "fetch cancelled");
  } else {
    status = Check(*buffer, *op, result.result, &window);
  }
  if (status.ok()) {
    ++lent_;
  } else {
    Free(buffer);
    window = {};
  }
  Finish(op, status, window);
}

core::Status Fetcher::Check(const Buffer& buffer, const FetchOp& op, int32_t result,
                            Window* window) const {
  const auto what = [&buffer] { return SegmentFileName(buffer.segment->number); };
  if (result < 0) return core::Status::FromErrno(-result, "read " + what());
  const uint32_t skip = buffer.start - static_cast<uint32_t>(buffer.offset);
  if (static_cast<uint32_t>(result) < skip + buffer.length) {
    return core::Status(core::StatusCode::kIoError, "read " + what() + ": short");
  }
  const std::span<const char> bytes(buffer.memory.data() + skip, buffer.length);
  const uint32_t name = kMark | buffer.index;
  if (op.part != 0 && op.part != FetchOp::kPartState) {
    if (core::Crc32c(bytes) != op.extent.crc) {
      return core::Status(core::StatusCode::kDataLoss, what() + ": extent damaged");
    }
    *window = {bytes.data(), buffer.length, name};
    return core::Status();
  }
  if (!EntryIntact(buffer.segment->use, buffer.start, bytes) ||
      DecodeEntryHeader(bytes.data()).id != op.scratch[kId]) {
    return core::Status(core::StatusCode::kDataLoss, what() + ": record damaged");
  }
  *window = {bytes.data() + kEntryHeaderBytes, buffer.length - kEntryHeaderBytes, name};
  return core::Status();
}

void Fetcher::Finish(FetchOp* op, const core::Status& status, Window window) {
  op->in_flight = false;
  op->done(op, status, window);
}

void Fetcher::Abandon() {
  while (waiting_.PopFront() != nullptr) {
  }
  in_flight_ = lent_ = 0;
}

void Fetcher::Return(uint32_t name) {
  Buffer& buffer = *buffers_[name & ~kMark];
  CHECK(buffer.in_use && buffer.fetch == nullptr && lent_ > 0);
  Free(&buffer);
  --lent_;
}

}  // namespace outbox::queue
