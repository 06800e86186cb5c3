// Thousands of domains whose name servers are dead are asked about again and again. Mail for one
// that was not asked about before goes out all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;

constexpr int kDead = 8000;

std::string Dead(int i) { return "dead" + std::to_string(i) + ".example"; }

TEST_P(ScenarioTest, DeadDomainsDoNotHoldUpNewOnes) {
  ScriptedServer* server = story_.AddMx("well.example", 10, "mx.well.example");
  story_.AddMx("early.example", 10, "mx.early.example");
  for (int i = 0; i < kDead; ++i) story_.names().FaultsOf(Dead(i)).silent = true;
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@early.example"}).acknowledged);
  for (int i = 0; i < kDead;) {
    std::vector<std::string> to;
    for (int n = 0; n < 100; ++n) to.push_back("bob@" + Dead(i++));
    ASSERT_TRUE(story_.Send(kSender, to).acknowledged);
  }
  // All have been asked about once, and many are being asked about again: more than can be.
  story_.RunFor(15 * kNsPerMinute);
  EXPECT_TRUE(story_.Send(kSender, {"bob@well.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil([&] { return server->taken().size() == 1; }, 30 * kNsPerSecond));
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(story_.List().size(), static_cast<size_t>(kDead));
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, {}).done, static_cast<uint64_t>(kDead));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
