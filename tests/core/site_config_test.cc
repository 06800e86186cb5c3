// What a configuration says of sites: on_reply, files of sites, and what is wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/reply_pattern.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;

// Six lines that are fine.
const std::string kSiteHead =
    "hostname = \"relay.example.com\"\n"
    "\n"
    "[[listener]]\n"
    "address = \"127.0.0.1:2525\"\n"
    "relay_from = [\"127.0.0.0/8\"]\n"
    "\n";

// A site with a rate whose on_reply is this, on line 10.
std::string WithRule(const std::string& rule) {
  return kSiteHead + "[[site]]\nhosts = \"mx.example.net\"\nmax_rate = \"100/min\"\non_reply = [" +
         rule + "]\n";
}

TEST(SiteConfig, WhatAReplyLeadsTo) {
  const ConfigResult read = ParseConfig(
      WithRule("\n  { pattern = [\"421*TOO MANY\", \"slow down\"], rate = \"1/2\", for = \"15m\","
               " example = \"421 4.7.0 Too many messages\" },\n"
               "  { pattern = \"blocked\", phase = [\"greeting\", \"dot\"], suspend = \"1h\" },\n"
               "  { pattern = \"450\", rate = \"10/min\", connections = 2, for = \"5m\","
               " suspend = \"1m\" },\n"),
      "f");
  ASSERT_THAT(read.errors, ElementsAre());
  const std::vector<ReplyRuleConfig>& rules = read.config.sites[0].on_reply;
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_THAT(rules[0].patterns, ElementsAre("421*too many", "slow down"));
  EXPECT_EQ(rules[0].part, 2u);
  EXPECT_EQ(rules[0].for_ns, 15 * kNsPerMinute);
  EXPECT_EQ(rules[0].phases, kAllReplyPhases);
  EXPECT_EQ(rules[0].suspend_ns, 0);
  EXPECT_EQ(rules[1].phases, static_cast<uint8_t>(ReplyPhase::kGreeting) |
                                 static_cast<uint8_t>(ReplyPhase::kDot));
  EXPECT_EQ(rules[1].suspend_ns, kNsPerHour);
  EXPECT_EQ(rules[1].part, 0u);
  EXPECT_EQ(rules[2].rate, (Rate{10, kNsPerMinute}));
  EXPECT_EQ(rules[2].connections, 2u);
  EXPECT_EQ(rules[2].suspend_ns, kNsPerMinute);
}

TEST(SiteConfig, ARuleThatIsWrong) {
  const struct {
    const char* rule;
    const char* error;
  } kCases[] = {
      {"{ suspend = \"1h\" }",
       "f:10:13: on_reply has no \"pattern\"; expected a text in the reply, for example \"421*too "
       "many\""},
      {"{ pattern = \"*\", suspend = \"1h\" }",
       "f:10:25: \"*\" is no pattern of replies; expected 1 to 200 bytes of a reply, with * for "
       "what differs"},
      {"{ pattern = \"421\" }",
       "f:10:13: on_reply does nothing; expected \"rate\" or \"connections\" with \"for\", or "
       "\"suspend\""},
      {"{ pattern = \"421\", rate = \"1/2\" }",
       "f:10:13: on_reply has no \"for\"; expected how long the site gets less, for example "
       "\"15m\""},
      {"{ pattern = \"421\", suspend = \"1h\", for = \"1h\" }",
       "f:10:54: \"for\" is about \"rate\" and \"connections\", and neither is there; expected one "
       "of them, or \"suspend\" alone"},
      {"{ pattern = \"421\", suspend = \"1h\", rate = \"1/2\", for = \"1h\" }",
       "f:10:68: \"for\" is over before \"suspend\" is; expected a longer time, since both begin "
       "with the reply"},
      {"{ pattern = \"421\", rate = \"half\", for = \"1h\" }",
       "f:10:39: \"rate\": \"half\" is not a rate; expected 1 to 1000000 in a time, for example "
       "\"5/s\", \"100/min\", \"2000/h\" or \"50000/d\"; or a part of the present one, \"1/2\" to "
       "\"1/100\""},
      {"{ pattern = \"421\", phase = \"helo\", suspend = \"1h\" }",
       "f:10:40: \"helo\" is no phase of a session; expected \"greeting\", \"ehlo\", \"mail\", "
       "\"rcpt\", \"data\" or \"dot\""},
      {"{ pattern = \"421\", suspend = \"1h\", example = \"250 fine\" }",
       "f:10:58: \"250 fine\" is no refusal; expected a reply that begins with 4 or 5"},
      {"{ pattern = \"421\", suspend = \"1h\", example = \"450 busy\" }",
       "f:10:58: \"450 busy\" has none of the patterns in it; expected a reply that the rule is "
       "for"},
      {"{ pattern = \"421\", suspend = \"100ms\" }",
       "f:10:42: \"suspend\" is 100ms; expected a duration from 1s to 7d"},
      {"{ pattern = \"421\", suspended = \"1h\", suspend = \"1h\" }",
       "f:10:32: unknown key \"suspended\" in on_reply; did you mean \"suspend\"?"},
  };
  for (const auto& one : kCases) {
    EXPECT_THAT(ParseConfig(WithRule(one.rule), "f").errors, ElementsAre(one.error)) << one.rule;
  }
  // Half of no rate is nothing.
  const std::string without = kSiteHead +
                              "[[site]]\nhosts = \"mx.example.net\"\n"
                              "on_reply = [{ pattern = \"421\", rate = \"1/2\", for = \"1h\" }]\n";
  EXPECT_THAT(ParseConfig(without, "f").errors,
              ElementsAre("f:9:39: \"1/2\" is a part of a rate, and the site has no \"max_rate\"; "
                          "expected a \"max_rate\" in the [[site]], or here a rate as "
                          "\"10/min\""));
}

TEST(SiteConfig, AFileOfSitesGoesBehindTheOperatorsOwn) {
  ConfigResult read = ParseConfig("sites = [\"large.toml\"]\n" + kSiteHead +
                                      "[delivery]\nmax_connections = 7\n"
                                      "[[site]]\nname = \"b\"\nhosts = \"mine.example.net\"\n",
                                  "f");
  ASSERT_THAT(read.errors, ElementsAre());
  ASSERT_EQ(read.config.site_files.size(), 1u);
  EXPECT_EQ(read.config.site_files[0].path, "large.toml");
  EXPECT_EQ(read.config.site_files[0].line, 1u);
  EXPECT_EQ(read.config.site_files[0].column, 10u);
  EXPECT_THAT(ParseSites("[[site]]\nname = \"a\"\nhosts = \"a.example\"\n"
                         "[[site]]\nname = \"b\"\nhosts = \"b.example\"\n",
                         "large.toml", &read.config),
              ElementsAre());
  // The operator's "b" has taken the place of the file's.
  ASSERT_EQ(read.config.sites.size(), 2u);
  EXPECT_THAT(read.config.sites[0].hosts, ElementsAre("mine.example.net"));
  EXPECT_EQ(read.config.sites[1].name, "a");
  EXPECT_EQ(read.config.sites[1].max_connections, 7u);
  // Nothing but sites.
  EXPECT_THAT(ParseSites("hostname = \"x\"\n[[site]]\n", "g", &read.config),
              ElementsAre("g:1:1: unknown key \"hostname\"; expected one of site",
                          "g:2:1: [[site]] has no \"hosts\"; expected names of mail hosts, for "
                          "example \"*.mail.example.net\"; or \"domains\", the recipients'"));
  EXPECT_THAT(ParseConfig("sites = []\n" + kSiteHead, "f").errors,
              ElementsAre("f:1:9: \"sites\" has 0 elements; expected 1 to 8"));
}

TEST(ReplyPattern, ATextIsAnywhereInTheReply) {
  const std::string line = ReplyLine(421, "4.7.0", "Too many messages from 192.0.2.1, slow DOWN");
  EXPECT_EQ(line, "421 4.7.0 too many messages from 192.0.2.1, slow down");
  for (const char* in : {"421", "421 4.7.0 too", "many", "421*slow down", "too*many*from*down",
                         "*too", "down*", "4.7.0*"}) {
    EXPECT_TRUE(IsInReply(in, line)) << in;
  }
  for (const char* out :
       {"450", "slow*many", "down*down", "421 4.7.0 many", "too many  messages"}) {
    EXPECT_FALSE(IsInReply(out, line)) << out;
  }
  EXPECT_EQ(ReplyLine(550, "", ""), "550");
}

}  // namespace
}  // namespace outbox::core
