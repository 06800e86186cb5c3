#include "queue/spool/hot_tail.h"

#include <algorithm>

namespace outbox::queue {
namespace {

// The writer fills one and writes another at the same time.
constexpr uint32_t kReserveArenas = 2;

}  // namespace

HotTail::HotTail(uint32_t arena_bytes, uint64_t bytes_max)
    : arena_bytes_(arena_bytes),
      arenas_max_(static_cast<uint32_t>(bytes_max / arena_bytes)) {
  for (uint32_t i = 0; i < kReserveArenas; ++i) {
    arenas_.push_back(std::make_unique<Arena>());
    arenas_.back()->index = i;
    arenas_.back()->lendable = false;
  }
}

Arena* HotTail::Take(const Segment& segment, uint32_t offset) {
  Arena* best = nullptr;
  uint32_t lendable = 0;
  for (const auto& arena : arenas_) {
    if (arena->lendable) ++lendable;
    if (arena->leases > 0 || arena->users > 0) continue;
    // A lendable one rather than a reserve, then the oldest.
    if (best == nullptr || (arena->lendable && !best->lendable) ||
        (arena->lendable == best->lendable && arena->taken < best->taken)) {
      best = arena.get();
    }
  }
  // Memory that was used last is warm: few arenas suffice while nobody holds leases for long.
  constexpr uint32_t kWarmArenas = 4;
  const bool few = lendable < std::min(kWarmArenas, arenas_max_);
  if ((best == nullptr || !best->lendable || few) && lendable < arenas_max_) {
    arenas_.push_back(std::make_unique<Arena>());
    best = arenas_.back().get();
    best->index = static_cast<uint32_t>(arenas_.size() - 1);
  }
  CHECK(best != nullptr);
  if (best->memory.data() == nullptr) best->memory = AlignedBuffer(arena_bytes_);
  best->segment = segment.number;
  best->generation = segment.use.generation;
  best->offset = offset;
  best->filled = 0;
  best->taken = ++takes_;
  newest_ = best->index;
  return best;
}

Window HotTail::Lease(const Segment& segment, uint32_t offset, uint32_t length) {
  const uint32_t count = static_cast<uint32_t>(arenas_.size());
  for (uint32_t i = 0; i < count; ++i) {
    Arena& arena = *arenas_[(newest_ + i) % count];
    if (!arena.lendable || arena.segment != segment.number ||
        arena.generation != segment.use.generation || offset < arena.offset ||
        offset - arena.offset > arena.filled || length > arena.filled - (offset - arena.offset)) {
      continue;
    }
    if (arena.leases++ == 0) ++leased_arenas_;
    ++leases_;
    return {arena.memory.data() + (offset - arena.offset), length, arena.index};
  }
  return {};
}

void HotTail::Return(uint32_t index) {
  CHECK(index < arenas_.size());
  Arena& arena = *arenas_[index];
  CHECK(arena.leases > 0);
  --leases_;
  if (--arena.leases == 0) --leased_arenas_;
}

}  // namespace outbox::queue
