#include "queue/spool/hot_tail.h"

#include <algorithm>
#include <utility>

namespace outbox::queue {
namespace {

// The writer fills one and writes another at the same time.
constexpr uint32_t kReserveArenas = 2;
// Memory that was used last is warm: few arenas suffice while nobody holds leases for long.
constexpr uint32_t kWarmArenas = 4;
// Between two looks at what is needed no more: with arenas of 2 MiB, 64 MiB of mail.
constexpr uint64_t kTakesBetweenLooks = 32;
constexpr int64_t kRestNs = core::kNsPerSecond;

}  // namespace

HotTail::HotTail(uint32_t arena_bytes, uint64_t bytes_max)
    : arena_bytes_(arena_bytes), arenas_max_(static_cast<uint32_t>(bytes_max / arena_bytes)) {
  for (uint32_t i = 0; i < kReserveArenas; ++i) {
    arenas_.push_back(std::make_unique<Arena>());
    arenas_.back()->index = i;
    arenas_.back()->lendable = false;
  }
}

Arena* HotTail::Take(const Segment& segment, uint32_t offset) {
  Arena* best = nullptr;
  Arena* empty = nullptr;
  uint32_t lendable = 0;
  uint32_t busy = 0;
  for (const auto& arena : arenas_) {
    if (arena->lendable && arena->memory.data() != nullptr) ++lendable;
    if (arena->busy()) {
      ++busy;
      continue;
    }
    if (arena->lendable && arena->memory.data() == nullptr) {
      empty = arena.get();
      continue;
    }
    // A lendable one rather than a reserve, then the oldest.
    if (best == nullptr || (arena->lendable && !best->lendable) ||
        (arena->lendable == best->lendable && arena->taken < best->taken)) {
      best = arena.get();
    }
  }
  const bool few = lendable < std::min(kWarmArenas, arenas_max_);
  if ((best == nullptr || !best->lendable || few) && lendable < arenas_max_) {
    if (empty == nullptr) {
      arenas_.push_back(std::make_unique<Arena>());
      empty = arenas_.back().get();
      empty->index = static_cast<uint32_t>(arenas_.size() - 1);
    }
    best = empty;
  }
  CHECK(best != nullptr);
  if (best->memory.data() == nullptr) {
    best->memory = AlignedBuffer(arena_bytes_);
    ++with_memory_;
  }
  best->segment = segment.number;
  best->generation = segment.use.generation;
  best->offset = offset;
  best->filled = 0;
  best->taken = ++takes_;
  newest_ = best->index;
  busy_max_ = std::max(busy_max_, busy + 1);
  if (takes_ % kTakesBetweenLooks == 0) GiveBack();
  return best;
}

void HotTail::Tick(int64_t now_ns) {
  if (with_memory_ <= kReserveArenas + kWarmArenas) {
    look_ns_ = core::kNever;
  } else if (takes_ != takes_seen_ || look_ns_ == core::kNever) {
    takes_seen_ = takes_;
    look_ns_ = now_ns + kRestNs;
  } else if (now_ns >= look_ns_) {
    busy_max_ = 0;
    for (const auto& arena : arenas_) busy_max_ += arena->busy() ? 1 : 0;
    GiveBack();
    look_ns_ = now_ns + kRestNs;
  }
}

// Of the lendable ones that nobody holds, the oldest, as many as were not needed lately.
void HotTail::GiveBack() {
  const uint32_t needed = kReserveArenas + std::max(kWarmArenas, std::exchange(busy_max_, 0));
  while (with_memory_ > needed) {
    Arena* oldest = nullptr;
    for (const auto& arena : arenas_) {
      if (!arena->lendable || arena->busy() || arena->index == newest_ ||
          arena->memory.data() == nullptr) {
        continue;
      }
      if (oldest == nullptr || arena->taken < oldest->taken) oldest = arena.get();
    }
    if (oldest == nullptr) return;
    oldest->memory.Reset();
    oldest->segment = UINT32_MAX;
    --with_memory_;
  }
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
