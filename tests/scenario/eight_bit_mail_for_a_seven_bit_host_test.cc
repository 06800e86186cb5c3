// A message with octets above 127 for a host that does not take them: the sender learns it at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::SizeIs;

TEST_P(ScenarioTest, EightBitMailIsNotForcedUponASevenBitHost) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "EHLO", .reply = "250 b.example"}});
  story_.Start();
  const std::string greeting =
      "Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
      "e\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, greeting).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);  // plain text goes through
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Status: 5.6.3"), 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
