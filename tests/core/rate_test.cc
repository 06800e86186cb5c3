// Rates: what is read, what is refused, what is printed is read again.
#include "core/rate.h"

#include <gtest/gtest.h>

#include "core/time.h"

namespace outbox::core {
namespace {

TEST(Rate, IsRead) {
  EXPECT_EQ(*ParseRate("5/s"), (Rate{5, kNsPerSecond}));
  EXPECT_EQ(*ParseRate("100/min"), (Rate{100, kNsPerMinute}));
  EXPECT_EQ(*ParseRate("2000/h"), (Rate{2000, kNsPerHour}));
  EXPECT_EQ(*ParseRate("1000000/d"), (Rate{1'000'000, kNsPerDay}));
}

TEST(Rate, IsRefused) {
  for (const char* text : {"", "/", "100", "/min", "0/s", "-1/s", "1000001/s", "1.5/s", "5/", "5/m",
                           "5/sec", "5 /s", "5/ s", "5/s ", "99999999999/s", "s/5"}) {
    EXPECT_FALSE(ParseRate(text).ok()) << text;
  }
}

TEST(Rate, IsPrintedAsItIsRead) {
  for (const char* text : {"5/s", "100/min", "2000/h", "50000/d"}) {
    EXPECT_EQ(FormatRate(*ParseRate(text)), text);
  }
  EXPECT_EQ(FormatRate(Rate{}), "none");
}

}  // namespace
}  // namespace outbox::core
