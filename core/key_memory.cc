#include "core/key_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "core/limits.h"
#include "core/undumped_heap.h"

namespace outbox::core {
namespace {

// In front of every piece, so that pieces lie on 16 bytes.
struct alignas(16) PieceHead {
  size_t size = 0;  // as it was asked for
};

thread_local int key_scopes = 0;

// Pieces of powers of two, head included. A piece that comes back waits for the next one of its
// size: keys come and go in the same few sizes.
class KeyRegion {
 public:
  static KeyRegion& Get() {
    static KeyRegion* const region = new KeyRegion;
    return *region;
  }

  bool Holds(const void* memory) const {
    const auto at = reinterpret_cast<uintptr_t>(memory);
    const auto begin = reinterpret_cast<uintptr_t>(begin_);
    return begin_ != nullptr && at >= begin && at < begin + kKeyMemoryBytes;
  }

  void* Alloc(size_t size) {
    if (begin_ == nullptr || size > kLargest - sizeof(PieceHead)) return nullptr;
    const size_t order = OrderOf(size);
    const std::lock_guard<std::mutex> lock(mutex_);
    FreePiece*& first = free_[order];
    void* piece = first;
    if (first != nullptr) {
      first = first->next;
    } else {
      piece = Cut(size_t{1} << order);
      if (piece == nullptr) return nullptr;
    }
    new (piece) PieceHead{size};
    return static_cast<char*>(piece) + sizeof(PieceHead);
  }

  void Free(void* memory) {
    char* const piece = static_cast<char*>(memory) - sizeof(PieceHead);
    const size_t size = reinterpret_cast<PieceHead*>(piece)->size;
    explicit_bzero(memory, size);
    const std::lock_guard<std::mutex> lock(mutex_);
    FreePiece*& first = free_[OrderOf(size)];
    first = new (piece) FreePiece{first};
  }

 private:
  struct FreePiece {
    FreePiece* next = nullptr;
  };

  static constexpr size_t kLargest = size_t{1} << 20;
  static constexpr size_t kStep = size_t{64} << 10;  // so much more is locked at a time

  KeyRegion() {
    void* const region = mmap(nullptr, kKeyMemoryBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) return;
    if (madvise(region, kKeyMemoryBytes, MADV_DONTDUMP) != 0) {
      munmap(region, kKeyMemoryBytes);
      return;
    }
    begin_ = static_cast<char*>(region);
  }

  static size_t OrderOf(size_t size) {
    return static_cast<size_t>(std::bit_width(std::max<size_t>(size + sizeof(PieceHead), 32) - 1));
  }

  void* Cut(size_t bytes) {
    if (kKeyMemoryBytes - used_ < bytes) return nullptr;
    char* const piece = begin_ + used_;
    used_ += bytes;
    while (locked_ < used_) {
      mlock(begin_ + locked_, kStep);  // without the right to it the page may be swapped out
      locked_ += kStep;
    }
    return piece;
  }

  char* begin_ = nullptr;
  std::mutex mutex_;
  size_t used_ = 0;  // guarded by mutex_, like the rest
  size_t locked_ = 0;
  std::array<FreePiece*, 32> free_ = {};  // by order
};

}  // namespace

KeyScope::KeyScope() { ++key_scopes; }

KeyScope::~KeyScope() {
  --key_scopes;
  WipeStack();
}

[[gnu::noinline]] void WipeStack() {
  char left[kWipedStackBytes];
  explicit_bzero(left, sizeof(left));
}

bool IsKeyMemory(const void* memory) { return KeyRegion::Get().Holds(memory); }

}  // namespace outbox::core

void* OPENSSL_memory_alloc(size_t size) {
  using outbox::core::PieceHead;
  using outbox::core::UndumpedHeap;
  if (outbox::core::key_scopes > 0) return outbox::core::KeyRegion::Get().Alloc(size);
  if (UndumpedHeap::available()) return UndumpedHeap::Alloc(size);
  if (size > SIZE_MAX - sizeof(PieceHead)) return nullptr;
  void* const piece = std::malloc(sizeof(PieceHead) + size);
  if (piece == nullptr) return nullptr;
  new (piece) PieceHead{size};
  return static_cast<char*>(piece) + sizeof(PieceHead);
}

void OPENSSL_memory_free(void* memory) {
  using outbox::core::KeyRegion;
  using outbox::core::UndumpedHeap;
  if (memory == nullptr) return;
  if (KeyRegion::Get().Holds(memory)) return KeyRegion::Get().Free(memory);
  explicit_bzero(memory, OPENSSL_memory_get_size(memory));
  if (UndumpedHeap::available()) return UndumpedHeap::Free(memory);
  std::free(static_cast<char*>(memory) - sizeof(outbox::core::PieceHead));
}

size_t OPENSSL_memory_get_size(void* memory) {
  using outbox::core::KeyRegion;
  using outbox::core::PieceHead;
  using outbox::core::UndumpedHeap;
  if (memory == nullptr) return 0;
  if (UndumpedHeap::available() && !KeyRegion::Get().Holds(memory)) {
    return UndumpedHeap::SizeOf(memory);
  }
  const char* const piece = static_cast<char*>(memory) - sizeof(PieceHead);
  return reinterpret_cast<const PieceHead*>(piece)->size;
}
