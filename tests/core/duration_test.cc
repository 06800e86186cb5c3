// Durations and sizes as an operator writes them.
#include "core/duration.h"

#include <gtest/gtest.h>

#include "core/byte_size.h"
#include "core/time.h"

namespace outbox::core {
namespace {

TEST(Duration, ReadsAndPrints) {
  const std::pair<const char*, int64_t> cases[] = {
      {"500ms", 500 * kNsPerMs},
      {"90s", 90 * kNsPerSecond},
      {"15m", 15 * kNsPerMinute},
      {"4h", 4 * kNsPerHour},
      {"5d", 5 * kNsPerDay},
      {"1h30m", 90 * kNsPerMinute},
      {"1d2h3m4s5ms",
       kNsPerDay + 2 * kNsPerHour + 3 * kNsPerMinute + 4 * kNsPerSecond + 5 * kNsPerMs},
      {"0s", 0},
      {"3650d", 3650 * kNsPerDay},
  };
  for (const auto& [text, ns] : cases) {
    ASSERT_TRUE(ParseDuration(text).ok()) << text;
    EXPECT_EQ(*ParseDuration(text), ns) << text;
    EXPECT_EQ(*ParseDuration(FormatDuration(ns)), ns) << text;
  }
  EXPECT_EQ(FormatDuration(90 * kNsPerSecond), "1m30s");
  EXPECT_EQ(FormatDuration(kNever), "never");
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "15", "m", "-5m", "5 m", "5m ", " 5m", "1.5h", "5M", "5min", "30m1h",
                           "1m1m", "5m3", "never", "+5m", "5us"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
  EXPECT_EQ(
      ParseDuration("15").status().message(),
      "\"15\" is not a duration with a unit; expected for example \"500ms\", \"90s\", \"15m\", "
      "\"1h30m\" or \"5d\"");
  for (const char* text : {"3651d", "99999999999999999999d", "3650d1ms", "9223372036854775807h"}) {
    EXPECT_NE(ParseDuration(text).status().message().find("at most 10 years"), std::string::npos);
  }
}

TEST(ByteSize, ReadsAndPrints) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"512B", 512},
      {"64KiB", 64u << 10},
      {"50MiB", 50u << 20},
      {"2GiB", uint64_t{2} << 30},
      {"10MB", 10'000'000},
      {"1TB", 1'000'000'000'000},
      {"8388607TiB", uint64_t{8388607} << 40},
  };
  for (const auto& [text, bytes] : cases) {
    ASSERT_TRUE(ParseByteSize(text).ok()) << text;
    EXPECT_EQ(*ParseByteSize(text), bytes) << text;
    EXPECT_EQ(*ParseByteSize(FormatByteSize(bytes)), bytes) << text;
  }
  EXPECT_EQ(FormatByteSize(50u << 20), "50MiB");
  EXPECT_EQ(FormatByteSize(1025), "1025B");
}

TEST(ByteSize, RefusesWhatIsNone) {
  for (const char* text : {"", "MiB", "-1", "5 MiB", "5mib", "5M", "1.5GiB", "5MiBs", "+5",
                           "8388608TiB", "99999999999999999999"}) {
    EXPECT_FALSE(ParseByteSize(text).ok()) << text;
  }
}

}  // namespace
}  // namespace outbox::core
