// A failure notice that is refused itself ends there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;

TEST_P(ScenarioTest, ABounceNeverBounces) {
  sender_->script().rules = {{.at = "RCPT", .reply = "550 5.1.1 gone"}};
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 2u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
