// Somebody sets the clock an hour forward or back: no retry comes early, no mail expires, nothing
// is forgotten; and across a restart the times on disk are wall times.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TheWallClock : public ScenarioTest {
 protected:
  void Jumps(int64_t delta_ns) {
    story_.config().delivery.periods.retry_ns = {10 * kNsPerMinute};
    story_.config().delivery.periods.notify_after_ns = 30 * kNsPerMinute;
    story_.config().delivery.periods.retry_until_ns = 2 * kNsPerHour;
    ScriptedServer* server =
        story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
    story_.Start();
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntil(
        [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, kNsPerMinute));
    const int64_t refused_ns = story_.world().now_ns();
    story_.world().JumpWall(delta_ns);
    story_.RunFor(9 * kNsPerMinute);
    EXPECT_THAT(server->taken(), IsEmpty());
    EXPECT_THAT(sender_->taken(), IsEmpty());
    EXPECT_EQ(story_.Counters().queued, 1u);
    ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
    ASSERT_THAT(server->taken(), SizeIs(1));
    EXPECT_GE(server->taken()[0].taken_ns - refused_ns, 10 * kNsPerMinute);
    EXPECT_EQ(story_.Counters().delivered, 1u);
    EXPECT_THAT(sender_->taken(), IsEmpty());
    story_.Finish();
  }
};

TEST_P(TheWallClock, JumpsAnHourForward) { Jumps(kNsPerHour); }
TEST_P(TheWallClock, JumpsAnHourBack) { Jumps(-kNsPerHour); }

// Set back by an hour and started again: the retry that was due in ten minutes must not wait for
// seventy.
TEST_P(TheWallClock, JumpsBackAndWeStartAgain) {
  story_.config().delivery.periods.retry_ns = {10 * kNsPerMinute};
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil(
      [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, kNsPerMinute));
  ASSERT_TRUE(story_.Stop());
  story_.world().JumpWall(-kNsPerHour);
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(25 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, TheWallClock, testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
