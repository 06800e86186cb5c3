#include "queue/client_limits.h"

#include <algorithm>
#include <string_view>

#include "core/check.h"
#include "core/hash.h"

namespace outbox::queue {
namespace {

uint64_t HashOf(const core::IpAddress& client) {
  const auto& octets = client.octets();
  return core::Hash64(
      std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size()));
}

}  // namespace

ClientLimits::ClientLimits() : table_(std::make_unique<Table>()) {}

// An entry with count 0 is free whatever its key. A key may for a moment stand in two entries (an
// earlier one of its probe sequence fell free while a later one held it): the limit is then looser
// by what the second holds, until both are empty. Release takes from whichever it finds.
ClientLimits::Admission ClientLimits::Admit(const core::IpAddress& client, uint32_t total_max,
                                            uint32_t client_max) {
  if (total_.fetch_add(1, std::memory_order_relaxed) >= std::min(total_max, bound_)) {
    total_.fetch_sub(1, std::memory_order_relaxed);
    return Admission::kTooManyInAll;
  }
  const uint64_t hash = HashOf(client);
  const uint64_t key = hash & ~kCountMask;
  const uint64_t limit = std::min<uint64_t>(client_max, kCountMask);
  size_t free_probe = kProbesMax;
  for (size_t probe = 0; probe <= kProbesMax; ++probe) {
    const bool claim = probe == kProbesMax;
    if (claim && free_probe == kProbesMax) break;
    auto& word = table_->words[(hash + (claim ? free_probe : probe)) % kEntries];
    uint64_t seen = word.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t count = seen & kCountMask;
      const bool mine = (seen & ~kCountMask) == key;
      if (count == 0 && !claim && !mine) {
        free_probe = std::min(free_probe, probe);
        break;
      }
      if (count > 0 && !mine) break;
      if (count >= limit) {
        total_.fetch_sub(1, std::memory_order_relaxed);
        return Admission::kTooManyOfClient;
      }
      if (word.compare_exchange_weak(seen, key | (count + 1), std::memory_order_relaxed)) {
        return Admission::kAdmitted;
      }
    }
  }
  total_.fetch_sub(1, std::memory_order_relaxed);
  return Admission::kTableFull;
}

void ClientLimits::Release(const core::IpAddress& client) {
  total_.fetch_sub(1, std::memory_order_relaxed);
  const uint64_t hash = HashOf(client);
  const uint64_t key = hash & ~kCountMask;
  for (size_t probe = 0; probe < kProbesMax; ++probe) {
    auto& word = table_->words[(hash + probe) % kEntries];
    uint64_t seen = word.load(std::memory_order_relaxed);
    while ((seen & ~kCountMask) == key && (seen & kCountMask) > 0) {
      if (word.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed)) return;
    }
  }
  CHECK(false);  // released what was never admitted
}

uint32_t ClientLimits::CountOf(const core::IpAddress& client) const {
  const uint64_t hash = HashOf(client);
  const uint64_t key = hash & ~kCountMask;
  uint64_t count = 0;
  for (size_t probe = 0; probe < kProbesMax; ++probe) {
    const uint64_t seen = table_->words[(hash + probe) % kEntries].load(std::memory_order_relaxed);
    if ((seen & ~kCountMask) == key) count += seen & kCountMask;
  }
  return static_cast<uint32_t>(count);
}

}  // namespace outbox::queue
