// Wall time as text, always in UTC and in English, without locale and without allocation.
#ifndef OUTBOX_CORE_TIME_FORMAT_H_
#define OUTBOX_CORE_TIME_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace outbox::core {

inline constexpr size_t kRfc5322DateBytes = 31;
inline constexpr size_t kRfc3339Bytes = 24;

// "Sun, 22 Nov 2026 16:43:43 +0000", RFC 5322 3.3, for Date and Received. wall_ns: nanoseconds
// since the epoch, any value. The text lies in `buffer`.
std::string_view FormatRfc5322Date(int64_t wall_ns, std::span<char, kRfc5322DateBytes> buffer);

// "2026-11-22T16:43:43.017Z", RFC 3339, to the millisecond (cut, not rounded).
std::string_view FormatRfc3339(int64_t wall_ns, std::span<char, kRfc3339Bytes> buffer);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_TIME_FORMAT_H_
