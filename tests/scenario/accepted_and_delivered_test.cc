// A message comes in, is acknowledged, and arrives as it was, below the line that we add.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ClientResult;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_P(ScenarioTest, AcceptedAndDelivered) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const ClientResult result =
      story_.Send(kSender, {"bob@b.example"}, "Subject: x\r\n\r\n..dots\r\n");
  EXPECT_TRUE(result.acknowledged);
  EXPECT_THAT(result.last_reply, StartsWith("250 2.0.0"));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  const TakenMessage& taken = server->taken()[0];
  EXPECT_EQ(taken.reverse_path, kSender);
  EXPECT_THAT(taken.recipients, ElementsAre("bob@b.example"));
  EXPECT_THAT(taken.content, StartsWith("Received: from client.example"));
  EXPECT_THAT(taken.content, HasSubstr("for <bob@b.example>;"));
  EXPECT_TRUE(taken.content.ends_with("Subject: x\r\n\r\n..dots\r\n"));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
