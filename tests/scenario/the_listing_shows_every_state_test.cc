// What is sent, waits, or was refused for now is shown as such, each recipient once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerSecond;
using simulation::ScriptRule;
using ::testing::SizeIs;

TEST_P(ScenarioTest, TheListingShowsEveryRecipientOnceInItsState) {
  story_.config().delivery.max_connections = 1;
  story_.AddServer("busy.example", {{.at = "DATA", .reply = "", .then = ScriptRule::Then::kStall}});
  story_.AddServer("later.example", {{.at = "RCPT", .reply = "451 4.2.0 come back"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a-sending@busy.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  EXPECT_TRUE(
      story_.Send(kSender, {"b-ready@busy.example", "c-deferred@later.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const std::vector<QueueLine> lines = story_.List();
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0].recipient, "a-sending@busy.example");
  EXPECT_EQ(lines[0].state, RecipientState::kSending);
  EXPECT_EQ(lines[0].mailhost, "10.1.0.2:25");
  EXPECT_EQ(lines[0].sender, kSender);
  EXPECT_EQ(lines[0].domain, "busy.example");
  EXPECT_EQ(lines[1].recipient, "b-ready@busy.example");
  EXPECT_EQ(lines[1].state, RecipientState::kReady);
  EXPECT_EQ(lines[1].attempts, 0u);
  EXPECT_EQ(lines[2].recipient, "c-deferred@later.example");
  EXPECT_EQ(lines[2].state, RecipientState::kDeferred);
  EXPECT_EQ(lines[2].attempts, 1u);
  EXPECT_EQ(lines[2].last_reply, "451 4.2.0 come back");
  EXPECT_EQ(lines[2].mailhost, "10.1.0.3:25");
  EXPECT_GT(lines[2].next_attempt_wall_ns, story_.world().wall_ns());
  EXPECT_EQ(lines[1].id, lines[2].id);
  story_.Finish(/*queued=*/3);
}

}  // namespace
}  // namespace outbox::queue
