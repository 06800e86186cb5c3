// RetryPolicy: when a message is tried again, when its sender is told, when it is given up.
//
// Pure: times in, times out. Home asks for the next attempt of a ticket; the owner of a destination
// asks how long a site that cannot be reached is left alone.
#ifndef OUTBOX_QUEUE_RETRY_POLICY_H_
#define OUTBOX_QUEUE_RETRY_POLICY_H_

#include <cstdint>
#include <span>

#include "core/random.h"
#include "core/time.h"

namespace outbox::queue {

// The delay before the next attempt, nanoseconds. `schedule_ns`: one period, or the delay after the
// first attempt, the second, and so on; the last one repeats. `attempts`: how many were made, >= 1.
// Up to a tenth is added by chance, so that what failed together does not come back together;
// nothing is taken away: an attempt is never earlier than the period says. REQUIRES: schedule_ns is
// not empty and all positive.
int64_t RetryDelay(std::span<const int64_t> schedule_ns, uint32_t attempts, core::Random* random);

// The longest delay that RetryDelay gives.
int64_t RetryDelayMax(std::span<const int64_t> schedule_ns, uint32_t attempts);

// When the sender is told of the delay, or kNever when that is switched off (kNever), has happened,
// or could only come when the message is given up anyway.
int64_t NotifyTime(int64_t accepted_ns, int64_t notify_after_ns, int64_t retry_until_ns,
                   bool notified);

// When the message is given up.
int64_t ExpiryTime(int64_t accepted_ns, int64_t retry_until_ns);

// Saturating a + b for times: kNever when either is or the sum does not fit.
int64_t AddTime(int64_t a_ns, int64_t b_ns);

// How long a site that could not be reached `failures` times in a row (>= 1) is left alone: an
// eighth of the retry period at first, doubled each time up to the whole period, with up to a tenth
// of chance on top below the bound. Never above the period, never under kBackoffMinNs unless the
// period is.
int64_t BackoffDelay(uint32_t failures, int64_t retry_period_ns, core::Random* random);

inline constexpr int64_t kBackoffMinNs = 100 * core::kNsPerMs;

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_RETRY_POLICY_H_
