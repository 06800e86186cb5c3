// Answers are used no longer than they are good for; what is under way is not disturbed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, MailFollowsAnMxThatMoves) {
  ScriptedServer* before = story_.AddMx("b.example", 10, "old.example");
  ScriptedServer* after = story_.AddMx("other.example", 10, "new.example");
  story_.names().faults().zero_ttl = true;
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(before->taken(), SizeIs(1));
  story_.names().Remove("b.example");
  story_.names().AddMx("b.example", 10, "new.example");
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(before->taken(), SizeIs(1));
  EXPECT_THAT(after->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(ScenarioTest, WithinItsTtlAnAnswerIsNotAskedForAgain) {
  ScriptedServer* server = story_.AddMx("b.example", 10, "mx.b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  const uint64_t asked = story_.names().QuestionsAbout("b.example");
  for (int i = 0; i < 20; ++i) {
    story_.RunFor(kNsPerMinute);
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(21));
  EXPECT_EQ(story_.names().QuestionsAbout("b.example"), asked);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
