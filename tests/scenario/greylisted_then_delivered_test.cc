// "Later", says the host: the message waits for the retry period and is delivered then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, DeferredAndDeliveredNotBeforeTheRetryPeriod) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil(
      [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, kNsPerMinute));
  const int64_t refused_ns = story_.world().now_ns();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_GE(server->taken()[0].taken_ns - refused_ns, kNsPerMinute);
  EXPECT_LE(server->taken()[0].taken_ns - refused_ns, 2 * kNsPerMinute);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 1);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
