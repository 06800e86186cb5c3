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

TEST(FormatRoute, WhereAMessageWouldGoAndWhyNotByTheRoutesBefore) {
  EXPECT_EQ(FormatRoute({{"route", "out"},
                         {"number", 3},
                         {"routes", 3},
                         {"action", "send"},
                         {"decided", false},
                         {"destination", "via:mail.example.net:2525,192.0.2.1:25"},
                         {"hosts",
                          {{{"host", "mail.example.net"},
                            {"port", 2525},
                            {"preference", 0},
                            {"addresses", nlohmann::json::array()}},
                           {{"host", "192.0.2.1"},
                            {"port", 25},
                            {"preference", 1},
                            {"addresses", {"192.0.2.1"}}}}},
                         {"site", {{"name", "s"}, {"max_connections", 1}}},
                         {"retry", {60, 3600}},
                         {"notify_after", nullptr},
                         {"retry_until", 86400},
                         {"passed", {{{"route", "a"}, {"number", 1}, {"why", "so it is"}}}},
                         {"passed_left_out", 1}}),
            "route       out, number 3 of 3\n"
            "            unless a route before it takes the message for its header or size, see "
            "below\n"
            "destination via:mail.example.net:2525,192.0.2.1:25\n"
            "hosts       mail.example.net:2525  no address\n"
            "            192.0.2.1:25\n"
            "limits      1 connection, of the site s\n"
            "retry       after 1m00s, then every 1h00m\n"
            "notify      never\n"
            "give up     after 1d00h\n"
            "\n"
            "routes before it\n"
            "  1 a: so it is\n"
            "  and 1 more that do not match\n");
  EXPECT_EQ(FormatRoute({{"route", "mx"},
                         {"number", 1},
                         {"routes", 0},
                         {"action", "reject"},
                         {"text", "No"},
                         {"destination", nullptr}}),
            "route       mx, the implicit last one\n"
            "mail is     refused: 550 5.7.1 No\n");
}

TEST(FormatWhy, SaysWhoHoldsAMessage) {
  nlohmann::json why = {{"id", "1K0WCJNDQSZ00"},
                        {"recipients",
                         {{{"recipient", "b@example.net"},
                           {"sender", "a@example.com"},
                           {"state", "held"},
                           {"since", 1000},
                           {"accepted", 1000},
                           {"attempts", 0},
                           {"waits_for", "release"},
                           {"held_by", "route"},
                           {"route", "quarantine"},
                           {"destination", "hold:"}}}}};
  const std::string text = FormatWhy(why, 1060);
  EXPECT_NE(text.find("waits for       outbox release: held by route quarantine\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("given up        not while it is held: its periods begin when it is "
                      "released\n"),
            std::string::npos)
      << text;
  why["recipients"][0]["held_by"] = "operator";
  EXPECT_NE(FormatWhy(why, 1060).find("outbox release: held by an operator\n"), std::string::npos);
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
