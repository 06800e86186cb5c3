// A host takes its time before it says 250. Mail for it does not wait behind one connection while
// it may have more.
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::ScriptRule;

constexpr uint32_t kConnections = 40;

class SlowHostTest : public ScenarioTest {
 protected:
  // So many messages at once; how many sessions the host has seen at a time five seconds later.
  size_t PeakFor(int messages) {
    story_.config().delivery.max_connections = kConnections;
    const ScriptRule late = {
        .at = ".", .reply = "", .keep_reply = true, .delay_ns = 60 * kNsPerSecond};
    ScriptedServer* slow = story_.AddServer("slow.example", {late});
    story_.Start();
    for (int i = 0; i < messages; ++i) {
      story_.SendLater(kSender, {"r" + std::to_string(i) + "@slow.example"});
    }
    story_.RunFor(5 * kNsPerSecond);
    const size_t peak = slow->open_sessions_peak();
    EXPECT_TRUE(story_.RunUntilEmpty(600 * kNsPerSecond));
    EXPECT_EQ(slow->taken().size(), static_cast<size_t>(messages));
    EXPECT_LE(slow->open_sessions_peak(), kConnections);
    story_.Finish();
    return peak;
  }
};

TEST_P(SlowHostTest, AllThatItMayHave) { EXPECT_EQ(PeakFor(90), kConnections); }

// With PIPELINING a connection has two in hand; who is in line behind a slow one goes elsewhere.
TEST_P(SlowHostTest, NotMoreThanThereIsMail) {
  const size_t peak = PeakFor(10);
  EXPECT_GE(peak, 5u);
  EXPECT_LE(peak, 10u);
}

INSTANTIATE_TEST_SUITE_P(Shards, SlowHostTest, ::testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
