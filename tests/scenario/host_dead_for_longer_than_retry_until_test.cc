// Refused for now, or not reachable, for longer than retry_until: expired, the sender is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, ExpiredAndItsSenderIsTold) {
  story_.config().delivery.periods.retry_until_ns = 10 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@dead.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"null@b.example"}).acknowledged);
  story_.RunFor(9 * kNsPerMinute);
  EXPECT_EQ(story_.Counters().queued, 3u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  ASSERT_TRUE(story_.RunUntilEmpty(3 * kNsPerMinute));
  EXPECT_EQ(story_.Counters().expired, 3u);
  EXPECT_THAT(sender_->taken(), SizeIs(2));
  EXPECT_EQ(Told("Status: 4.4.7"), 2u);
  EXPECT_EQ(Told("rfc822; bob@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; bob@dead.example"), 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
