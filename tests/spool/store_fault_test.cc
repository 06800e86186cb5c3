// Full disks, bit rot, disk use.
#include <gtest/gtest.h>

#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

using RunResult = io::SimWorld::RunResult;

TEST(StoreFaultTest, FullDiskRefusesMailFinishesOldMailAndComesBack) {
  io::SimOptions sim = SpoolMachine::Sim(3);
  sim.disk.capacity_bytes = 2 << 20;
  StoreOptions options = SpoolMachine::SmallOptions();
  options.max_bytes = UINT64_MAX;
  Workload workload;
  workload.actions = 1500;
  workload.append = 80;
  workload.done = workload.commit_done = workload.state = workload.dsn = 0;
  workload.live_max = 100'000;
  SpoolMachine machine(3, sim, options, workload);
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_GT(machine.client->refused, 50u);
  EXPECT_FALSE(machine.client->store.accepting());
  EXPECT_EQ(machine.client->store.status().code(), core::StatusCode::kResourceExhausted);
  EXPECT_EQ(machine.ledger.problems(), "");
  const uint64_t before = machine.ledger.live();
  // Its messages can be finished: that frees the space.
  SpoolClient& client = *machine.client;
  client.workload.append = client.workload.big = client.workload.dsn = 0;
  client.workload.done = 100;
  client.actions_left = 1500;
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_LT(machine.ledger.live(), before / 2);
  ASSERT_EQ(machine.RunUntil([&] { return client.store.accepting(); }), RunResult::kCondition);
  ASSERT_TRUE(machine.Close());
  machine.workload.actions = 0;
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_EQ(machine.ledger.problems(), "");
  EXPECT_TRUE(machine.Close());
}

// Somebody else fills the disk while the log grows: what is left to others stays theirs.
TEST(StoreFaultTest, TheReserveOfTheDiskIsNotTakenWhenOthersFillIt) {
  io::SimOptions sim = SpoolMachine::Sim(12);
  sim.disk.capacity_bytes = 16 << 20;
  StoreOptions options = SpoolMachine::SmallOptions();
  options.max_bytes = UINT64_MAX;
  options.disk_reserve_bytes = 1 << 20;
  Workload workload;
  workload.actions = 200;
  workload.append = 80;
  workload.done = workload.commit_done = workload.state = workload.dsn = 0;
  workload.live_max = 100'000;
  SpoolMachine machine(12, sim, options, workload);
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_LT(machine.client->refused, 20u);  // before its first segment was there
  ASSERT_EQ(machine.RunUntil([&] { return machine.client->store.stats().segments_free == 2; }),
            RunResult::kCondition);
  // Room for four more segments is left above the reserve.
  const uint64_t used = machine.client->store.stats().spool_bytes;
  const uint64_t capacity = used + options.disk_reserve_bytes + 4 * options.segment_bytes;
  machine.world.disk().SetCapacity(capacity);
  machine.client->actions_left = 1500;
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_GT(machine.client->refused, 50u);
  EXPECT_GT(machine.client->store.stats().spool_bytes, used);
  EXPECT_LE(machine.client->store.stats().spool_bytes + options.disk_reserve_bytes, capacity);
  EXPECT_EQ(machine.ledger.problems(), "");
  ASSERT_TRUE(machine.Close());
}

TEST(StoreFaultTest, AFlippedBitCostsOneRecord) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Workload workload;
    workload.state = workload.dsn = workload.done = workload.commit_done = workload.big = 0;
    workload.actions = 150;
    SpoolMachine machine(seed, SpoolMachine::Sim(seed), SpoolMachine::SmallOptions(), workload);
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition);
    ASSERT_TRUE(machine.Close());
    core::Random random(seed);
    const std::string path = "/log-1/segment-0000000" + std::to_string(random.Below(3));
    ASSERT_TRUE(
        machine.world.disk().FlipBit(path, random.Below(64 << 10), static_cast<int>(seed % 8)));
    machine.ledger.set_losses_allowed(true);
    machine.workload.actions = 0;
    machine.Boot();
    // A body that is damaged on disk and was found by the index shows when it is fetched.
    machine.client->check_bodies = false;
    ASSERT_EQ(machine.Run(), RunResult::kCondition);
    EXPECT_EQ(machine.ledger.problems(), "") << "seed " << seed;
    EXPECT_LE(machine.ledger.losses(), 1u) << "seed " << seed;
    if (machine.ledger.losses() > 0) {
      // In the very last batch it cannot be told from a write that was cut off.
      EXPECT_TRUE(!machine.client->damages.empty() || machine.client->report.torn_records > 0)
          << "seed " << seed;
    }
    ASSERT_TRUE(machine.Close());
  }
}

// Works, then finishes most of what is there, here and there. Returns the bodies that were moved.
uint64_t ExpectLittleWaste(const Workload& workload, uint32_t last_actions) {
  StoreOptions options = SpoolMachine::SmallOptions();
  options.max_bytes = 64 << 20;
  SpoolMachine machine(4, SpoolMachine::Sim(4), options, workload);
  machine.Boot();
  EXPECT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_EQ(machine.world.RunFor(core::kNsPerSecond), RunResult::kTimeLimit);
  const StoreStats stats = machine.client->store.stats();
  constexpr uint64_t kConstantSegments = 10;
  EXPECT_GT(stats.live_bytes, 500'000u);
  EXPECT_LE(stats.spool_bytes - stats.segments_free * options.segment_bytes,
            2 * stats.live_bytes + kConstantSegments * options.segment_bytes);
  machine.client->workload.append = machine.client->workload.big = 0;
  machine.client->workload.dsn = 0;
  machine.client->workload.done = 100;
  machine.client->actions_left = last_actions;
  EXPECT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_EQ(machine.world.RunFor(core::kNsPerSecond), RunResult::kTimeLimit);
  const StoreStats after = machine.client->store.stats();
  EXPECT_LT(after.live_bytes, stats.live_bytes / 2);
  EXPECT_LE(after.spool_bytes - after.segments_free * options.segment_bytes,
            2 * after.live_bytes + kConstantSegments * options.segment_bytes);
  EXPECT_EQ(machine.ledger.problems(), "");
  EXPECT_TRUE(machine.Close());
  return after.moved_bodies;
}

TEST(StoreFaultTest, DiskUseStaysUnderTwiceTheLiveBytesPlusAConstant) {
  Workload workload;
  workload.actions = 6000;
  workload.big = 0;
  workload.append = 50;
  workload.live_max = 400;
  ExpectLittleWaste(workload, 500);
}

TEST(StoreFaultTest, BigBodiesKeepNoMoreOfTheDisk) {
  Workload workload;
  workload.actions = 6000;
  workload.append = 5;
  workload.big = 45;
  workload.done = 5;
  workload.commit_done = 1;
  workload.rest = 200;
  workload.fetch = 0;
  workload.live_max = 400;
  EXPECT_GT(ExpectLittleWaste(workload, 700), 5u);
}

// Small messages, all of them live: their metas lie in the segments twice, so the files are always
// a good deal larger than what is live. Reclaim must see that there is nothing to gain.
TEST(StoreFaultTest, AStoreAtRestIsLeftAlone) {
  StoreOptions options = SpoolMachine::SmallOptions();
  options.max_bytes = 64 << 20;
  Workload workload;
  workload.actions = 4000;
  workload.big = workload.done = workload.commit_done = workload.dsn = workload.fetch = 0;
  workload.body_max = 60;
  workload.live_max = 10'000;
  SpoolMachine machine(6, SpoolMachine::Sim(6), options, workload);
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  ASSERT_EQ(machine.world.RunFor(10 * core::kNsPerSecond), RunResult::kTimeLimit);
  const StoreStats before = machine.client->store.stats();
  EXPECT_GT(before.messages, 1000u);
  ASSERT_EQ(machine.world.RunFor(60 * core::kNsPerSecond), RunResult::kTimeLimit);
  const StoreStats after = machine.client->store.stats();
  EXPECT_EQ(after.moved_bytes, before.moved_bytes);
  EXPECT_EQ(after.commits, before.commits);
  EXPECT_EQ(machine.ledger.problems(), "");
  ASSERT_TRUE(machine.Close());
}

}  // namespace
}  // namespace outbox::queue
