#include "queue/site.h"

#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/time.h"

namespace outbox::queue {
namespace {

// Entries that a hash can lie in: its home and those behind. When others refer to all of them the
// site waits until one is left.
constexpr size_t kProbes = 16;
// How long an entry that nobody refers to keeps its backoff, if there is room for others.
constexpr int64_t kSiteAgeNs = 10 * core::kNsPerMinute;
// Looks at the `making_` flag before Acquire gives up for this time. Making an entry takes well
// under a microsecond; the bound matters only when the other thread was descheduled in the middle.
constexpr int kMakingSpins = 1000;

}  // namespace

SiteTable::SiteTable(size_t capacity)
    : mask_(capacity - 1), sites_(std::make_unique<Site[]>(capacity)) {
  CHECK(std::has_single_bit(capacity) && capacity >= kProbes);
}

// A key is only replaced by who holds `making_`, and only when nobody refers to the entry. So who
// has raised the count and still sees the key has the entry.
uint32_t SiteTable::Find(uint64_t hash) {
  for (size_t i = 0; i < kProbes; ++i) {
    const size_t index = (hash + i) & mask_;
    Site& site = sites_[index];
    if (site.key.load() != hash) continue;
    site.references.fetch_add(1);
    if (site.key.load() == hash) return static_cast<uint32_t>(index);
    site.references.fetch_sub(1);
  }
  return kNoSite;
}

uint32_t SiteTable::Acquire(uint64_t hash, uint32_t limit, int64_t now_ns, uint32_t generation) {
  CHECK(hash != 0 && limit > 0);
  uint32_t index = Find(hash);
  for (int spin = 0; index == kNoSite && spin < kMakingSpins; ++spin) {
    if (making_.exchange(true)) continue;
    index = Find(hash);  // somebody may have made it before we had the flag
    if (index == kNoSite) index = Make(hash, limit, now_ns, generation);
    making_.store(false);
    break;
  }
  if (index != kNoSite) sites_[index].slots.OfferLimit(limit, generation);
  return index;
}

// A free entry; else one that has nothing to remember; else, since mail that can go is worth more
// than a backoff, the one that was left the longest ago.
uint32_t SiteTable::Make(uint64_t hash, uint32_t limit, int64_t now_ns, uint32_t generation) {
  uint32_t oldest = kNoSite;
  for (size_t i = 0; i < kProbes; ++i) {
    const uint32_t index = static_cast<uint32_t>((hash + i) & mask_);
    Site& site = sites_[index];
    if (site.references.load() != 0) continue;
    const bool young = now_ns - site.left_ns.load() < kSiteAgeNs;
    const bool remembers = site.key.load() != 0 &&
                           (site.Lowered(now_ns) || (young && site.Remembers(now_ns)));
    if (!remembers) {
      if (Claim(index, hash, limit, generation)) return index;
    } else if (oldest == kNoSite || site.left_ns.load() < sites_[oldest].left_ns.load()) {
      oldest = index;
    }
  }
  return oldest != kNoSite && Claim(oldest, hash, limit, generation) ? oldest : kNoSite;
}

bool SiteTable::Claim(uint32_t index, uint64_t hash, uint32_t limit, uint32_t generation) {
  Site& site = sites_[index];
  // Take it away from its old key first, then see whether somebody refers to it.
  const uint64_t old = site.key.exchange(0);
  if (site.references.load() != 0) {
    site.key.store(old);
    return false;
  }
  site.slots.Reset(limit, generation);
  site.rate.Reset();
  site.references.fetch_add(1);  // not a store: a late Find may be counted for a moment
  site.key.store(hash);
  return true;
}

const Site* SiteTable::Peek(uint64_t hash) const {
  for (size_t i = 0; i < kProbes; ++i) {
    const Site& site = sites_[(hash + i) & mask_];
    if (site.key.load() == hash) return &site;
  }
  return nullptr;
}

bool SiteTable::Lift(uint64_t hash, int64_t now_ns) {
  const uint32_t index = Find(hash);
  if (index == kNoSite) return false;
  Site& site = sites_[index];
  const bool lowered = site.Lowered(now_ns) || site.rate.slowed();
  site.slots.Unsuspend();
  site.slots.Lift();
  site.rate.Lift();
  site.references.fetch_sub(1);
  return lowered;
}

void SiteTable::Release(uint32_t index, int64_t now_ns) {
  Site& site = sites_[index];
  site.left_ns.store(now_ns);
  const uint32_t before = site.references.fetch_sub(1);
  CHECK(before > 0);
}

}  // namespace outbox::queue
