// Moments: points in time as operators write and read them.
#ifndef OUTBOX_TOOLS_MOMENT_H_
#define OUTBOX_TOOLS_MOMENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::tools {

// Wall time in nanoseconds of what somebody has typed: a duration ("2h", "30m": so long before
// `now_ns`), or "2026-11-22", "2026-11-22 20:15", "2026-11-22T20:15:07.5", in local time, or in UTC
// with a "Z" behind it. The error says what was expected.
core::Result<int64_t> ParseMoment(std::string_view text, int64_t now_ns);

// Wall time of the event log's "2026-11-22T20:15:07.123Z", or with "+00:00" behind it; 0: it is
// none.
int64_t ParseLogTime(std::string_view text);

// "2026-11-22 20:15:07.123", local time; `ms` false: without the fraction.
std::string FormatMoment(int64_t wall_ns, bool ms);
// The same without it, of a Unix time.
std::string MomentText(int64_t seconds);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_MOMENT_H_
