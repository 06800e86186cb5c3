// An attempt fails, and what was said in it is there, each line with its time, though nobody had
// asked for it. A disk that refuses it delays nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_P(ScenarioTest, ADialogueThatFailedIsWritten) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.AddServer("c.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, "Subject: x\r\n\r\nsecret\r\n").acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"carol@c.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(story_.talks(), HasSubstr("\"outcome\":\"451 4.2.0 later\""));
  EXPECT_THAT(story_.talks(), HasSubstr(" C RCPT TO:<bob@b.example>\\n"));
  EXPECT_THAT(story_.talks(), HasSubstr(" S 451 4.2.0 later"));
  EXPECT_THAT(story_.talks(), Not(HasSubstr("secret")));
  // What went well is in memory alone.
  EXPECT_THAT(story_.talks(), Not(HasSubstr("carol")));
  EXPECT_THAT(story_.talks(), Not(HasSubstr("a message of")));
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::talk_lost_total), 0);
  story_.Finish();
}

TEST_P(ScenarioTest, ADiskThatTakesNoDialogueDelaysNothing) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.RefuseTalks(true);
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_EQ(story_.talks(), "");
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::talk_lost_total), 1);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
