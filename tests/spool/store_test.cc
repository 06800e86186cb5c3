// A store on a simulated disk: what it acknowledges is there, whatever happens.
#include "queue/store.h"

#include <gtest/gtest.h>

#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

using RunResult = io::SimWorld::RunResult;

TEST(StoreTest, KeepsWhatItAcknowledgedOverARestart) {
  SpoolMachine machine(1, SpoolMachine::Sim(1), SpoolMachine::SmallOptions(), {});
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_LT(machine.client->refused, 20u);
  EXPECT_GT(machine.client->store.stats().commits, 10u);
  ASSERT_TRUE(machine.Close());
  machine.workload.actions = 0;
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_EQ(machine.ledger.problems(), "");
  EXPECT_GT(machine.ledger.live(), 0u);
  EXPECT_EQ(machine.client->store.stats().messages, machine.ledger.live());
  EXPECT_TRUE(machine.client->damages.empty());
  ASSERT_TRUE(machine.Close());
}

// The machine loses power at every single change of its disk: before it, in the middle, right after.
void CrashEverywhere(uint64_t seed, const Workload& workload, const StoreOptions& options,
                     io::SimCrashMode mode, uint64_t step) {
  uint64_t changes = 0;
  {
    SpoolMachine machine(seed, SpoolMachine::Sim(seed), options, workload);
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition);
    ASSERT_TRUE(machine.Close());
    changes = machine.world.disk().changes();
    ASSERT_EQ(machine.ledger.problems(), "");
  }
  for (uint64_t at = 1; at <= changes; at += step) {
    SpoolMachine machine(seed, SpoolMachine::Sim(seed), options, workload);
    machine.Boot();
    machine.world.disk().CrashAt(at, mode);
    RunResult result = machine.Run();
    if (result == RunResult::kCondition) {
      bool closed = false;
      machine.client->store.Close([&](const core::Status&) { closed = true; });
      result = machine.RunUntil([&] { return closed; });
    }
    ASSERT_EQ(result, RunResult::kCrashPoint) << "change " << at;
    machine.Crash();
    machine.workload.actions = 30;
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition) << "change " << at;
    ASSERT_EQ(machine.ledger.problems(), "") << "change " << at;
    ASSERT_TRUE(machine.client->damages.empty()) << "change " << at << machine.client->damages[0];
    machine.Crash();
    machine.workload.actions = 0;
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition) << "change " << at;
    ASSERT_EQ(machine.ledger.problems(), "") << "change " << at;
    ASSERT_TRUE(machine.client->damages.empty()) << "change " << at << machine.client->damages[0];
  }
}

Workload Short() {
  Workload workload;
  workload.actions = 120;
  workload.live_max = 20;
  return workload;
}

TEST(StoreTest, CrashBeforeEveryChange) {
  CrashEverywhere(7, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kBefore, 1);
}
TEST(StoreTest, CrashInTheMiddleOfEveryChange) {
  CrashEverywhere(8, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kTorn, 1);
}
TEST(StoreTest, CrashAfterEveryChange) {
  CrashEverywhere(9, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kAfter, 1);
}

}  // namespace
}  // namespace outbox::queue
