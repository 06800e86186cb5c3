// SiteSlots: the connection slots of one site, shared by all shards without a lock.
//
// A slot is the right to hold one connection to the site. How no slot and no wake-up is ever lost:
//   - A shard that finds no slot sets its bit in the waiter mask and then tries once more. So
//   either it
//     sees the slot that was freed meanwhile, or who frees one sees its bit.
//   - Who frees a slot and sees bits keeps it taken, clears one bit and hands the slot to that
//   shard by
//     mail. Otherwise it gives the slot back and looks at the bits once more.
//   - A bit is cleared once for every grant; the shard sets it again only when the grant has
//   arrived.
//     So at most one grant per shard and site is on its way.
//
// Health, in one word so that it changes at once: while now is before `not_before` there are no
// slots. A failure sets it further and the window to one: the one who takes that slot is the
// canary. Each success widens the window by one (so it doubles in every round of attempts) until
// the limit is reached.
//
// What a site's hosts have asked for (`on_reply`) is two times that only move forward: until
// `suspended` there are no slots, and until `narrow` successes do not widen the window. Either sets
// the window, so that what comes behind it is a slow start.
//
// Atomic is std::atomic, or the model in tests/queue/site_interleaving_test.cc that runs through
// every order of these steps. All operations are sequentially consistent: the waiter's "set bit,
// try" and the releaser's "free, look at bits" need it.
#ifndef OUTBOX_QUEUE_SITE_SLOTS_H_
#define OUTBOX_QUEUE_SITE_SLOTS_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/check.h"
#include "core/time.h"
#include "queue/contention.h"

namespace outbox::queue {

// What came of asking for a slot.
enum class SlotAnswer : uint8_t {
  kGot,
  kWait,   // a grant, or the news that the site has changed, comes by mail
  kLater,  // not before SiteSlots::BlockedUntil()
};

// The packed health of a site: what is left alone, and for how long.
struct SiteHealth {
  static constexpr uint32_t kFailuresMax = 255;
  static constexpr uint32_t kWindowMax = 65'535;

  int64_t not_before_ms = 0;  // steady; 40 bits: 34 years of uptime
  uint32_t failures = 0;      // in a row; stays at kFailuresMax
  uint32_t window = 0;        // slots while it recovers; 0: only the limit counts

  static SiteHealth Unpack(uint64_t word) {
    return {static_cast<int64_t>(word & ((uint64_t{1} << 40) - 1)),
            static_cast<uint32_t>((word >> 40) & 0xff), static_cast<uint32_t>(word >> 48)};
  }
  uint64_t Pack() const {
    return (static_cast<uint64_t>(not_before_ms) & ((uint64_t{1} << 40) - 1)) |
           (static_cast<uint64_t>(std::min(failures, kFailuresMax)) << 40) |
           (static_cast<uint64_t>(std::min(window, kWindowMax)) << 48);
  }
};

template <template <typename> class Atomic>
class SiteSlots {
 public:
  static constexpr int kNobody = -1;

  // The most connections at once, over all shards. When several are said for one site, by routes to
  // the same hosts, the smallest counts; a later `generation` (of the configuration) begins anew,
  // and what an earlier one says does not count any more. True when there may be more slots now:
  // call GrantFree. A lowered limit takes nothing away from who has a slot; it binds as slots are
  // released.
  bool OfferLimit(uint32_t limit, uint32_t generation) {
    uint64_t word = limit_.load();
    for (;;) {
      const uint32_t present = static_cast<uint32_t>(word >> 32);
      const uint32_t present_limit = static_cast<uint32_t>(word);
      const bool later = static_cast<int32_t>(generation - present) > 0;
      if (!later && (generation != present || limit >= present_limit)) return false;
      if (TryChange(&limit_, &word, LimitWord(limit, generation))) {
        return limit > present_limit;
      }
    }
  }
  uint32_t limit() const { return static_cast<uint32_t>(limit_.load()); }
  uint32_t in_use() const { return in_use_.load(); }
  SiteHealth health() const { return SiteHealth::Unpack(health_.load()); }
  bool HasWaiters() const { return waiters_.load() != 0; }

  // Until when there are no slots at all, steady nanoseconds; 0: not blocked.
  int64_t BlockedUntil(int64_t now_ns) const {
    const int64_t until_ns = std::max(
        SiteHealth::Unpack(health_.load()).not_before_ms * core::kNsPerMs, suspended_.load());
    return until_ns > now_ns ? until_ns : 0;
  }

  // Takes a slot if there is one.
  bool TryTake(int64_t now_ns) { return BlockedUntil(now_ns) == 0 && TakeBelow(Cap()); }

  // Takes a slot, or sets the waiter bit of `shard`. `starving`: the shard has no slot of this site
  // at all, so others should make room (SomebodyStarves). *granted: a grant is on its way all the
  // same, because somebody cleared our bit; it must be expected. REQUIRES: no grant is on its way.
  SlotAnswer TakeOrWait(uint32_t shard, bool starving, int64_t now_ns, bool* granted) {
    *granted = false;
    if (TryTake(now_ns)) return SlotAnswer::kGot;
    if (BlockedUntil(now_ns) != 0) return SlotAnswer::kLater;
    const uint64_t bit = uint64_t{1} << shard;
    SetStarving(shard, starving);
    waiters_.fetch_or(bit);
    const bool got = TryTake(now_ns);
    if (!got && BlockedUntil(now_ns) == 0) return SlotAnswer::kWait;
    *granted = !StopWaiting(shard);
    return got ? SlotAnswer::kGot : SlotAnswer::kLater;
  }

  // Whether `shard`, which waits, has no slot at all.
  void SetStarving(uint32_t shard, bool starving) {
    const uint64_t bit = uint64_t{1} << shard;
    if (starving) {
      starving_.fetch_or(bit);
    } else {
      starving_.fetch_and(~bit);
    }
  }

  // Clears the waiter bit of `shard`. False: somebody was faster, a grant is on its way.
  bool StopWaiting(uint32_t shard) {
    const uint64_t bit = uint64_t{1} << shard;
    starving_.fetch_and(~bit);
    return (waiters_.fetch_and(~bit) & bit) != 0;
  }

  // Gives a slot back, or hands it over: returns the shard that must get a grant with it, or
  // kNobody.
  int Release() {
    for (;;) {
      const uint64_t mask = waiters_.load();
      if (mask == 0 || in_use_.load() > Cap()) {
        const uint32_t before = in_use_.fetch_sub(1);
        CHECK(before > 0);
        return GrantFree();
      }
      const int shard = ClearOne(mask);
      if (shard != kNobody) return shard;
    }
  }

  // Hands a free slot to somebody who waits: returns the shard that must get a grant with it, or
  // kNobody when none waits or none is free. After the window or the limit has grown, call until
  // kNobody.
  //
  // The time until which the site is left alone is not asked here: the clocks of two shards are
  // never quite the same, and who is still before that time must not strand one who is behind it.
  // Who gets a slot too early by his clock gives it back and sets a timer.
  int GrantFree() {
    while (waiters_.load() != 0) {
      if (!TakeBelow(Cap())) return kNobody;  // who has the slots sees the bits when releasing
      for (;;) {
        const uint64_t mask = waiters_.load();
        if (mask == 0) break;
        const int shard = ClearOne(mask);
        if (shard != kNobody) return shard;
      }
      in_use_.fetch_sub(1);  // nobody was left; a bit that comes now is seen by the loop
    }
    return kNobody;
  }

  // An attempt that began at started_ns could not reach the site. Sets the site back until
  // now_ns + delay(failures in a row) unless a failure that was known by then has done so already.
  // Returns the mask of the shards that must get the news, or 0.
  template <typename Delay>
  uint64_t Fail(int64_t started_ns, int64_t now_ns, Delay delay) {
    uint64_t word = health_.load();
    for (;;) {
      SiteHealth health = SiteHealth::Unpack(word);
      if (started_ns < health.not_before_ms * core::kNsPerMs) return 0;
      health.failures = std::min(health.failures + 1, SiteHealth::kFailuresMax);
      health.window = 1;
      const int64_t until_ns = now_ns + delay(health.failures);
      health.not_before_ms = (until_ns + core::kNsPerMs - 1) / core::kNsPerMs;
      if (TryChange(&health_, &word, health.Pack())) break;
    }
    starving_.store(0);
    return waiters_.exchange(0);
  }

  // The site took part in a transaction. True when there may be more slots now: call GrantFree.
  bool Succeed(int64_t now_ns) {
    uint64_t word = health_.load();
    for (;;) {
      if (word == 0) return false;  // the usual case: nothing to recover from
      SiteHealth health = SiteHealth::Unpack(word);
      health.failures = 0;
      health.not_before_ms = 0;
      if (std::max(narrow_.load(), suspended_.load()) <= now_ns) {
        health.window = std::max(health.window, 1u) + 1;
        if (health.window >= limit()) health.window = 0;
      }
      if (health.Pack() == word) return false;
      if (TryChange(&health_, &word, health.Pack())) return true;
    }
  }

  // An operator knows better: there are slots from now on. The window stays, so that still one goes
  // first. What is suspended stays so.
  void Lift() {
    uint64_t word = health_.load();
    for (;;) {
      SiteHealth health = SiteHealth::Unpack(word);
      if (health.not_before_ms == 0) return;
      health.not_before_ms = 0;
      if (TryChange(&health_, &word, health.Pack())) return;
    }
  }

  // No slots before `until_ns`, and then one at first. Returns the mask of the shards that must get
  // the news. *longer: it was not so long before; otherwise nothing happens.
  uint64_t Suspend(int64_t until_ns, bool* longer) {
    *longer = MoveForward(&suspended_, until_ns);
    if (!*longer) return 0;
    NarrowWindow(1);
    starving_.store(0);
    return waiters_.exchange(0);
  }
  // No more than `slots` before `until_ns`, and then more with each success. What is in use stays
  // so. True: that is fewer than before.
  bool Narrow(uint32_t slots, int64_t until_ns) {
    MoveForward(&narrow_, until_ns);
    return NarrowWindow(std::max(slots, 1u));
  }
  // An operator lifts both; the window stays, so that it begins slowly.
  void Unsuspend() {
    suspended_.store(0);
    narrow_.store(0);
  }
  // It was left alone for a time, though it was well: one slot goes first. No effect while some are
  // in use, for others see then how it is.
  void StartSlowly() {
    if (in_use_.load() == 0) NarrowWindow(1);
  }
  // Until when there are none because it is suspended, or no more than the window; 0: not so.
  int64_t SuspendedUntil(int64_t now_ns) const { return IfLater(suspended_.load(), now_ns); }
  int64_t NarrowUntil(int64_t now_ns) const { return IfLater(narrow_.load(), now_ns); }
  // More are in use than Narrow has left: who has one should release it.
  bool TooMany(int64_t now_ns) const { return NarrowUntil(now_ns) != 0 && in_use_.load() > Cap(); }

  // A shard other than `shard` has no slot at all and waits: a busy connection should make room
  // soon.
  bool SomebodyStarves(uint32_t shard) const {
    return (starving_.load() & waiters_.load() & ~(uint64_t{1} << shard)) != 0;
  }

  // The shard has idle connections, or has none any more. After setting, look at HasWaiters once
  // more.
  void SetIdle(uint32_t shard, bool idle) {
    const uint64_t bit = uint64_t{1} << shard;
    if (idle) {
      idle_.fetch_or(bit);
    } else {
      idle_.fetch_and(~bit);
    }
  }
  // A shard with idle connections other than `shard`, or kNobody.
  int SomebodyIdle(uint32_t shard) const {
    const uint64_t mask = idle_.load() & ~(uint64_t{1} << shard);
    return mask == 0 ? kNobody : std::countr_zero(mask);
  }

  // Something would be lost by Reset: what failed, until when it is left alone.
  bool Remembers(int64_t now_ns) const {
    return health_.load() != 0 || SuspendedUntil(now_ns) != 0 || NarrowUntil(now_ns) != 0;
  }

  // Back to new. REQUIRES: nobody uses it.
  void Reset(uint32_t limit, uint32_t generation) {
    CHECK(in_use_.load() == 0);
    limit_.store(LimitWord(limit, generation));
    waiters_.store(0);
    starving_.store(0);
    idle_.store(0);
    health_.store(0);
    suspended_.store(0);
    narrow_.store(0);
  }

 private:
  static int64_t IfLater(int64_t until_ns, int64_t now_ns) {
    return until_ns > now_ns ? until_ns : 0;
  }
  static bool MoveForward(Atomic<int64_t>* time, int64_t to_ns) {
    int64_t present_ns = time->load();
    while (present_ns < to_ns) {
      if (TryChange(time, &present_ns, to_ns)) return true;
    }
    return false;
  }
  // False: it is not wider than that.
  bool NarrowWindow(uint32_t slots) {
    uint64_t word = health_.load();
    for (;;) {
      SiteHealth health = SiteHealth::Unpack(word);
      const uint32_t present = health.window == 0 ? limit() : std::min(health.window, limit());
      if (present <= slots) return false;
      health.window = slots;
      if (TryChange(&health_, &word, health.Pack())) return true;
    }
  }
  static uint64_t LimitWord(uint32_t limit, uint32_t generation) {
    return uint64_t{generation} << 32 | limit;
  }

  // Slots that there are by limit and window.
  uint32_t Cap() const {
    const uint32_t window = SiteHealth::Unpack(health_.load()).window;
    return window == 0 ? limit() : std::min(limit(), window);
  }

  bool TakeBelow(uint32_t cap) {
    uint32_t used = in_use_.load();
    while (used < cap) {
      if (TryChange(&in_use_, &used, used + 1)) return true;
    }
    return false;
  }

  // Clears the bit of the next shard in turn; kNobody when somebody else cleared it first.
  int ClearOne(uint64_t mask) {
    const uint32_t turn = turn_.load();
    const uint64_t behind = mask & ~((uint64_t{2} << turn) - 1);  // shards after the last one
    const int shard = std::countr_zero(behind != 0 ? behind : mask);
    const uint64_t bit = uint64_t{1} << shard;
    if ((waiters_.fetch_and(~bit) & bit) == 0) return kNobody;
    starving_.fetch_and(~bit);
    turn_.store(static_cast<uint32_t>(shard));
    return shard;
  }

  Atomic<uint32_t> in_use_{0};
  Atomic<uint64_t> limit_{1};     // below its generation
  Atomic<uint64_t> waiters_{0};   // bit: shard
  Atomic<uint64_t> starving_{0};  // of them, who has no slot at all; a hint
  Atomic<uint64_t> idle_{0};      // shards with idle connections; a hint
  Atomic<uint64_t> health_{0};    // SiteHealth
  Atomic<int64_t> suspended_{0};  // until, steady ns
  Atomic<int64_t> narrow_{0};     // likewise
  Atomic<uint32_t> turn_{0};      // the shard that got the last grant
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_SLOTS_H_
