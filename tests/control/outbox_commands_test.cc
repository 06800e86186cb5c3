// How `outbox` shows what the daemon says.
#include "tools/outbox_commands.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

TEST(FormatPreview, SaysWhatWouldGo) {
  const nlohmann::json preview = {
      {"recipients", 1200},
      {"messages", 1000},
      {"bytes", 3 << 20},
      {"sending", 2},
      {"oldest_seconds", 3725},
      {"senders", {{{"group", "virus@bad.test"}, {"recipients", 1199}, {"bytes", 3 << 20}},
                   {{"group", ""}, {"recipients", 1}, {"bytes", 100}}}},
      {"sender_count", 2},
      {"domains", {{{"group", "a.test"}, {"recipients", 700}, {"bytes", 2 << 20}}}},
      {"domain_count", 501}};
  EXPECT_EQ(FormatPreview(preview),
            "1,200 recipients of 1,000 messages, 3.0 MiB; the oldest is 1h02m old\n"
            "2 of them being sent at this moment: who is delivered by that stays delivered\n"
            "\n"
            "RECIPIENTS     SIZE  SENDER\n"
            "     1,199  3.0 MiB  virus@bad.test\n"
            "         1    100 B  <>\n"
            "\n"
            "RECIPIENTS     SIZE  DOMAIN\n"
            "       700  2.0 MiB  a.test\n"
            "and 500 more\n");
  EXPECT_EQ(FormatPreview({{"recipients", 0}}), "nothing in the queue matches\n");
}

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
                           {"cause", "held_by_route"},
                           {"cause_text", "it is held by its route"},
                           {"lifted_by", "`outbox release`"},
                           {"lifted_at", nullptr},
                           {"route", "quarantine"},
                           {"destination", "hold:"}}}}};
  const std::string text = FormatWhy(why, 1060);
  EXPECT_NE(text.find("held up by      it is held by its route: quarantine\n"
                      "  lifted by       `outbox release`\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("given up        not while it is held: its periods begin when it is "
                      "released\n"),
            std::string::npos)
      << text;
  why["recipients"][0]["held_by"] = "operator";
  why["recipients"][0]["cause"] = "held_by_operator";
  why["recipients"][0]["cause_text"] = "it is held by an operator";
  EXPECT_NE(FormatWhy(why, 1060)
                .find("held up by      it is held by an operator\n"
                      "  lifted by       `outbox release`\n"),
            std::string::npos);
}

TEST(FormatDuration, UsesTwoUnitsAtMost) {
  EXPECT_EQ(FormatDuration(-3), "0s");
  EXPECT_EQ(FormatDuration(59.9), "59s");
  EXPECT_EQ(FormatDuration(61), "1m01s");
  EXPECT_EQ(FormatDuration(7200), "2h00m");
  EXPECT_EQ(FormatDuration(90000), "1d01h");
}

nlohmann::json Group(const char* name, int recipients, std::vector<int> ages) {
  return {{"group", name},
          {"recipients", recipients},
          {"bytes", recipients * 2048},
          {"oldest_seconds", 61},
          {"ages", std::move(ages)}};
}

TEST(FormatGroups, TheLargestAndTheRest) {
  nlohmann::json end = Group("", 15, {});
  end["groups"] = 4;
  end["shown"] = 2;
  end["others"] = Group("", 2, {});
  EXPECT_EQ(FormatGroups({Group("", 12, {}), Group("a@b.test", 1, {})}, end, "sender"),
            "RECIPIENTS      SIZE  OLDEST  SENDER\n"
            "        12  24.0 KiB   1m01s  <>\n"
            "         1   2.0 KiB   1m01s  a@b.test\n"
            "         2   4.0 KiB   1m01s  (2 others)\n"
            "        15  30.0 KiB   1m01s  (all)\n");
}

TEST(FormatShape, ATableOfAges) {
  nlohmann::json end = Group("", 3, {2, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  end["groups"] = end["shown"] = 1;
  EXPECT_EQ(FormatShape({Group("b.test", 3, {2, 0, 0, 0, 0, 0, 0, 0, 0, 1})}, end),
            "        T  5  10  20  40  80  160  320  640  1280  1280+\n"
            " TOTAL  3  2   0   0   0   0    0    0    0     0      1\n"
            "b.test  3  2   0   0   0   0    0    0    0     0      1\n");
}

TEST(QueueView, WhatCannotBeShown) {
  EXPECT_TRUE(CheckQueueView({.columns = {"age", "reply"}, .sort = "age:desc"}).ok());
  EXPECT_EQ(CheckQueueView({.columns = {"colour"}}).message(),
            "--columns: \"colour\" is none of id state age tries next sender recipient domain "
            "mailhost size reply route source");
  EXPECT_FALSE(CheckQueueView({.sort = "age:down"}).ok());
  EXPECT_FALSE(CheckQueueView({.sort = "age", .by = "domain"}).ok());
  EXPECT_FALSE(CheckQueueView({.count = true, .shape = true}).ok());
  EXPECT_EQ(QueueGroupNames().size(), 9u);
}

// The daemon's sentences, with the numbers of the case behind them.
TEST(FormatWhy, WhatHoldsItAndWhatLiftsThat) {
  const nlohmann::json why = {
      {"recipient", "bob@b.test"},
      {"recipients",
       {{{"id", "1K0WCJNDQSZ00"},
         {"recipient", "bob@b.test"},
         {"state", "ready"},
         {"cause", "rate"},
         {"cause_text", "too fast"},
         {"lifted_by", "time"},
         {"lifted_at", 1'000'000'090}}}},
      {"destinations",
       {{{"destination", "mx:b.test"},
         {"ready", 1},
         {"queued", 1},
         {"cause", "slow_start"},
         {"cause_text", "step by step"},
         {"lifted_by", "mail"},
         {"site", {{"name", "b"}, {"window", 1}, {"limit", 20}, {"connections", 1}}}},
        {{"destination", "mx:c.test"}, {"cause", "none"}, {"cause_text", "nothing"}}}}};
  const std::string text = FormatWhy(why, 1'000'000'000);
  EXPECT_NE(text.find("message 1K0WCJNDQSZ00 from <>"), std::string::npos) << text;
  EXPECT_NE(text.find("  held up by      too fast\n  lifted by       time\n"), std::string::npos);
  EXPECT_NE(text.find(", in 1m30s\n"), std::string::npos);
  EXPECT_NE(text.find("step by step; 1 connection for now, of 20\n"), std::string::npos);
  EXPECT_NE(text.find("connections     1 open, of at most 20\n"), std::string::npos);
  // Nothing is known of the other one yet.
  EXPECT_NE(text.find("connections     none yet"), std::string::npos);
  EXPECT_EQ(text.find("of at most 0"), std::string::npos);
}

TEST(FormatSites, ThoseInTroubleWithWhoIsToBlame) {
  const std::vector<nlohmann::json> sites = {
      {{"site", "yahoo"}, {"state", "suspended"}, {"until", nullptr}, {"destinations", 3},
       {"ready", 1200}, {"max_connections", 10},
       {"suspension", {{"by", "alice"}, {"reason", "r"}}}},
      {{"site", "large"}, {"state", "slowed"}, {"until", 1100}, {"destinations", 2}, {"ready", 7},
       {"sending", 2}, {"connections", 2}, {"max_connections", 5}, {"window", 2},
       {"max_rate", "100/min"}, {"rate_now", "50/min"}, {"reply", "421 4.7.0 slow\x1b[1m"},
       {"mailhost", "mx.example.net:25"}}};
  EXPECT_EQ(FormatSites(sites, {{"more", 1}}, 1000),
            "SITE   DESTINATIONS  READY  SENDING  CONNECTIONS  RATE               STATE          "
            "     WHY\n"
            "yahoo             3  1,200        0  0/10         -                  suspended      "
            "     by alice: r\n"
            "large             2      7        2  2/5 (2)      50/min of 100/min  slowed, 1m40s "
            "more  mx.example.net:25 said: 421 4.7.0 slow [1m\n"
            "1 more site: --limit\n");
  EXPECT_EQ(FormatSites({}, {{"more", 0}}, 1000), "no mail goes anywhere at this moment\n");
}

TEST(FormatSuspensions, WhatWasSuspendedAndResumed) {
  EXPECT_EQ(FormatSuspensions({{"suspensions", nlohmann::json::array()}}),
            "nothing is suspended\n");
  const std::string table = FormatSuspensions(
      {{"suspensions",
        {{{"domain", "*.example.net"}, {"since", 1000}, {"until", nullptr}, {"by", "alice"},
          {"reason", "their maintenance"}},
         {{"site", "google"}, {"since", 1000}, {"until", 2000}, {"by", "bob"}, {"reason", ""}}}}});
  EXPECT_NE(table.find("*.example.net  "), std::string::npos) << table;
  EXPECT_NE(table.find("  resumed              alice  their maintenance\n"), std::string::npos)
      << table;
  EXPECT_NE(table.find("site google    "), std::string::npos) << table;
  EXPECT_EQ(FormatResumed({{"resumed", {{{"domain", "a.example"}}}}, {"lifted", {"google"}}}),
            "a.example resumed; one message goes first\n"
            "site google: what its replies had lowered ends\n");
  EXPECT_EQ(FormatResumed({{"resumed", nlohmann::json::array()}}),
            "nothing of that name is suspended\n");
}

}  // namespace
}  // namespace outbox::tools
