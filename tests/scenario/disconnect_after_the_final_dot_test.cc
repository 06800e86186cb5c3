// The host hangs up between our final dot and its reply. It may have taken the message: it is sent
// again, and nobody is told that it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, DisconnectedAfterTheFinalDotItIsSentAgain) {
  ScriptedServer* server = story_.AddServer(
      "b.example", {{.at = ".", .reply = "", .then = ScriptRule::Then::kReset, .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(20 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(2));  // it had taken the first one, but did not say so
  EXPECT_EQ(server->sessions_total(), 2u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().delivered, 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 1);
  story_.Finish();
}

// Likewise when the host never answers: RFC 5321 4.5.3.2.6 gives it ten minutes.
TEST_P(ScenarioTest, SilentAfterTheFinalDotItIsSentAgain) {
  story_.config().delivery.periods.retry_until_ns = core::kNsPerHour;
  ScriptedServer* server = story_.AddServer(
      "b.example", {{.at = ".", .reply = "", .then = ScriptRule::Then::kStall, .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  story_.RunFor(9 * kNsPerMinute);
  EXPECT_EQ(server->sessions_total(), 1u);
  EXPECT_EQ(story_.Counters().queued, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(20 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(2));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
