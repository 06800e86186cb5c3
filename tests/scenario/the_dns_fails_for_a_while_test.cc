// The DNS does not answer, or answers nonsense, for a while: mail waits as `resolving`, is tried
// again after minutes and not after the retry period, and goes out when the DNS is well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::SizeIs;

class TheDns : public ScenarioTest {
 protected:
  void FailsAndReturns(void (*fault)(dns::SimNameFaults*)) {
    story_.config().delivery.periods.retry_ns = {12 * kNsPerHour};
    story_.config().delivery.periods.retry_until_ns = 24 * kNsPerHour;
    ScriptedServer* server = story_.AddMx("b.example", 10, "mx.b.example");
    fault(&story_.names().faults());
    story_.Start();
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
    }
    story_.RunFor(kNsPerHour);
    const std::vector<QueueLine> lines = story_.List();
    ASSERT_THAT(lines, SizeIs(20));
    EXPECT_EQ(lines[0].state, RecipientState::kResolving);
    EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 0);
    // Asked now and then, however much mail waits.
    EXPECT_LT(story_.names().questions(), 1000u);
    story_.names().Heal();
    ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
    EXPECT_THAT(server->taken(), SizeIs(20));
    story_.Finish();
  }
};

TEST_P(TheDns, AnswersServfailThenItWorks) {
  FailsAndReturns([](dns::SimNameFaults* faults) { faults->code = 2; });
}
TEST_P(TheDns, DiesAndReturns) {
  FailsAndReturns([](dns::SimNameFaults* faults) { faults->silent = true; });
}
TEST_P(TheDns, SendsGarbageThenItWorks) {
  FailsAndReturns([](dns::SimNameFaults* faults) { faults->garbage = true; });
}

TEST_P(TheDns, IsDeadForLongerThanRetryUntil) {
  story_.AddMx("b.example", 10, "mx.b.example");
  story_.names().FaultsOf("b.example").code = 2;
  story_.config().delivery.periods.notify_after_ns = 20 * kNsPerMinute;
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(2 * kNsPerHour));
  // The sender is told of the delay and of the end, both times why.
  EXPECT_EQ(Told("Action: delayed"), 1u);
  EXPECT_EQ(Told("Action: failed"), 1u);
  EXPECT_EQ(Told("SERVFAIL"), 2u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, TheDns, ::testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
