// The host does not know the recipient: one failure notice, with what the host said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using ::testing::SizeIs;

TEST_P(ScenarioTest, RefusedAndItsSenderIsTold) {
  story_.AddServer("b.example", {{.at = "RCPT TO:<bob@", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Final-Recipient: rfc822; bob@b.example"), 1u);
  EXPECT_EQ(Told("Action: failed"), 1u);
  EXPECT_EQ(Told("Diagnostic-Code: smtp; 550 5.1.1 no such user"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
