// One recipient of three is refused: the others get the message, the notice names the one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST_P(ScenarioTest, OneOfThreeIsRefused) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT TO:<two@", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("one@b.example", "three@b.example"));
  EXPECT_THAT(server->taken()[0].content, Not(HasSubstr("for <")));  // several are not disclosed
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; one@b.example"), 0u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
