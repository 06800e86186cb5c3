// BufferPool: the provided buffers, of which a receive takes one when bytes are there.
//
// An idle connection costs no receive buffer: the kernel picks one of these at the moment it has
// bytes to put in. The pool is a piece of memory cut into equal buffers and, beside it, the ring
// through which the kernel is told what is free (IORING_REGISTER_PBUF_RING: an array of entries,
// whose tail lies in the first entry's last field). Without such a ring (an old kernel, or masked)
// we pick ourselves by Acquire().
//
// Owned by UringIo, used on its thread.
#ifndef OUTBOX_IO_BUFFER_POOL_H_
#define OUTBOX_IO_BUFFER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/status.h"

namespace outbox::io {

class BufferPool {
 public:
  // `count` is a power of two, 1 to 32768; `bytes` > 0. All buffers are free; the kernel has none.
  static core::Result<std::unique_ptr<BufferPool>> Create(uint32_t count, uint32_t bytes);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  uint32_t count() const { return count_; }
  // Buffers that nobody holds.
  uint32_t free_count() const { return free_count_; }
  void* ring_memory() const { return ring_; }

  // Hands all buffers to the kernel, once; from now on the kernel picks (Taken), we do not
  // (Acquire).
  void PublishAll();
  // The kernel has picked `buffer` and put `size` bytes in it. REQUIRES: it was free, size fits.
  std::span<char> Taken(uint32_t buffer, size_t size);
  // Picks a buffer. REQUIRES: not published, free_count() > 0.
  uint32_t Acquire();
  // The whole of a buffer that is out.
  std::span<char> Memory(uint32_t buffer);
  // REQUIRES: `buffer` is out.
  void Return(uint32_t buffer);

 private:
  struct RingEntry;

  BufferPool(uint32_t count, uint32_t bytes);
  void Publish(uint32_t buffer);

  const uint32_t count_;
  const uint32_t bytes_;
  const uint32_t stride_;  // from one to the next
  uint32_t free_count_;
  bool published_ = false;
  uint16_t tail_ = 0;
  RingEntry* ring_ = nullptr;
  char* memory_ = nullptr;
  size_t ring_bytes_ = 0;
  size_t memory_bytes_ = 0;
  std::vector<bool> out_;
  std::vector<uint32_t> free_;  // when not published: a stack
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_BUFFER_POOL_H_
