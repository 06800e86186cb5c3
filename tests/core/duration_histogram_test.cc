// Buckets of durations: narrow enough everywhere, and shards add up.
#include "core/duration_histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace outbox::core {
namespace {

TEST(DurationHistogram, ABucketIsAtMostThreePerCentWide) {
  for (uint64_t us = 1; us < uint64_t{1} << 40; us += us / 7 + 1) {
    const size_t bucket = DurationBuckets::Of(static_cast<int64_t>(us * 1000));
    const uint64_t low = DurationBuckets::LowerBoundUs(bucket);
    const uint64_t next = DurationBuckets::LowerBoundUs(bucket + 1);
    ASSERT_LE(low, us);
    ASSERT_GT(next, us);
    ASSERT_LE(next - low, low / 32 + 1) << us;
  }
}

TEST(DurationHistogram, TakesAnyDuration) {
  DurationCounts counts;
  counts.Add(-5);
  EXPECT_EQ(counts.PercentileUs(1), 0u);
  counts.Add(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(counts.total(), 2u);
  EXPECT_GT(counts.PercentileUs(1), uint64_t{1} << 50);
}

TEST(DurationHistogram, PercentilesOfAllShards) {
  DurationHistogram shards[2];
  for (int i = 0; i < 98; ++i) shards[i % 2].Add(20'000);
  shards[0].Add(1'000'000);
  shards[1].Add(64'000'000);
  DurationCounts sum;
  EXPECT_EQ(sum.PercentileUs(0.5), 0u);
  for (const DurationHistogram& shard : shards) shard.AddTo(&sum);
  EXPECT_EQ(sum.total(), 100u);
  EXPECT_EQ(sum.PercentileUs(0.5), 20u);
  EXPECT_EQ(sum.PercentileUs(0.98), 20u);
  EXPECT_EQ(sum.PercentileUs(0.99), 992u);  // of the bucket from 992 to 1007
  EXPECT_EQ(sum.PercentileUs(1), 63'488u);
  EXPECT_EQ(sum.max_ns(), 64'000'000);
}

}  // namespace
}  // namespace outbox::core
