// Durations as an operator writes them: "15m", "4h", "5d", "1h30m", "500ms", "never".
#ifndef OUTBOX_CORE_DURATION_H_
#define OUTBOX_CORE_DURATION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::core {

// Returns nanoseconds. Takes whole numbers with the units d, h, m, s and ms, each at most once and
// the larger before the smaller; at most 10 years. "never" is not a duration: see IsNever.
Result<int64_t> ParseDuration(std::string_view text);

// "never" is what a duration that may be switched off can be instead (core/time.h: kNever).
inline bool IsNever(std::string_view text) { return text == "never"; }

// The shortest form that ParseDuration reads again: "1h30m", "0s"; "never" for kNever. What is
// below a millisecond is cut. REQUIRES: ns >= 0.
std::string FormatDuration(int64_t ns);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_DURATION_H_
