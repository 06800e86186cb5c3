// Mail from the null return path is refused: nobody is told (RFC 5321 4.5.5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using ::testing::IsEmpty;

TEST_P(ScenarioTest, TheNullSenderIsNotTold) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send("", {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Counters().generated, 0u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
