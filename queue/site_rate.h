// SiteRate: how many messages a site may have in a time, shared by all shards without a lock.
//
// GCRA, the virtual scheduling form of the leaky bucket: one word says when the next message is due
// in theory, and who takes one moves it on by an interval. The interval is the configured one, or a
// longer one for a time, because a reply of the site's hosts has asked for less (`on_reply`): that
// is one word as well, with the interval and until when it holds. What comes behind that time is a
// matter of arithmetic and needs nobody to do anything: the pace doubles at once and then every
// minute until it is the configured one again.
//
// Many connections get the same refusal at the same time. A part ("half of what you do now") is
// taken once for all of them: a reply to what began before the last change does not know of it, and
// counts no more. Who takes a part claims the moment of the change first (`changed_`).
//
// Atomic is std::atomic, or the model in tests/queue/site_interleaving_test.cc.
#ifndef OUTBOX_QUEUE_SITE_RATE_H_
#define OUTBOX_QUEUE_SITE_RATE_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/rate.h"
#include "core/time.h"
#include "queue/contention.h"

namespace outbox::queue {

// A pace in one word: an interval to some millionths, rounded up, and until when.
struct SlowPace {
  static constexpr int kMantissaBits = 19;
  static constexpr int64_t kIntervalMaxNs = int64_t{1} << 49;  // six days and a half

  int64_t until_ms = 0;  // steady; 40 bits
  int64_t interval_ns = 0;

  static SlowPace Unpack(uint64_t word) {
    const uint64_t mantissa = (word >> 40) & ((uint64_t{1} << kMantissaBits) - 1);
    return {static_cast<int64_t>(word & ((uint64_t{1} << 40) - 1)),
            static_cast<int64_t>(mantissa << (word >> (40 + kMantissaBits)))};
  }
  uint64_t Pack() const {
    const uint64_t ns = static_cast<uint64_t>(std::clamp<int64_t>(interval_ns, 1, kIntervalMaxNs));
    int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - kMantissaBits);
    uint64_t mantissa = (ns + (uint64_t{1} << shift) - 1) >> shift;
    if (mantissa >> kMantissaBits != 0) mantissa = (mantissa + 1) >> 1, ++shift;
    return (static_cast<uint64_t>(until_ms) & ((uint64_t{1} << 40) - 1)) | (mantissa << 40) |
           (static_cast<uint64_t>(shift) << (40 + kMantissaBits));
  }
};

// What is to happen to a rate: an interval, or a multiple of the present one.
struct SlowDown {
  int64_t interval_ns = 0;  // or
  uint32_t times = 0;
  int64_t for_ns = 0;
};

template <template <typename> class Atomic>
class SiteRate {
 public:
  // The pace doubles so often before it is what the configuration says, or nothing at all.
  static constexpr int64_t kRecoveryStepNs = core::kNsPerMinute;
  static constexpr int kRecoverySteps = 6;
  // By parts alone it does not become slower than this part of what is configured.
  static constexpr int64_t kSlowestPart = 64;

  // Evenly spread, but for one second's worth that may come at once. Another rate than before
  // counts from now on.
  void SetRate(const core::Rate& rate, int64_t now_ns) {
    const int64_t interval_ns = IntervalOf(rate);
    if (interval_.exchange(interval_ns) != interval_ns) Clamp(interval_ns, now_ns);
  }
  static int64_t IntervalOf(const core::Rate& rate) {
    return rate.limited() ? std::max<int64_t>(1, rate.per_ns / rate.events) : 0;
  }

  // Takes one event if it conforms; returns 0, or the steady time when it would.
  int64_t Take(int64_t now_ns) {
    const int64_t interval_ns = Interval(now_ns);
    if (interval_ns == 0) return 0;
    int64_t arrival_ns = Clamp(interval_ns, now_ns);
    for (;;) {
      const int64_t at_ns = arrival_ns - Tolerance(interval_ns);
      if (at_ns > now_ns) return at_ns;
      if (TryChange(&arrival_, &arrival_ns, std::max(arrival_ns, now_ns) + interval_ns)) return 0;
    }
  }
  // What Take would return, taking nothing.
  int64_t Look(int64_t now_ns) const {
    const int64_t interval_ns = Interval(now_ns);
    if (interval_ns == 0) return 0;
    const int64_t at_ns =
        std::min(arrival_.load(), Latest(interval_ns, now_ns)) - Tolerance(interval_ns);
    return at_ns > now_ns ? at_ns : 0;
  }

  // A reply to something that began at `began_ns` asks for less. True: there is less from now on;
  // false: that was so before, if perhaps not for so long.
  bool Slow(const SlowDown& wanted, int64_t began_ns, int64_t now_ns) {
    int64_t changed_ns = changed_.load();
    for (;;) {
      const int64_t present_ns = Interval(now_ns);
      const bool slower = wanted.times == 0 && wanted.interval_ns > Rounded(present_ns);
      if (began_ns < changed_ns && !slower) return false;
      if (TryChange(&changed_, &changed_ns, now_ns)) break;
    }
    uint64_t word = slow_.load();
    for (;;) {
      const int64_t configured_ns = interval_.load();
      const int64_t present_ns = IntervalBy(word, configured_ns, now_ns);
      const int64_t next_ns =
          wanted.times > 0 ? std::min(present_ns * wanted.times, configured_ns * kSlowestPart)
                           : std::max(present_ns, wanted.interval_ns);
      const SlowPace pace = {(now_ns + wanted.for_ns) / core::kNsPerMs, next_ns};
      const bool lower = pace.interval_ns > Rounded(present_ns);
      if (pace.interval_ns <= 0) return false;  // a part of no rate at all
      if (TryChange(&slow_, &word, pace.Pack())) return lower;
    }
  }
  // What has become slower is over, and this is the first to see it.
  bool EndSlow(int64_t now_ns) {
    uint64_t word = slow_.load();
    if (word == 0 || !Over(word, interval_.load(), now_ns)) return false;
    return TryChange(&slow_, &word, uint64_t{0});
  }
  // An operator knows better.
  void Lift() { slow_.store(0); }

  int64_t configured_ns() const { return interval_.load(); }
  bool slowed() const { return slow_.load() != 0; }
  // Until when it is as slow as it is, steady; 0: it is not, or recovers.
  int64_t SlowUntil(int64_t now_ns) const {
    const int64_t until_ns = SlowPace::Unpack(slow_.load()).until_ms * core::kNsPerMs;
    return until_ns > now_ns ? until_ns : 0;
  }
  // Between two messages; 0: no limit.
  int64_t Interval(int64_t now_ns) const {
    const int64_t configured_ns = interval_.load();
    const uint64_t word = slow_.load();
    return word == 0 ? configured_ns : IntervalBy(word, configured_ns, now_ns);
  }

  void Reset() {
    arrival_.store(0);
    slow_.store(0);
    changed_.store(0);
  }

 private:
  // The events of a second fit into it when the last one is this early.
  static int64_t Tolerance(int64_t interval_ns) {
    return std::max<int64_t>(0, core::kNsPerSecond - interval_ns);
  }
  // However much was taken at another pace: at this one the burst may be used up, and the next
  // event is due after one interval.
  static int64_t Latest(int64_t interval_ns, int64_t now_ns) {
    return now_ns + Tolerance(interval_ns) + interval_ns;
  }
  // Returns when the next event is due in theory.
  int64_t Clamp(int64_t interval_ns, int64_t now_ns) {
    const int64_t latest_ns = Latest(interval_ns, now_ns);
    int64_t arrival_ns = arrival_.load();
    while (arrival_ns > latest_ns) {
      if (TryChange(&arrival_, &arrival_ns, latest_ns)) return latest_ns;
    }
    return arrival_ns;
  }
  static int64_t Rounded(int64_t interval_ns) {
    return interval_ns == 0 ? 0 : SlowPace::Unpack(SlowPace{0, interval_ns}.Pack()).interval_ns;
  }
  static int StepsOf(const SlowPace& pace, int64_t now_ns) {
    const int64_t past_ns = now_ns - pace.until_ms * core::kNsPerMs;
    if (past_ns < 0) return 0;
    return static_cast<int>(std::min<int64_t>(past_ns / kRecoveryStepNs, kRecoverySteps)) + 1;
  }
  static bool Over(uint64_t word, int64_t configured_ns, int64_t now_ns) {
    const SlowPace pace = SlowPace::Unpack(word);
    const int steps = StepsOf(pace, now_ns);
    return steps > kRecoverySteps || (steps > 0 && (pace.interval_ns >> steps) <= configured_ns);
  }
  static int64_t IntervalBy(uint64_t word, int64_t configured_ns, int64_t now_ns) {
    if (word == 0 || Over(word, configured_ns, now_ns)) return configured_ns;
    const SlowPace pace = SlowPace::Unpack(word);
    return std::max(configured_ns, pace.interval_ns >> StepsOf(pace, now_ns));
  }

  Atomic<int64_t> arrival_{0};   // theoretical arrival time of the next event
  Atomic<int64_t> interval_{0};  // ns between events, as configured; 0: no limit
  Atomic<uint64_t> slow_{0};     // SlowPace; 0: as configured
  Atomic<int64_t> changed_{0};   // when it became slower last
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_RATE_H_
