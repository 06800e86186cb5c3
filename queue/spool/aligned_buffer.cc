#include "queue/spool/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#include "core/check.h"

namespace outbox::queue {
namespace {

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// At a multiple of the huge page. Advice is advice: who has none goes without.
char* MapHuge(size_t bytes) {
  constexpr size_t kUnit = AlignedBuffer::kHugePage;
  void* const mapped = mmap(nullptr, bytes + kUnit, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const size_t before =
      RoundUp(reinterpret_cast<uintptr_t>(begin), kUnit) - reinterpret_cast<uintptr_t>(begin);
  if (before > 0) CHECK(munmap(begin, before) == 0);
  CHECK(munmap(begin + before + bytes, kUnit - before) == 0);
  madvise(begin + before, bytes / kUnit * kUnit, MADV_HUGEPAGE);
  return begin + before;
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(RoundUp(bytes, io::kBlockBytes)) {
  if (size_ == 0) return;
  data_ = size_ >= kHugePage ? MapHuge(size_)
                             : static_cast<char*>(std::aligned_alloc(io::kBlockBytes, size_));
  CHECK(data_ != nullptr);
}

void AlignedBuffer::Reset() {
  if (size_ >= kHugePage) {
    CHECK(munmap(data_, size_) == 0);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  size_ = 0;
}

}  // namespace outbox::queue
