// The commit fails: no 250, nothing is sent; when the disk is well again, mail is taken again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ClientResult;
using simulation::ScriptedServer;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_P(ScenarioTest, ADiskThatFailsTakesNothingAndNothingIsSent) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"carol@b.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  story_.world().mutable_options().disk.write_error_ppm = 1'000'000;
  const ClientResult first = story_.Send(kSender, {"bob@b.example"});
  EXPECT_TRUE(first.dot_sent);  // everything was taken but the commit
  EXPECT_FALSE(first.acknowledged);
  EXPECT_THAT(first.last_reply, StartsWith("451 4.3.0"));
  for (int i = 0; i < 3; ++i) {
    const ClientResult result = story_.Send(kSender, {"bob@b.example"});
    EXPECT_FALSE(result.acknowledged);
    EXPECT_THAT(result.last_reply, Not(StartsWith("2")));
    story_.RunFor(kNsPerSecond);
  }
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_EQ(story_.Counters().accepted, 1u);
  story_.world().mutable_options().disk.write_error_ppm = 0;
  story_.RunFor(kNsPerMinute);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(2));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
