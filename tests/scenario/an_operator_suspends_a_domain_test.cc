// An operator suspends a domain, or a site. Its mail waits, whatever happens meanwhile, and the
// mail of everybody else does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;

Suspension OfDomain(const std::string& pattern) {
  return {.name = pattern, .since_wall_ns = 1, .by = "alice", .reason = "their maintenance"};
}

class SuspendTest : public ScenarioTest {
 protected:
  ScriptedServer* AddDomain(const std::string& domain) {
    return story_.AddMx(domain, 10, "mx." + domain);
  }
  void SendMany(const std::string& domain, int count) {
    for (int i = 0; i < count; ++i) {
      story_.SendLater(kSender, {"r" + std::to_string(i) + "@" + domain});
    }
  }
  size_t Ready() {
    const std::vector<QueueLine> lines = story_.List();
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [](const auto& line) {
      return line.state == RecipientState::kReady;
    }));
  }
};

TEST_P(SuspendTest, ItsMailWaitsAndAllOtherGoes) {
  ScriptedServer* big = AddDomain("big.example");
  ScriptedServer* below = AddDomain("a.below.example");
  ScriptedServer* other = AddDomain("other.example");
  story_.SetSuspensions({OfDomain("big.example"), OfDomain("*.below.example")});
  story_.Start();
  for (const char* const domain : {"big.example", "a.below.example", "other.example"}) {
    SendMany(domain, 20);
  }
  story_.RunFor(5 * kNsPerMinute);
  EXPECT_EQ(other->taken().size(), 20u);
  EXPECT_EQ(big->sessions_total() + below->sessions_total(), 0u);
  EXPECT_EQ(Ready(), 40u);
  // What is asked about is what is so.
  const auto parts = story_.SiteParts();
  ASSERT_TRUE(parts.contains("mx.big.example:25"));
  EXPECT_EQ(parts.at("mx.big.example:25").suspended,
            parts.at("mx.big.example:25").destinations);
  // An operator's retry does not lift it.
  QueueFilter filter;
  filter.domain = "big.example";
  story_.Command(QueueOrder::kRetry, filter);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(big->sessions_total(), 0u);
  story_.SetSuspensions({OfDomain("*.below.example")});
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(big->taken().size(), 20u);
  EXPECT_EQ(below->sessions_total(), 0u);
  story_.SetSuspensions({});
  EXPECT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(below->taken().size(), 20u);
  story_.Finish();
}

TEST_P(SuspendTest, WhatIsUnderWayEnds) {
  story_.config().delivery.max_connections = 3;
  ScriptedServer* big = story_.AddMx(
      "big.example", 10, "mx.big.example",
      {{.at = ".", .reply = "", .keep_reply = true, .delay_ns = 20 * kNsPerSecond}});
  story_.Start();
  SendMany("big.example", 30);
  story_.RunFor(5 * kNsPerSecond);
  const size_t open = big->open_sessions();
  EXPECT_GE(open, 1u);
  story_.SetSuspensions({OfDomain("*")});
  story_.RunFor(5 * kNsPerMinute);
  // No more than two on each connection were in hand.
  EXPECT_GE(big->taken().size(), open);
  EXPECT_LE(big->taken().size(), 2 * open);
  EXPECT_EQ(big->open_sessions(), 0u);
  EXPECT_EQ(Ready(), 30 - big->taken().size());
  story_.SetSuspensions({});
  EXPECT_TRUE(story_.RunUntilEmpty(20 * kNsPerMinute));
  EXPECT_EQ(big->taken().size(), 30u);
  story_.Finish();
}

// One message shows whether the host is well before the others follow.
TEST_P(SuspendTest, OneGoesFirstWhenItIsResumed) {
  story_.SetSuspensions({OfDomain("big.example")});
  ScriptedServer* big = story_.AddMx(
      "big.example", 10, "mx.big.example",
      {{.at = ".", .reply = "", .keep_reply = true, .delay_ns = 10 * kNsPerSecond}});
  story_.Start();
  SendMany("big.example", 50);
  story_.RunFor(kNsPerMinute);
  story_.SetSuspensions({});
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_EQ(big->open_sessions(), 1u);
  EXPECT_TRUE(story_.RunUntilEmpty(20 * kNsPerMinute));
  EXPECT_EQ(big->taken().size(), 50u);
  EXPECT_GT(big->open_sessions_peak(), 1u);
  story_.Finish();
}

TEST_P(SuspendTest, ASiteByItsName) {
  core::SiteConfig site;
  site.name = "large";
  site.hosts = {"mx.big.example"};
  story_.config().sites = {site};
  ScriptedServer* big = AddDomain("big.example");
  Suspension suspension = OfDomain("large");
  suspension.site = true;
  story_.SetSuspensions({suspension});
  story_.Start();
  SendMany("big.example", 10);
  story_.RunFor(5 * kNsPerMinute);
  EXPECT_EQ(big->sessions_total(), 0u);
  // A reload changes nothing about it.
  story_.Reload();
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(big->sessions_total(), 0u);
  story_.SetSuspensions({});
  EXPECT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(big->taken().size(), 10u);
  story_.Finish();
}

// Its periods go on: who sent it is told in words that say why.
TEST_P(SuspendTest, ItsMailExpiresLikeAllMail) {
  story_.config().delivery.periods.notify_after_ns = 10 * kNsPerMinute;
  ScriptedServer* big = AddDomain("big.example");
  story_.SetSuspensions({OfDomain("big.example")});
  story_.Start();
  story_.Send(kSender, {"bob@big.example"});
  story_.RunFor(15 * kNsPerMinute);
  EXPECT_EQ(Told("have suspended delivery"), 1u);
  // It is not forgotten by a stop.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  EXPECT_TRUE(story_.RunUntilEmpty(2 * core::kNsPerHour));
  EXPECT_EQ(Told("have suspended delivery"), 2u);
  EXPECT_EQ(big->sessions_total(), 0u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, SuspendTest, ::testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
