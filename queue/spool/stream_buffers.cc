#include "queue/spool/stream_buffers.h"

#include "core/check.h"

namespace outbox::queue {
namespace {

// They are made so many at a time, in one piece of memory.
constexpr uint32_t kGrowBy = 8;

}  // namespace

StreamBuffers::~StreamBuffers() {
  CHECK(leases_ == 0);
  for (StreamBufferList* list : {&makes_room_, &kept_}) {
    while (list->PopFront() != nullptr) {
    }
  }
}

uint32_t StreamBuffers::takeable() const {
  const size_t unmade = count_ - buffers_.size();
  return static_cast<uint32_t>(free_.size() + makes_room_count_ + unmade);
}

bool StreamBuffers::HasRoomFor(uint32_t count, int64_t now_ns) {
  if (takeable() >= count) return true;
  while (!kept_.empty() && KeptUntilNs() <= now_ns) {
    StreamBuffer* buffer = kept_.PopFront();
    ++kept_in_vain_;
    buffer->makes_room = true;
    makes_room_.PushBack(buffer);
    ++makes_room_count_;
  }
  return takeable() >= count;
}

StreamBuffer* StreamBuffers::Take(int64_t now_ns) {
  if (!HasRoomFor(1, now_ns)) return nullptr;
  if (free_.empty() && makes_room_.empty()) Grow();
  StreamBuffer* buffer = nullptr;
  if (!free_.empty()) {
    buffer = free_.back();
    free_.pop_back();
  } else {
    buffer = makes_room_.PopFront();
    --makes_room_count_;
  }
  buffer->kept = buffer->makes_room = false;
  return buffer;
}

void StreamBuffers::Grow() {
  const uint32_t have = static_cast<uint32_t>(buffers_.size());
  const uint32_t more = std::min(kGrowBy, count_ - have);
  memory_.emplace_back(size_t{more} * piece_bytes_);
  for (uint32_t i = 0; i < more; ++i) {
    buffers_.push_back(std::make_unique<StreamBuffer>());
    StreamBuffer* buffer = buffers_.back().get();
    buffer->index = have + i;
    buffer->memory = memory_.back().span().subspan(size_t{i} * piece_bytes_, piece_bytes_);
  }
  for (uint32_t i = more; i > 0; --i) free_.push_back(buffers_[have + i - 1].get());
}

void StreamBuffers::Free(StreamBuffer* buffer) {
  buffer->stream = nullptr;
  free_.push_back(buffer);
}

void StreamBuffers::Keep(StreamBuffer* buffer, int64_t now_ns) {
  buffer->stream = nullptr;
  buffer->kept = true;
  buffer->since_ns = now_ns;
  kept_.PushBack(buffer);
}

// While nothing of what comes is sent, there is no use in waiting for it.
int64_t StreamBuffers::KeptUntilNs() {
  return kept_.front()->since_ns + (kept_in_vain_ >= count_ ? 0 : kKeepNs);
}

// What is older makes room as soon as it is needed.
int64_t StreamBuffers::NextRoomNs(int64_t now_ns) {
  if (kept_.empty() || KeptUntilNs() <= now_ns) return core::kNever;
  return KeptUntilNs();
}

void StreamBuffers::Forget(const BodyStream* stream) {
  for (const auto& buffer : buffers_) {
    if (buffer->stream == stream) buffer->stream = nullptr;
  }
}

Window StreamBuffers::Lease(const Extent& extent) {
  kept_in_vain_ = 0;  // big messages are being sent, if not this one in time
  for (const auto& buffer : buffers_) {
    if (!buffer->kept || buffer->extent != extent) continue;
    if (buffer->leases == 0) {
      if (lent_ + std::max(2u, never_lent()) >= count_) return {};
      ++lent_;
      buffer->link.Unlink();
      if (std::exchange(buffer->makes_room, false)) --makes_room_count_;
    }
    ++buffer->leases;
    ++leases_;
    return {buffer->memory.data(), extent.length, kMark | buffer->index};
  }
  return {};
}

void StreamBuffers::Return(uint32_t name) {
  const uint32_t index = name & ~kMark;
  CHECK(index < buffers_.size());
  StreamBuffer* buffer = buffers_[index].get();
  CHECK(buffer->kept && buffer->leases > 0);
  --leases_;
  if (--buffer->leases > 0) return;
  --lent_;
  buffer->makes_room = true;
  makes_room_.PushFront(buffer);
  ++makes_room_count_;
}

}  // namespace outbox::queue
