// Allowance: how much of something is left to somebody who may have so much in a time.
//
// All of it may be taken at once; it grows back evenly. One word, moved on by who takes something
// (GCRA, the virtual scheduling form of the leaky bucket), so that all shards share it without a
// lock.
#ifndef OUTBOX_CORE_ALLOWANCE_H_
#define OUTBOX_CORE_ALLOWANCE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/rate.h"

namespace outbox::core {

class Allowance {
 public:
  // Takes one if it is there: 0. Otherwise takes nothing and returns the steady time from which on
  // there is one. Without a limit there always is. Another rate than last time counts from now on.
  int64_t Take(const Rate& rate, int64_t now_ns) {
    if (!rate.limited()) return 0;
    const int64_t interval_ns = IntervalOf(rate);
    const int64_t tolerance_ns = rate.per_ns - interval_ns;
    int64_t seen_ns = due_ns_.load(std::memory_order_relaxed);
    for (;;) {
      const int64_t due_ns = std::min(seen_ns, now_ns + rate.per_ns);
      if (due_ns - tolerance_ns > now_ns) return due_ns - tolerance_ns;
      if (due_ns_.compare_exchange_weak(seen_ns, std::max(due_ns, now_ns) + interval_ns,
                                        std::memory_order_relaxed)) {
        return 0;
      }
    }
  }
  // `count` of what was taken was not used.
  void GiveBack(const Rate& rate, uint32_t count) {
    if (rate.limited()) due_ns_.fetch_sub(count * IntervalOf(rate), std::memory_order_relaxed);
  }

 private:
  static int64_t IntervalOf(const Rate& rate) {
    return std::max<int64_t>(1, rate.per_ns / rate.events);
  }

  std::atomic<int64_t> due_ns_ = 0;  // when all that was taken would have grown back
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_ALLOWANCE_H_
