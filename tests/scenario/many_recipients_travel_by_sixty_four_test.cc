// 200 recipients of a domain travel in transactions of at most 64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::ElementsAre;

TEST_P(ScenarioTest, ManyRecipientsTravelBySixtyFour) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const std::vector<std::string> all = Numbered("b.example", 200);
  EXPECT_TRUE(story_.Send(kSender, all).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  std::multiset<size_t> sizes;
  std::set<std::string> arrived;
  for (const TakenMessage& taken : server->taken()) {
    sizes.insert(taken.recipients.size());
    arrived.insert(taken.recipients.begin(), taken.recipients.end());
  }
  EXPECT_THAT(sizes, ElementsAre(8u, 64u, 64u, 64u));
  EXPECT_EQ(arrived, std::set<std::string>(all.begin(), all.end()));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
