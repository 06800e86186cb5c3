#include "io/buffer_pool.h"

#include <errno.h>
#include <sys/mman.h>

#include <atomic>
#include <string>

#include "core/check.h"

namespace outbox::io {

// The kernel's struct io_uring_buf.
struct BufferPool::RingEntry {
  uint64_t address;
  uint32_t bytes;
  uint16_t buffer;
  uint16_t tail;  // of the ring, in the first entry; unused in the others
};

namespace {

constexpr uint32_t kBuffersMax = 32768;
// Between two buffers. What comes is short most of the time: without it all buffers' first lines
// would share a few places in the processor's caches.
constexpr uint32_t kStagger = 3 * 64;

// Anonymous memory on pages of its own, or nullptr.
void* MapMemory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

core::Result<std::unique_ptr<BufferPool>> BufferPool::Create(uint32_t count, uint32_t bytes) {
  CHECK(count > 0 && count <= kBuffersMax && (count & (count - 1)) == 0 && bytes > 0);
  static_assert(sizeof(RingEntry) == 16);
  std::unique_ptr<BufferPool> pool(new BufferPool(count, bytes));
  pool->ring_ = static_cast<RingEntry*>(MapMemory(pool->ring_bytes_));
  pool->memory_ = static_cast<char*>(MapMemory(pool->memory_bytes_));
  if (pool->ring_ == nullptr || pool->memory_ == nullptr) {
    return core::Status::FromErrno(ENOMEM, "receive buffers: " + std::to_string(count) + " of " +
                                               std::to_string(bytes) + " bytes");
  }
  return pool;
}

BufferPool::BufferPool(uint32_t count, uint32_t bytes)
    : count_(count),
      bytes_(bytes),
      stride_(bytes + kStagger),
      free_count_(count),
      ring_bytes_(count * sizeof(RingEntry)),
      memory_bytes_(size_t{count} * stride_),
      out_(count, false) {
  free_.reserve(count);
  for (uint32_t buffer = count; buffer > 0; --buffer) free_.push_back(buffer - 1);
}

BufferPool::~BufferPool() {
  if (ring_ != nullptr) CHECK(munmap(ring_, ring_bytes_) == 0);
  if (memory_ != nullptr) CHECK(munmap(memory_, memory_bytes_) == 0);
}

void BufferPool::PublishAll() {
  CHECK(!published_ && free_count_ == count_);
  published_ = true;
  free_.clear();
  for (uint32_t buffer = 0; buffer < count_; ++buffer) Publish(buffer);
}

// Appends a buffer to the kernel's ring. The entry must be there before the tail says so.
void BufferPool::Publish(uint32_t buffer) {
  RingEntry& entry = ring_[tail_ & (count_ - 1)];
  entry.address = reinterpret_cast<uintptr_t>(memory_ + size_t{buffer} * stride_);
  entry.bytes = bytes_;
  entry.buffer = static_cast<uint16_t>(buffer);
  ++tail_;
  std::atomic_ref<uint16_t>(ring_[0].tail).store(tail_, std::memory_order_release);
}

std::span<char> BufferPool::Taken(uint32_t buffer, size_t size) {
  CHECK(published_ && buffer < count_ && !out_[buffer] && size <= bytes_);
  out_[buffer] = true;
  --free_count_;
  return Memory(buffer).first(size);
}

uint32_t BufferPool::Acquire() {
  CHECK(!published_ && !free_.empty());
  const uint32_t buffer = free_.back();
  free_.pop_back();
  out_[buffer] = true;
  --free_count_;
  return buffer;
}

std::span<char> BufferPool::Memory(uint32_t buffer) {
  CHECK(buffer < count_ && out_[buffer]);
  return std::span<char>(memory_ + size_t{buffer} * stride_, bytes_);
}

void BufferPool::Return(uint32_t buffer) {
  CHECK(buffer < count_ && out_[buffer]);
  out_[buffer] = false;
  ++free_count_;
  if (published_) {
    Publish(buffer);
  } else {
    free_.push_back(buffer);
  }
}

}  // namespace outbox::io
