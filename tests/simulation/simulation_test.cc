// The simulation itself: a relay that keeps its promises passes, and each promise that is broken
// shows.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "tests/simulation/mini_relay.h"

namespace outbox::simulation {
namespace {

RelayFactory Factory(MiniRelayFault fault) {
  return [fault](io::SimWorld* world, const RelayOptions& options) {
    return std::make_unique<MiniRelay>(world, options, fault);
  };
}

TEST(SimulationTest, ARelayThatKeepsItsPromisesPasses) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const SimulationOptions options = OptionsOf(seed);
    const SimulationResult once = RunSimulation(options, Factory(MiniRelayFault::kNone), nullptr);
    for (const std::string& wrong : once.wrong) {
      ADD_FAILURE() << "seed " << seed << ": " << wrong << "\n" << Describe(options);
    }
    const SimulationResult twice = RunSimulation(options, Factory(MiniRelayFault::kNone), nullptr);
    EXPECT_EQ(once.trace_hash, twice.trace_hash) << "seed " << seed;
    hashes.insert(once.trace_hash);
  }
  EXPECT_EQ(hashes.size(), 40u);
}

class BrokenPromiseTest : public testing::TestWithParam<MiniRelayFault> {};

TEST_P(BrokenPromiseTest, Shows) {
  int noticed = 0;
  for (uint64_t seed = 1; seed <= 200 && noticed == 0; ++seed) {
    noticed += !RunSimulation(OptionsOf(seed), Factory(GetParam()), nullptr).wrong.empty();
  }
  EXPECT_GT(noticed, 0);
}

INSTANTIATE_TEST_SUITE_P(AllFaults, BrokenPromiseTest,
                         testing::Values(MiniRelayFault::kAcknowledgeEarly,
                                         MiniRelayFault::kForgetDeferred,
                                         MiniRelayFault::kForgetDone, MiniRelayFault::kRetryAtOnce,
                                         MiniRelayFault::kCutContent, MiniRelayFault::kBounceTwice,
                                         MiniRelayFault::kBounceDeferred));

}  // namespace
}  // namespace outbox::simulation
