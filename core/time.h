// Units of time.
//
// Two clocks exist (docs/architecture.md, "Time"). Steady time is CLOCK_BOOTTIME in nanoseconds: it
// runs through suspend and never jumps; timers live on it. Wall time is CLOCK_REALTIME in
// nanoseconds since the epoch: deadlines on disk and everything that a person reads live on it.
// Both are plain int64_t with the unit in the name; only io::Io reads a clock.
#ifndef OUTBOX_CORE_TIME_H_
#define OUTBOX_CORE_TIME_H_

#include <cstdint>

namespace outbox::core {

inline constexpr int64_t kNsPerUs = 1'000;
inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerSecond = 1'000'000'000;
inline constexpr int64_t kNsPerMinute = 60 * kNsPerSecond;
inline constexpr int64_t kNsPerHour = 60 * kNsPerMinute;
inline constexpr int64_t kNsPerDay = 24 * kNsPerHour;

// Later than every time that is ever computed; "never".
inline constexpr int64_t kNever = INT64_MAX;

}  // namespace outbox::core

#endif  // OUTBOX_CORE_TIME_H_
