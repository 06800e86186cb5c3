// KeyMemory: where BoringSSL keeps secrets, in pages that no core file shows.
//
// BoringSSL keeps private keys, the secrets of sessions, the keys of tickets, and what it computes
// on the way, in memory of its own. It asks OPENSSL_memory_alloc and its kin for that, if a program
// has them. Those here give a thread that is in a KeyScope memory of one private region
// (madvise(2), MADV_DONTDUMP; locked where the process may lock memory): that is for private keys.
// Everybody else gets memory of core/undumped_heap.h, which is left out of core files as well, but
// may be swapped out; in a program without that heap, the C library's. What is given back is
// overwritten, all of it.
//
// The region is core::kKeyMemoryBytes large, is reserved with the first key, and takes real memory
// only as far as keys have filled it. When it is full, or cannot be had, BoringSSL sees an
// allocation that failed. Any thread.
#ifndef OUTBOX_CORE_KEY_MEMORY_H_
#define OUTBOX_CORE_KEY_MEMORY_H_

#include <cstddef>

namespace outbox::core {

// While one is there, what its thread has BoringSSL allocate is a secret. At its end WipeStack.
class KeyScope {
 public:
  KeyScope();
  KeyScope(const KeyScope&) = delete;
  KeyScope& operator=(const KeyScope&) = delete;
  ~KeyScope();
};

// Overwrites what calls that have returned left on the stack of this thread, kWipedStackBytes below
// the caller's own: secrets that BoringSSL worked with. Costs less than a microsecond.
void WipeStack();
inline constexpr size_t kWipedStackBytes = size_t{32} << 10;

// Whether `memory` lies in the region; for tests.
bool IsKeyMemory(const void* memory);

}  // namespace outbox::core

// What BoringSSL looks for.
extern "C" {
void* OPENSSL_memory_alloc(size_t size);
void OPENSSL_memory_free(void* memory);
size_t OPENSSL_memory_get_size(void* memory);
}

#endif  // OUTBOX_CORE_KEY_MEMORY_H_
