// A large host says in its own words that it gets too much. There is a rule for that: its site gets
// less for a time, or nothing, over all shards, and everything arrives in the end.
#include <gtest/gtest.h>

#include <string>

#include "queue/site_state.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::ScriptRule;

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

class LessTest : public ScenarioTest {
 protected:
  // A server whose host is the site "large", with this rule.
  ScriptedServer* Large(const core::ReplyRuleConfig& rule, std::vector<ScriptRule> script) {
    ScriptedServer* server = story_.AddServer("large.example", std::move(script));
    core::SiteConfig site;
    site.name = "large";
    site.hosts = {server->address().ip.ToString()};
    site.max_connections = 10;
    site.max_rate = {600, kNsPerMinute};
    site.on_reply = {rule};
    story_.config().sites = {site};
    story_.config().listeners[0].max_connections_per_client = 2'000;
    return server;
  }
  void SendMany(int count) {
    for (int i = 0; i < count; ++i) {
      story_.SendLater(kSender, {"r" + std::to_string(i) + "@large.example"});
    }
  }
  SiteState State() {
    const Site* site = story_.site_table().Peek(HashOfSite("large"));
    return site == nullptr
               ? SiteState()
               : StateOf(*site, story_.world().now_ns(), story_.world().now_ns());
  }
};

TEST_P(LessTest, ItGoesSlowerAndRecovers) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"450*too much mail"};
  rule.rate = {60, kNsPerMinute};
  rule.for_ns = 30 * kNsPerSecond;
  ScriptedServer* large = Large(
      rule, {{.at = "RCPT", .reply = "450 4.7.1 Error: Too much mail from you", .times = 1}});
  story_.Start();
  SendMany(100);
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_EQ(CountOf(story_.events(), "\"site_slowed\""), 1u);
  EXPECT_NE(story_.events().find("\"rate\":\"1/s\""), std::string::npos);
  EXPECT_TRUE(State().slowed);
  // One a second now.
  const size_t before = large->taken().size();
  EXPECT_LE(before, 20u);
  story_.RunFor(20 * kNsPerSecond);
  EXPECT_GE(large->taken().size(), before + 18);
  EXPECT_LE(large->taken().size(), before + 21);
  // Then two, then four, and that is enough.
  EXPECT_TRUE(story_.RunUntilEmpty(3 * kNsPerMinute));
  EXPECT_EQ(large->taken().size(), 100u);
  story_.RunFor(4 * kNsPerMinute);
  story_.Send(kSender, {"late@large.example"});
  EXPECT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_FALSE(State().slowed);
  EXPECT_EQ(CountOf(story_.events(), "\"site_recovered\""), 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::site_slowdowns_total), 1);
  story_.Finish();
}

// Ten connections hear the same; half of the rate is taken once.
TEST_P(LessTest, HalfIsHalfHoweverManyHaveHeardIt) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"slow down"};
  rule.part = 2;
  rule.for_ns = 5 * kNsPerMinute;
  ScriptedServer* large =
      Large(rule, {{.at = ".", .reply = "451 4.7.0 slow down", .delay_ns = kNsPerSecond,
                    .times = 8}});
  story_.Start();
  SendMany(8);
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(CountOf(story_.events(), "\"site_slowed\""), 1u);
  EXPECT_NEAR(static_cast<double>(State().interval_ns), kNsPerMinute / 300.0, 1e6);
  EXPECT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(large->taken().size(), 8u);
  story_.Finish();
}

TEST_P(LessTest, NothingGoesWhileItIsSuspended) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"554*blocked"};
  rule.suspend_ns = 10 * kNsPerMinute;
  ScriptedServer* large =
      Large(rule, {{.at = "RCPT", .reply = "554 5.7.1 You are blocked", .times = 1}});
  story_.Start();
  SendMany(100);
  story_.RunFor(5 * kNsPerSecond);
  const size_t under_way = large->taken().size();
  EXPECT_LE(under_way, 20u);
  EXPECT_EQ(CountOf(story_.events(), "\"site_suspended\""), 1u);
  EXPECT_GT(State().suspended_until_wall_ns, 0);
  const auto note = story_.site_table().notes().Get(HashOfSite("large"));
  ASSERT_TRUE(note.has_value());
  EXPECT_EQ(note->reply, "554 5.7.1 You are blocked");
  story_.RunFor(8 * kNsPerMinute);
  EXPECT_EQ(large->taken().size(), under_way);
  EXPECT_EQ(large->open_sessions(), 0u);
  // Those behind the refused one have not been tried, and are ready; some wait at the destination,
  // the others at their homes.
  const auto parts = story_.SiteParts();
  ASSERT_TRUE(parts.contains("large"));
  EXPECT_GE(parts.at("large").ready, 1u);
  EXPECT_LE(parts.at("large").ready, 99 - under_way);
  EXPECT_EQ(story_.Census(QueueFilter(), QueueColumn::kState)["ready"].recipients, 99 - under_way);
  EXPECT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(large->taken().size(), 99u);
  EXPECT_EQ(Told("You are blocked"), 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::site_suspensions_total), 1);
  story_.Finish();
}

// An operator knows better, and lifts it. One message goes first.
TEST_P(LessTest, WhatAReplyHasSuspendedAnOperatorResumes) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"421*go away"};
  rule.phases = static_cast<uint8_t>(core::ReplyPhase::kGreeting);
  rule.suspend_ns = core::kNsPerHour;
  ScriptedServer* large =
      Large(rule, {{.at = "connect", .reply = "421 4.7.0 go away", .then = ScriptRule::Then::kClose,
                    .times = 1}});
  story_.Start();
  SendMany(30);
  story_.RunFor(5 * kNsPerMinute);
  EXPECT_EQ(large->taken().size(), 0u);
  EXPECT_TRUE(story_.site_table().Lift(HashOfSite("large"), story_.world().now_ns()));
  story_.SetSuspensions({});
  EXPECT_TRUE(story_.RunUntilEmpty(2 * kNsPerMinute));
  EXPECT_EQ(large->taken().size(), 30u);
  story_.Finish();
}

TEST_P(LessTest, AReloadBringsANewRule) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"never said"};
  rule.rate = {60, kNsPerMinute};
  rule.for_ns = kNsPerMinute;
  Large(rule, {{.at = "RCPT", .reply = "450 4.3.2 busy now", .times = 2}});
  story_.Start();
  story_.Send(kSender, {"first@large.example"});
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_FALSE(State().slowed);
  story_.config().sites[0].on_reply[0].patterns = {"busy now"};
  story_.Reload();
  EXPECT_TRUE(story_.RunUntil([this] { return State().slowed; }, 2 * kNsPerMinute));
  // What is lowered stays so when the rule is gone.
  story_.config().sites[0].on_reply.clear();
  story_.Reload();
  EXPECT_TRUE(State().slowed);
  EXPECT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  story_.Finish();
}

TEST_P(LessTest, FewerConnectionsOverAllShards) {
  core::ReplyRuleConfig rule;
  rule.patterns = {"too many connections"};
  rule.connections = 1;
  rule.for_ns = 2 * kNsPerMinute;
  ScriptedServer* large =
      Large(rule, {{.at = "RCPT", .reply = "450 4.7.0 Too many connections", .times = 1},
                   {.at = ".", .reply = "", .keep_reply = true, .delay_ns = 4 * kNsPerSecond}});
  story_.Start();
  SendMany(60);
  // What is under way ends.
  story_.RunFor(20 * kNsPerSecond);
  EXPECT_EQ(State().window, 1u);
  for (int second = 0; second < 90; ++second) {
    story_.RunFor(kNsPerSecond);
    ASSERT_LE(large->open_sessions(), 1u) << second;
  }
  EXPECT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_EQ(large->taken().size(), 60u);
  EXPECT_LE(large->open_sessions_peak(), 10u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, LessTest, ::testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
