// AlignedBuffer: memory that O_DIRECT takes, owned.
//
// From kHugePage on it is a mapping of its own, for which the system is asked for huge pages: a
// write then has one piece of memory to pin instead of hundreds. It is not the heap's, since what
// has once been asked for huge pages stays so: freed and given to small objects, it had cost a
// queue of a million 40 MB.
#ifndef OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_
#define OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_

#include <cstddef>
#include <span>
#include <utility>

#include "io/io.h"

namespace outbox::queue {

class AlignedBuffer {
 public:
  static constexpr size_t kHugePage = size_t{2} << 20;

  AlignedBuffer() = default;
  // `bytes` is rounded up to whole blocks. Not initialised.
  explicit AlignedBuffer(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : size_(std::exchange(other.size_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~AlignedBuffer() { Reset(); }

  char* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<char> span() const { return {data_, size_}; }

  void Reset();

 private:
  size_t size_ = 0;
  char* data_ = nullptr;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_
