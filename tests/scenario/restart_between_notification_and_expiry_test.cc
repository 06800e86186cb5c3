// The sender has been told of the delay, the relay starts again, the mail expires: one delay notice
// and one failure notice, at the times that were promised.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, RestartedBetweenNotificationAndExpiry) {
  story_.config().delivery.periods.notify_after_ns = 10 * kNsPerMinute;
  story_.config().delivery.periods.retry_until_ns = 40 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  const int64_t accepted_ns = story_.world().now_ns();
  story_.RunFor(15 * kNsPerMinute);
  EXPECT_EQ(Told("Action: delayed"), 1u);
  ASSERT_TRUE(story_.Stop());
  story_.RunFor(10 * kNsPerMinute);
  story_.Start();
  story_.RunFor(accepted_ns + 39 * kNsPerMinute - story_.world().now_ns());
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(story_.Counters().queued, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(3 * kNsPerMinute));
  EXPECT_EQ(Told("Action: delayed"), 1u);
  EXPECT_EQ(Told("Action: failed"), 1u);
  EXPECT_EQ(story_.Counters().expired, 1u);
  story_.Finish();
}

// Down while both times pass: the failure alone is told, a delay notice would be no news.
TEST_P(ScenarioTest, DownWhileBothTimesPass) {
  story_.config().delivery.periods.notify_after_ns = 10 * kNsPerMinute;
  story_.config().delivery.periods.retry_until_ns = 40 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  story_.RunFor(kNsPerMinute / 2);
  ASSERT_TRUE(story_.Stop());
  story_.RunFor(60 * kNsPerMinute);
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(3 * kNsPerMinute));
  EXPECT_EQ(Told("Action: delayed"), 0u);
  EXPECT_EQ(Told("Action: failed"), 1u);
  EXPECT_EQ(story_.Counters().expired, 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
