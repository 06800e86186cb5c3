// Lines of the event log are written together, and none waits for long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerMs;
using ::testing::HasSubstr;

TEST_P(ScenarioTest, LinesOfTheLogWaitForCompany) {
  story_.AddServer("there.example");
  story_.Start();

  // One message alone: its lines are there soon, though nothing else happens.
  EXPECT_TRUE(story_.Send(kSender, {"bob@there.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(10 * kNsPerMs);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"delivered\""));

  const auto lines = [this] {
    return std::count(story_.events().begin(), story_.events().end(), '\n');
  };
  const auto lines_before = lines();
  const size_t writes_before = story_.event_writes();
  for (int i = 0; i < 90; ++i) {
    story_.SendLater(kSender, {"bob@there.example"});
    story_.RunFor(kNsPerMs / 10);
  }
  ASSERT_TRUE(story_.RunUntil([this] { return story_.acknowledged_later() == 90; }, kNsPerMinute));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(20 * kNsPerMs);
  EXPECT_GE(lines() - lines_before, 180);  // accepted, delivered
  // In some ten milliseconds; a write a turn would be more than a dozen.
  EXPECT_LE(story_.event_writes() - writes_before, 10u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
