// UndumpedHeap: memory of any size that core files leave out, and that costs what the C library's
// does.
//
// An arena of jemalloc's for each thread, whose pages are marked as they are had from the kernel
// (madvise(2), MADV_DONTDUMP), with a cache of its own in front. outboxd has it; a program that is
// not linked with jemalloc has not, and says so by available(). Any thread may free what another
// one was given.
//
// Arenas are as many as threads that have ever asked, and stay: for threads that live as long as
// the process.
#ifndef OUTBOX_CORE_UNDUMPED_HEAP_H_
#define OUTBOX_CORE_UNDUMPED_HEAP_H_

#include <cstddef>

namespace outbox::core {

class UndumpedHeap {
 public:
  static bool available();
  // All below REQUIRE that. Null: there is no memory, or none that can be marked.
  static void* Alloc(size_t size);
  static void Free(void* memory);
  // What may be written to: at least what was asked for.
  static size_t SizeOf(void* memory);
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_UNDUMPED_HEAP_H_
