// Dates as they stand in mail and in the log.
#include "core/time_format.h"

#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <string>

#include "core/random.h"
#include "core/time.h"

namespace outbox::core {
namespace {

std::string Rfc5322(int64_t wall_ns) {
  std::array<char, kRfc5322DateBytes> buffer;
  return std::string(FormatRfc5322Date(wall_ns, buffer));
}

std::string Rfc3339(int64_t wall_ns) {
  std::array<char, kRfc3339Bytes> buffer;
  return std::string(FormatRfc3339(wall_ns, buffer));
}

TEST(TimeFormat, KnownMoments) {
  EXPECT_EQ(Rfc5322(0), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(Rfc3339(0), "1970-01-01T00:00:00.000Z");
  const int64_t leap_day = 1'709'251'199 * kNsPerSecond + 999'999'999;
  EXPECT_EQ(Rfc5322(leap_day), "Thu, 29 Feb 2024 23:59:59 +0000");
  EXPECT_EQ(Rfc3339(leap_day), "2024-02-29T23:59:59.999Z");
  EXPECT_EQ(Rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

TEST(TimeFormat, EveryMomentHasItsText) {
  EXPECT_EQ(Rfc3339(INT64_MAX), "2262-04-11T23:47:16.854Z");
  EXPECT_EQ(Rfc3339(INT64_MIN), "1677-09-21T00:12:43.145Z");
  EXPECT_EQ(Rfc5322(INT64_MAX).size(), kRfc5322DateBytes);
}

TEST(TimeFormat, AgreesWithTheLibrary) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    const int64_t wall_ns = random.Between(0, 250 * 365 * kNsPerDay);
    const time_t seconds = static_cast<time_t>(wall_ns / kNsPerSecond);
    tm parts;
    ASSERT_NE(gmtime_r(&seconds, &parts), nullptr);
    char expected[64];
    strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S +0000", &parts);
    ASSERT_EQ(Rfc5322(wall_ns), expected);
    strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts);
    ASSERT_EQ(Rfc3339(wall_ns).substr(0, 19), expected);
  }
}

}  // namespace
}  // namespace outbox::core
