// SiteTable: the limits that belong to a site, shared by all shards.
//
// A site is what limits belong to: the set of hosts that mail goes to. The table is the one thing
// that shards share: a fixed array whose entries are atomics. An entry is claimed for a 64-bit hash
// of the site's key and lives while a shard refers to it. After that it is free if it has nothing
// to remember; its backoff, or what it owes to its rate, keeps it for some minutes more, as long as
// nobody needs the room.
//
// Two keys with one hash would share an entry, and so their limits: harmless, and not to be met.
#ifndef OUTBOX_QUEUE_SITE_H_
#define OUTBOX_QUEUE_SITE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "queue/site_notes.h"
#include "queue/site_rate.h"
#include "queue/site_slots.h"

namespace outbox::queue {

template <typename T>
using StdAtomic = std::atomic<T>;

struct alignas(128) Site {
  SiteSlots<StdAtomic> slots;
  SiteRate<StdAtomic> rate;
  std::atomic<uint64_t> key{0};  // 0: never used
  std::atomic<uint32_t> references{0};
  std::atomic<int64_t> left_ns{0};  // when the last reference went

  // Something would be lost with it: a backoff, failures in a row, a rate that is used up.
  bool Remembers(int64_t now_ns) const {
    return slots.Remembers(now_ns) || rate.slowed() || rate.Look(now_ns) != 0;
  }
  // Its hosts have asked for a pause or for less, and that time is not over.
  bool Lowered(int64_t now_ns) const {
    return slots.SuspendedUntil(now_ns) != 0 || slots.NarrowUntil(now_ns) != 0 ||
           rate.SlowUntil(now_ns) != 0;
  }
};

class SiteTable {
 public:
  static constexpr uint32_t kNoSite = UINT32_MAX;

  // `capacity`: entries, a power of two (limits.h: kMaxSites).
  explicit SiteTable(size_t capacity);
  SiteTable(const SiteTable&) = delete;
  SiteTable& operator=(const SiteTable&) = delete;

  // The index of the site with this hash (not 0), made with `limit` if missing, with one reference
  // more. kNoSite when there is no room, or another shard is just making one: try again later. The
  // limit is offered (SiteSlots::OfferLimit).
  uint32_t Acquire(uint64_t hash, uint32_t limit, int64_t now_ns, uint32_t generation = 0);
  // One reference less. REQUIRES: the shard has no slot, no waiter bit and no grant of it
  // outstanding.
  void Release(uint32_t index, int64_t now_ns);

  Site& operator[](uint32_t index) { return sites_[index]; }
  const Site& operator[](uint32_t index) const { return sites_[index]; }
  size_t capacity() const { return mask_ + 1; }
  // The site with this hash, if the table has it, for who only looks: nothing keeps it there.
  const Site* Peek(uint64_t hash) const;
  // What its hosts have asked for ends now. It stays with a slow start. False: it was nothing.
  bool Lift(uint64_t hash, int64_t now_ns);
  SiteNotes& notes() { return notes_; }

 private:
  uint32_t Find(uint64_t hash);
  uint32_t Make(uint64_t hash, uint32_t limit, int64_t now_ns, uint32_t generation);
  // False: somebody has just come to refer to it.
  bool Claim(uint32_t index, uint64_t hash, uint32_t limit, uint32_t generation);

  const size_t mask_;
  std::unique_ptr<Site[]> sites_;
  SiteNotes notes_;
  std::atomic<bool> making_{false};  // a shard claims an entry; others come again later
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_H_
