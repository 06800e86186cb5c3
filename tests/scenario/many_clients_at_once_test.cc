// Ninety clients at once: everything arrives once, within the site's connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::SizeIs;

TEST_P(ScenarioTest, ManyClientsAtOnce) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  for (int i = 0; i < 90; ++i) {
    story_.SendLater(kSender, {"u" + std::to_string(i) + "@b.example"});
  }
  EXPECT_TRUE(story_.RunUntil([&] { return story_.acknowledged_later() == 90; }, kNsPerHour));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  std::set<std::string> arrived;
  for (const TakenMessage& taken : server->taken()) arrived.insert(taken.recipients[0]);
  EXPECT_THAT(server->taken(), SizeIs(90));
  EXPECT_THAT(arrived, SizeIs(90));
  EXPECT_LE(server->open_sessions_peak(), story_.config().delivery.max_connections);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
