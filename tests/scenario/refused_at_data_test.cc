// The recipients are good, the message is not: refused behind DATA or behind the final dot, it
// fails for all of them.
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

TEST_P(ScenarioTest, RefusedAtData) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "DATA", .reply = "554 5.7.1 no content wanted"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Diagnostic-Code: smtp; 554 5.7.1 no content wanted"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 2u);
  story_.Finish();
}

TEST_P(ScenarioTest, RefusedBehindTheFinalDot) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = ".", .reply = "554 5.6.0 looks like spam"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Diagnostic-Code: smtp; 554 5.6.0 looks like spam"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 2u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
