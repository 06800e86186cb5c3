#include "queue/retry_policy.h"

#include <algorithm>

#include "core/check.h"

namespace outbox::queue {
namespace {

// The part of a delay that chance may add.
constexpr int64_t kJitterPart = 10;

int64_t Jitter(int64_t delay_ns, core::Random* random) {
  return random->Between(0, delay_ns / kJitterPart);
}

int64_t StepOf(std::span<const int64_t> schedule_ns, uint32_t attempts) {
  CHECK(!schedule_ns.empty());
  const size_t step = std::min(schedule_ns.size(), std::max<size_t>(attempts, 1)) - 1;
  CHECK(schedule_ns[step] > 0);
  return schedule_ns[step];
}

}  // namespace

int64_t AddTime(int64_t a_ns, int64_t b_ns) {
  if (a_ns == core::kNever || b_ns == core::kNever) return core::kNever;
  int64_t sum = 0;
  if (__builtin_add_overflow(a_ns, b_ns, &sum)) return core::kNever;
  return sum;
}

int64_t RetryDelay(std::span<const int64_t> schedule_ns, uint32_t attempts, core::Random* random) {
  const int64_t delay_ns = StepOf(schedule_ns, attempts);
  return AddTime(delay_ns, Jitter(delay_ns, random));
}

int64_t RetryDelayMax(std::span<const int64_t> schedule_ns, uint32_t attempts) {
  const int64_t delay_ns = StepOf(schedule_ns, attempts);
  return AddTime(delay_ns, delay_ns / kJitterPart);
}

int64_t ExpiryTime(int64_t accepted_ns, int64_t retry_until_ns) {
  return AddTime(accepted_ns, retry_until_ns);
}

int64_t NotifyTime(int64_t accepted_ns, int64_t notify_after_ns, int64_t retry_until_ns,
                   bool notified) {
  if (notified || notify_after_ns >= retry_until_ns) return core::kNever;
  return AddTime(accepted_ns, notify_after_ns);
}

int64_t BackoffDelay(uint32_t failures, int64_t retry_period_ns, core::Random* random) {
  CHECK(failures >= 1);
  const int64_t bound_ns = std::max<int64_t>(retry_period_ns, core::kNsPerMs);
  int64_t delay_ns = std::clamp(bound_ns / 8, std::min(kBackoffMinNs, bound_ns), bound_ns);
  for (uint32_t i = 1; i < failures && delay_ns < bound_ns; ++i) {
    delay_ns = delay_ns > bound_ns / 2 ? bound_ns : delay_ns * 2;
  }
  return std::min(bound_ns, delay_ns + Jitter(delay_ns, random));
}

}  // namespace outbox::queue
