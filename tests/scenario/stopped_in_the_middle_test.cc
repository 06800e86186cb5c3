// Stopped while hosts are slow, stuck and unwilling: after the start everything arrives once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using simulation::TakenMessage;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, StoppedInTheMiddleNothingIsLost) {
  ScriptedServer* slow = story_.AddServer(
      "slow.example",
      {{.at = "DATA", .reply = "", .keep_reply = true, .delay_ns = 3 * kNsPerSecond}});
  ScriptedServer* later =
      story_.AddServer("later.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.config().delivery.max_connections = 2;
  ScriptedServer* stuck = story_.AddServer(
      "stuck.example", {{.at = "MAIL", .reply = "", .then = ScriptRule::Then::kStall}});
  story_.Start();
  for (int i = 0; i < 10; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_TRUE(
        story_.Send(kSender, {user + "@slow.example", user + "@later.example"}).acknowledged);
    EXPECT_TRUE(story_.Send(kSender, {user + "@stuck.example"}).acknowledged);
  }
  EXPECT_TRUE(story_.Counters().AddUp());
  const uint64_t before = story_.Counters().queued;
  EXPECT_GE(before, 20u);
  ASSERT_TRUE(story_.Stop());
  const size_t delivered = slow->taken().size();
  later->script().rules.clear();
  stuck->script().rules.clear();
  slow->script().rules.clear();
  story_.Start();
  EXPECT_TRUE(
      story_.RunUntil([&] { return story_.Counters().recovered == 30 - delivered; }, kNsPerMinute))
      << story_.Counters().recovered << " and " << delivered;
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  for (const ScriptedServer* one : {slow, later, stuck}) {
    std::multiset<std::string> arrived;
    for (const TakenMessage& taken : one->taken()) {
      arrived.insert(taken.recipients.begin(), taken.recipients.end());
    }
    EXPECT_THAT(arrived, SizeIs(10));
    EXPECT_THAT(std::set<std::string>(arrived.begin(), arrived.end()), SizeIs(10));
  }
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
