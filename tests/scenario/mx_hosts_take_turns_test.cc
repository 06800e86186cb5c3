// The hosts that MX records name: in the order of preference, a dead one costs nothing, equal ones
// share the mail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, TheFirstMxIsDeadTheSecondTakesIt) {
  story_.AddDeadMx("b.example", 10, "mx1.b.example");
  ScriptedServer* second = story_.AddMx("b.example", 20, "mx2.b.example");
  ScriptedServer* third = story_.AddMx("b.example", 30, "mx3.b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(2 * kNsPerMinute));
  EXPECT_THAT(second->taken(), SizeIs(1));
  EXPECT_THAT(third->taken(), IsEmpty());
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 0);
  story_.Finish();
}

TEST_P(ScenarioTest, MxOfEqualPreferenceShareTheMail) {
  ScriptedServer* one = story_.AddMx("b.example", 10, "mx1.b.example");
  ScriptedServer* two = story_.AddMx("b.example", 10, "mx2.b.example");
  ScriptedServer* backup = story_.AddMx("b.example", 20, "mx3.b.example");
  story_.Start();
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
    story_.RunFor(kNsPerMinute);  // the connection has been closed meanwhile
  }
  EXPECT_EQ(one->taken().size() + two->taken().size(), 60u);
  EXPECT_GT(one->taken().size(), 10u);
  EXPECT_GT(two->taken().size(), 10u);
  EXPECT_THAT(backup->taken(), IsEmpty());
  story_.Finish();
}

TEST_P(ScenarioTest, WithoutMxTheDomainItselfIsTheHost) {
  ScriptedServer* server = story_.AddMx("other.example", 10, "b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
