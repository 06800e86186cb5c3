// A store under random work by seed: small segments, faults, crashes, one boot after another.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

using RunResult = io::SimWorld::RunResult;

// A failing seed can be run alone: SPOOL_SEED=17 spool_random_test
uint64_t FirstSeed() {
  const char* seed = std::getenv("SPOOL_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}
uint64_t Seeds(uint64_t usual) { return std::getenv("SPOOL_SEED") != nullptr ? 1 : usual; }

struct Plan {
  bool write_errors = false;
  bool crashes = true;
  uint32_t boots = 4;
  uint32_t crash_within = 150;  // changes to the disk, after the start
  int64_t rest_ns = 0;          // after the work, for what the store does by itself
  StoreOptions options = SpoolMachine::SmallOptions();
  Workload workload;
};

struct Outcome {
  uint64_t trace_hash = 0;
  uint64_t moved_bytes = 0;  // by reclaim, in all boots
  uint64_t moved_bodies = 0;
};

// Crashes at random changes; every boot judges the one before.
Outcome RunSeed(uint64_t seed, const Plan& plan) {
  Outcome outcome;
  core::Random random(seed);
  io::SimOptions sim = SpoolMachine::Sim(seed);
  if (plan.write_errors) {
    sim.disk.write_error_ppm = static_cast<uint32_t>(random.Below(30'000));
    sim.disk.short_write_ppm = static_cast<uint32_t>(random.Below(10'000));
    sim.disk.read_error_ppm = static_cast<uint32_t>(random.Below(3'000));
  }
  SpoolMachine machine(seed, sim, plan.options, plan.workload);
  for (uint32_t boot = 0; boot < plan.boots; ++boot) {
    const bool last = boot + 1 == plan.boots;
    if (last) {
      machine.workload.actions = 0;
      machine.world.mutable_options().disk.write_error_ppm = 0;
      machine.world.mutable_options().disk.read_error_ppm = 0;
    }
    const uint64_t before = machine.world.disk().changes();
    machine.Boot();
    if (!last && plan.crashes && random.Chance(3, 4)) {
      const io::SimCrashMode modes[] = {io::SimCrashMode::kBefore, io::SimCrashMode::kTorn,
                                        io::SimCrashMode::kAfter};
      // Drawn one by one: compilers differ in the order of arguments.
      const io::SimCrashMode mode = modes[random.Below(3)];
      machine.world.disk().CrashAt(before + 1 + random.Below(plan.crash_within), mode);
    }
    RunResult result = machine.Run();
    if (result == RunResult::kCondition && plan.rest_ns > 0) {
      result = machine.world.RunFor(plan.rest_ns);
      if (result == RunResult::kTimeLimit) result = RunResult::kCondition;
    }
    if (machine.client != nullptr) {
      outcome.moved_bytes += machine.client->store.stats().moved_bytes;
      outcome.moved_bodies += machine.client->store.stats().moved_bodies;
    }
    EXPECT_TRUE(machine.client == nullptr || machine.client->open_status.ok());
    if (result == RunResult::kCrashPoint) {
      machine.Crash();
    } else if (result == RunResult::kCondition) {
      EXPECT_TRUE(machine.client->damages.empty() || plan.write_errors)
          << machine.client->damages[0];
      if (last || random.Chance(1, 2)) {
        machine.world.disk().CrashAt(0, io::SimCrashMode::kBefore);
        EXPECT_TRUE(machine.Close());
      } else {
        machine.Crash();
      }
    } else {
      ADD_FAILURE() << "does not come to an end: " << machine.client->in_flight << " in flight, "
                    << machine.client->actions_left << " left, "
                    << machine.client->store.status().ToString();
      break;
    }
  }
  EXPECT_EQ(machine.ledger.problems(), "");
  outcome.trace_hash = machine.world.trace_hash();
  return outcome;
}

TEST(StoreRandomTest, CrashesAndRestarts) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + Seeds(80); ++seed) {
    RunSeed(seed, {});
    ASSERT_FALSE(HasFailure()) << "SPOOL_SEED=" << seed;
  }
}

TEST(StoreRandomTest, ReclaimUnderCrashes) {
  Plan plan;
  plan.options.segment_bytes = 64 << 10;
  plan.options.batch_bytes_max = 16 << 10;
  plan.workload.actions = 800;
  plan.workload.body_max = 3000;
  plan.workload.big_max = 9000;
  plan.workload.live_max = 60;
  plan.workload.done = 45;
  plan.boots = 3;
  uint32_t moved = 0;  // seeds with which reclaim moved something
  for (uint64_t seed = FirstSeed() + 1000; seed < FirstSeed() + 1000 + Seeds(40); ++seed) {
    if (RunSeed(seed, plan).moved_bytes > 0) ++moved;
    ASSERT_FALSE(HasFailure()) << "SPOOL_SEED=" << seed - 1000;
  }
  if (std::getenv("SPOOL_SEED") == nullptr) {
    EXPECT_GE(moved, 20u);
  }
}

// Big bodies are moved while they are fetched and finished, the machine crashes, the disk fails.
TEST(StoreRandomTest, ReclaimOfBigBodies) {
  Plan plan;
  plan.options.segment_bytes = 64 << 10;
  plan.options.batch_bytes_max = 16 << 10;
  plan.workload.actions = 1500;
  plan.workload.append = 30;
  plan.workload.big = 25;
  plan.workload.fetch = 20;
  plan.workload.body_max = 3000;
  plan.workload.big_max = 9000;
  plan.workload.live_max = 150;
  plan.workload.done = 30;
  plan.boots = 4;
  plan.crash_within = 1500;
  plan.rest_ns = core::kNsPerSecond;
  uint32_t moved = 0;  // seeds with which reclaim moved bodies
  for (uint64_t seed = FirstSeed() + 3000; seed < FirstSeed() + 3000 + Seeds(40); ++seed) {
    plan.write_errors = seed % 2 == 0;
    if (RunSeed(seed, plan).moved_bodies > 0) ++moved;
    ASSERT_FALSE(HasFailure()) << "SPOOL_SEED=" << seed - 3000;
  }
  if (std::getenv("SPOOL_SEED") == nullptr) {
    EXPECT_GE(moved, 8u);
  }
}

TEST(StoreRandomTest, FailingWrites) {
  Plan plan;
  plan.write_errors = true;
  for (uint64_t seed = FirstSeed() + 2000; seed < FirstSeed() + 2000 + Seeds(60); ++seed) {
    RunSeed(seed, plan);
    ASSERT_FALSE(HasFailure()) << "SPOOL_SEED=" << seed - 2000;
  }
}

TEST(StoreRandomTest, SameSeedSameTrace) {
  for (uint64_t seed = 5000; seed < 5005; ++seed) {
    EXPECT_EQ(RunSeed(seed, {}).trace_hash, RunSeed(seed, {}).trace_hash);
  }
}

}  // namespace
}  // namespace outbox::queue
