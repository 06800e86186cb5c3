// A route has twelve hosts, and the first ten do not want the session. An attempt ends there, but
// two hosts have not been asked: the message waits, it does not bounce.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using simulation::ScriptRule;
using ::testing::IsEmpty;

TEST_P(ScenarioTest, TenOfTwelveHostsRefuse) {
  const std::vector<ScriptRule> refuses = {{.at = "connect", .reply = "554 5.7.1 go away"}};
  story_.AddServer("b.example", refuses);
  for (int i = 1; i < 10; ++i) story_.AddHost("b.example", refuses);
  story_.AddHost("b.example");
  story_.AddHost("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil(
      [this] { return story_.Metric(&core::ShardMetrics::deferred_total) > 0; },
      core::kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 0u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().queued, 1u);
  story_.Finish(/*queued=*/1);
}

}  // namespace
}  // namespace outbox::queue
