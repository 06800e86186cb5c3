// How the descriptors of the process are divided.
#include "tools/descriptor_plan.h"

#include <gtest/gtest.h>

#include "core/limits.h"

namespace outbox::tools {
namespace {

TEST(DescriptorPlanTest, ARoomyLimitGivesWhatIsConfigured) {
  const core::Result<DescriptorPlan> plan = PlanDescriptors({.limit = 524'288,
                                                             .shards = 8,
                                                             .listeners = 2,
                                                             .spool_files = 3'000,
                                                             .connections_in = 1'000});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections_in, 1'000u);
  EXPECT_EQ(plan->connections_out, core::kDefaultConnectionsOut);
}

TEST(DescriptorPlanTest, TheConfiguredBoundCounts) {
  const core::Result<DescriptorPlan> plan =
      PlanDescriptors({.limit = 524'288, .shards = 4, .connections_in = 10, .connections_out = 50});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections_out, 50u);
}

TEST(DescriptorPlanTest, EveryShardCanSend) {
  const core::Result<DescriptorPlan> plan =
      PlanDescriptors({.limit = 524'288, .shards = 16, .connections_in = 10, .connections_out = 1});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections_out, 16u);
}

// Whatever the limit, the parts fit, and neither side takes everything from the other.
TEST(DescriptorPlanTest, ThePartsNeverExceedTheLimit) {
  uint64_t smallest = 0;
  for (uint64_t limit = 16; limit < 70'000; limit += 1 + limit / 50) {
    for (const uint32_t shards : {1u, 2u, 16u, 64u}) {
      const core::Result<DescriptorPlan> plan = PlanDescriptors(
          {.limit = limit, .shards = shards, .spool_files = 10, .connections_in = 100'000});
      if (!plan.ok()) {
        EXPECT_NE(plan.status().message().find("LimitNOFILE"), std::string::npos);
        continue;
      }
      if (smallest == 0 && shards == 2) smallest = limit;
      EXPECT_GE(plan->connections_in, shards * 4);
      EXPECT_GE(plan->connections_out, shards * 4);
      const uint64_t others = 10 + shards * 13 + 64;  // spool, shards, control
      EXPECT_LE(plan->connections_in + plan->connections_out + others, limit);
    }
  }
  EXPECT_LT(smallest, 256u);  // two shards can work with little
}

}  // namespace
}  // namespace outbox::tools
