// AlignedBuffer: memory that O_DIRECT takes, owned.
#ifndef OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_
#define OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "core/check.h"
#include "io/io.h"

namespace outbox::queue {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // `bytes` is rounded up to whole blocks. Not initialised. From kHugePage on the system is asked
  // for huge pages: a write then has one piece of memory to pin instead of hundreds.
  explicit AlignedBuffer(size_t bytes)
      : size_((bytes + io::kBlockBytes - 1) / io::kBlockBytes * io::kBlockBytes),
        data_(static_cast<char*>(
            std::aligned_alloc(size_ >= kHugePage ? kHugePage : io::kBlockBytes, size_))) {
    CHECK(data_ != nullptr || size_ == 0);
    // Advice: who has none goes without.
    if (size_ >= kHugePage) ::madvise(data_.get(), size_ / kHugePage * kHugePage, MADV_HUGEPAGE);
  }

  char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<char> span() const { return {data_.get(), size_}; }
  static constexpr size_t kHugePage = size_t{2} << 20;

  void Reset() {
    data_.reset();
    size_ = 0;
  }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  size_t size_ = 0;
  std::unique_ptr<char, Free> data_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_ALIGNED_BUFFER_H_
