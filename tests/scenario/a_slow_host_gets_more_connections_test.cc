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
  // `known`: one message before them, which shows how slow the host is.
  size_t PeakFor(int messages, bool known = false, uint32_t connections = kConnections) {
    story_.config().delivery.max_connections = connections;
    story_.config().listeners[0].max_connections = 2'000;
    story_.config().listeners[0].max_connections_per_client = 2'000;
    const ScriptRule late = {
        .at = ".", .reply = "", .keep_reply = true, .delay_ns = 60 * kNsPerSecond};
    ScriptedServer* slow = story_.AddServer("slow.example", {late});
    story_.Start();
    if (known) story_.SendLater(kSender, {"first@slow.example"});
    if (known) story_.RunFor(3 * kNsPerSecond);
    for (int i = 0; i < messages; ++i) {
      story_.SendLater(kSender, {"r" + std::to_string(i) + "@slow.example"});
    }
    story_.RunFor(5 * kNsPerSecond);
    const size_t peak = slow->open_sessions_peak();
    sending_ = static_cast<uint32_t>(story_.Metric(&core::ShardMetrics::sending));
    EXPECT_TRUE(story_.RunUntilEmpty(600 * kNsPerSecond));
    EXPECT_EQ(slow->taken().size(), static_cast<size_t>(messages) + (known ? 1 : 0));
    EXPECT_LE(slow->open_sessions_peak(), connections);
    story_.Finish();
    return peak;
  }

  uint32_t sending_ = 0;  // recipients in a transaction, at that time
};

TEST_P(SlowHostTest, AllThatItMayHave) { EXPECT_EQ(PeakFor(90), kConnections); }

// With PIPELINING a connection has two in hand, as long as nobody knows that the host is slow.
TEST_P(SlowHostTest, NotMoreThanThereIsMail) {
  const size_t peak = PeakFor(10);
  EXPECT_GE(peak, 5u);
  EXPECT_LE(peak, 10u);
}

// More than home lets out before it has heard of an answer.
TEST_P(SlowHostTest, AllThatItMayHaveOfVeryMany) {
  EXPECT_EQ(PeakFor(900, /*known=*/false, 400), 400u);
}

// Nothing is sent ahead, and kept for it, behind a transaction that takes long.
TEST_P(SlowHostTest, OneMessageInHandForEachConnection) {
  PeakFor(90, /*known=*/true);
  EXPECT_EQ(sending_, kConnections);
}

INSTANTIATE_TEST_SUITE_P(Shards, SlowHostTest, ::testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
