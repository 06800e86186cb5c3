// KeyMemory: where private keys live, in pages that no core file shows.
//
// BoringSSL keeps what it knows of a key (and what it computes on the way to a signature) in memory
// of its own. It asks OPENSSL_memory_alloc and its kin for that, if a program has them: those here
// give memory of one private region (madvise(2), MADV_DONTDUMP; locked where the process may lock
// memory) to a thread that is in a KeyScope, and the C library's to everybody else. What is given
// back is overwritten, both kinds.
//
// The region is core::kDkimKeyMemoryBytes large, is reserved with the first key, and takes real
// memory only as far as keys have filled it. When it is full, or cannot be had, BoringSSL sees an
// allocation that failed. Any thread.
#ifndef OUTBOX_DKIM_KEY_MEMORY_H_
#define OUTBOX_DKIM_KEY_MEMORY_H_

#include <cstddef>

namespace outbox::dkim {

// While one is there, what its thread has BoringSSL allocate is a secret.
class KeyScope {
 public:
  KeyScope();
  KeyScope(const KeyScope&) = delete;
  KeyScope& operator=(const KeyScope&) = delete;
  ~KeyScope();
};

// Whether `memory` lies in the region; for tests.
bool IsKeyMemory(const void* memory);

}  // namespace outbox::dkim

// What BoringSSL looks for.
extern "C" {
void* OPENSSL_memory_alloc(size_t size);
void OPENSSL_memory_free(void* memory);
size_t OPENSSL_memory_get_size(void* memory);
}

#endif  // OUTBOX_DKIM_KEY_MEMORY_H_
