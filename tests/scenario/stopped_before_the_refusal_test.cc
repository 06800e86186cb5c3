// The refusal comes when the relay is already stopping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;

TEST_P(ScenarioTest, StoppedBeforeTheRefusalItStopsAndTellsLater) {
  story_.AddServer("b.example",
                   {{.at = "RCPT", .reply = "550 5.1.1 no", .delay_ns = 2 * kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond / 2);
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().bounced == 2; }, kNsPerHour));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
