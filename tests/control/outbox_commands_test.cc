// How `outbox` shows what the daemon says.
#include "tools/outbox_commands.h"

#include <gtest/gtest.h>

namespace outbox::tools {
namespace {

TEST(FormatStats, GroupsKnownCountersAndShowsTheRestBelow) {
  const nlohmann::json stats = {{"queued", 1234567},      {"sending", 20},
                                {"accepted_total", 9},    {"spool_bytes", 3 << 20},
                                {"uptime_seconds", 3725}, {"version", "0.1.0"},
                                {"io", {{"enters", 5}}},  {"shards", {1, 2, 3}}};
  EXPECT_EQ(FormatStats(stats),
            "Now\n"
            "  queued   1,234,567\n"
            "  sending         20\n"
            "\n"
            "Recipients since the start\n"
            "  accepted_total  9\n"
            "\n"
            "Resources\n"
            "  spool_bytes  3.0 MiB\n"
            "\n"
            "More\n"
            "  io.enters           5\n"
            "  uptime_seconds  1h02m\n"
            "  version         0.1.0\n");
}

TEST(FormatDuration, UsesTwoUnitsAtMost) {
  EXPECT_EQ(FormatDuration(-3), "0s");
  EXPECT_EQ(FormatDuration(59.9), "59s");
  EXPECT_EQ(FormatDuration(61), "1m01s");
  EXPECT_EQ(FormatDuration(7200), "2h00m");
  EXPECT_EQ(FormatDuration(90000), "1d01h");
}

}  // namespace
}  // namespace outbox::tools
