// One delay notice after the notification period, also across a restart; then it is delivered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, OneDelayNoticeThenDelivered) {
  story_.config().delivery.periods.notify_after_ns = 3 * kNsPerMinute;
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(2 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.RunFor(20 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Action: delayed"), 1u);
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  for (const QueueLine& line : story_.List()) EXPECT_EQ(line.state, RecipientState::kDelayed);
  // Also after a restart the sender has been told.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  server->script().rules.clear();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
