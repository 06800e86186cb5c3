// All recipients are refused: no DATA is needed, and one notice names them all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, AllRefusedTheSenderIsToldOnce) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  for (const char* who : {"one", "two", "three"}) {
    EXPECT_EQ(Told("Final-Recipient: rfc822; " + std::string(who) + "@b.example"), 1u) << who;
  }
  EXPECT_EQ(story_.Counters().bounced, 3u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
