#include "core/undumped_heap.h"

#include <jemalloc/jemalloc.h>
#include <sys/mman.h>

// Null in a program without jemalloc.
#pragma weak mallocx
#pragma weak dallocx
#pragma weak sallocx
#pragma weak mallctl

namespace outbox::core {
namespace {

constexpr int kNotAsked = 0;
constexpr int kNone = -1;

// What jemalloc does by itself, but for Alloc, which marks what it gets. Never freed: arenas live
// for ever.
struct Hooks {
  extent_hooks_t all;
  extent_alloc_t* alloc;
};

void* AllocMarked(extent_hooks_t* hooks, void* wanted, size_t size, size_t alignment, bool* zero,
                  bool* commit, unsigned arena) {
  auto* const ours = reinterpret_cast<Hooks*>(hooks);
  void* const pages = ours->alloc(hooks, wanted, size, alignment, zero, commit, arena);
  if (pages == nullptr || madvise(pages, size, MADV_DONTDUMP) == 0) return pages;
  ours->all.dalloc(hooks, pages, size, *commit, arena);
  return nullptr;
}

extent_hooks_t* MakeHooks() {
  extent_hooks_t* usual = nullptr;
  size_t size = sizeof(usual);
  if (mallctl("arena.0.extent_hooks", &usual, &size, nullptr, 0) != 0) return nullptr;
  static Hooks hooks;
  hooks.all = *usual;
  hooks.alloc = usual->alloc;
  hooks.all.alloc = &AllocMarked;
  return &hooks.all;
}

// For mallocx: the arena and the cache of a new thread; kNone: it gets none.
int MakeFlags() {
  static extent_hooks_t* const made = MakeHooks();
  extent_hooks_t* hooks = made;
  if (hooks == nullptr) return kNone;
  unsigned arena = 0;
  size_t size = sizeof(arena);
  if (mallctl("arenas.create", &arena, &size, &hooks, sizeof(hooks)) != 0) return kNone;
  const int flags = MALLOCX_ARENA(arena);
  // No memory but that of such arenas meets this cache.
  unsigned cache = 0;
  size = sizeof(cache);
  if (mallctl("tcache.create", &cache, &size, nullptr, 0) != 0) return flags | MALLOCX_TCACHE_NONE;
  return flags | MALLOCX_TCACHE(cache);
}

thread_local int thread_flags = kNotAsked;

int Flags() {
  if (thread_flags == kNotAsked) thread_flags = MakeFlags();
  return thread_flags;
}

}  // namespace

bool UndumpedHeap::available() { return mallocx != nullptr; }

void* UndumpedHeap::Alloc(size_t size) {
  const int flags = Flags();
  return flags == kNone ? nullptr : mallocx(size == 0 ? 1 : size, flags);
}

void UndumpedHeap::Free(void* memory) {
  const int flags = Flags();
  dallocx(memory, flags == kNone ? MALLOCX_TCACHE_NONE : flags);
}

size_t UndumpedHeap::SizeOf(void* memory) { return sallocx(memory, 0); }

}  // namespace outbox::core
