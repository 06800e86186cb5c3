// SiteTable on real threads: for ThreadSanitizer, and for what the model cannot see.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "queue/site.h"

namespace outbox::queue {
namespace {

// Threads take and release slots of two sites and pass grants on through counters, as mail would.
TEST(SiteThreadTest, TheLimitHoldsAndNobodyIsForgotten) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kLimit = 2;
  constexpr int kRounds = 5000;
  SiteTable table(64);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> finished{0};
  std::vector<std::atomic<int>> grants(kThreads);
  std::vector<std::thread> threads;
  for (uint32_t shard = 0; shard < kThreads; ++shard) {
    threads.emplace_back([&, shard] {
      const uint32_t index = table.Acquire(7, kLimit, 1);
      auto& slots = table[index].slots;
      const auto release = [&] {
        const int to = slots.Release();
        if (to >= 0) grants[static_cast<size_t>(to)].fetch_add(1);
      };
      const auto take_grant = [&] {
        int have = grants[shard].load();
        return have > 0 && grants[shard].compare_exchange_strong(have, have - 1);
      };
      bool expecting = false;
      for (int round = 0; round < kRounds; ++round) {
        if (!expecting) {
          bool granted = false;
          const SlotAnswer answer = slots.TakeOrWait(shard, true, 1, &granted);
          expecting = granted || answer == SlotAnswer::kWait;
          if (answer == SlotAnswer::kWait) {
            while (!take_grant()) std::this_thread::yield();
            expecting = false;
          }
        } else {
          while (!take_grant()) std::this_thread::yield();
          expecting = false;
        }
        const int now = inside.fetch_add(1) + 1;
        int before = most.load();
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        inside.fetch_sub(1);
        release();
      }
      while (expecting) {
        if (take_grant()) {
          expecting = false;
          release();
        } else {
          std::this_thread::yield();
        }
      }
      finished.fetch_add(1);
      table.Release(index, 2);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(finished.load(), static_cast<int>(kThreads));
  EXPECT_LE(most.load(), static_cast<int>(kLimit));
  const uint32_t index = table.Acquire(7, kLimit, 3);
  EXPECT_EQ(table[index].slots.in_use(), 0u);
  for (auto& left : grants) EXPECT_EQ(left.load(), 0);
}

// All threads ask for the same new sites at the same time: one entry each.
TEST(SiteThreadTest, OneEntryForOneKey) {
  SiteTable table(64);
  constexpr uint32_t kThreads = 4;
  constexpr uint64_t kKeys = 10;
  std::vector<std::vector<uint32_t>> found(kThreads, std::vector<uint32_t>(kKeys + 1));
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t key = 1; key <= kKeys; ++key) {
        uint32_t index = SiteTable::kNoSite;
        while (index == SiteTable::kNoSite) index = table.Acquire(key, 5, 1);
        found[t][key] = index;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t key = 1; key <= kKeys; ++key) {
    for (uint32_t t = 1; t < kThreads; ++t) EXPECT_EQ(found[t][key], found[0][key]);
    EXPECT_EQ(table[found[0][key]].references.load(), kThreads);
  }
}

// Sixteen sites, all referred to: key k lies at index k, 16 at 0.
void Fill(SiteTable* table, int64_t now_ns) {
  for (uint64_t key = 1; key <= 16; ++key) {
    ASSERT_NE(table->Acquire(key, 1, now_ns), SiteTable::kNoSite);
  }
}

void FailAt(SiteTable* table, uint32_t index, int64_t now_ns) {
  (*table)[index].slots.Fail(now_ns, now_ns, [](uint32_t) { return core::kNsPerHour; });
}

TEST(SiteTableTest, AFullWindowWaitsUntilAnEntryIsLeft) {
  SiteTable table(16);
  Fill(&table, 1);
  EXPECT_EQ(table.Acquire(17, 1, 1), SiteTable::kNoSite);
  EXPECT_EQ(table.Acquire(17, 1, core::kNsPerHour), SiteTable::kNoSite);
  table.Release(table.Acquire(3, 1, 1), 1);  // the second reference
  EXPECT_EQ(table.Acquire(17, 1, 1), SiteTable::kNoSite);
  table.Release(3, 1);  // the first; there is nothing to remember of it
  EXPECT_EQ(table.Acquire(17, 1, 1), 3u);
}

TEST(SiteTableTest, ABackoffIsKeptWhileThereIsOtherRoom) {
  SiteTable table(16);
  Fill(&table, 1);
  FailAt(&table, 3, 1);
  table.Release(3, 1);
  table.Release(9, 2);
  EXPECT_EQ(table.Acquire(17, 1, 3), 9u);  // though 3 was left first and comes first
  EXPECT_EQ(table.Acquire(3, 1, 4), 3u);
  EXPECT_NE(table[3].slots.BlockedUntil(5), 0);
  // What was taken of a rate is not forgotten, either.
  table[5].rate.SetRate({1, core::kNsPerMinute}, 1);
  EXPECT_EQ(table[5].rate.Take(1), 0);
  table.Release(5, 5);
  table.Release(11, 6);
  EXPECT_EQ(table.Acquire(33, 1, 7), 11u);
  EXPECT_EQ(table.Acquire(5, 1, 8), 5u);
  EXPECT_NE(table[5].rate.Look(8), 0);
}

TEST(SiteTableTest, AtTheBoundTheBackoffThatWasLeftFirstGivesWay) {
  SiteTable table(16);
  Fill(&table, 1);
  for (uint32_t index = 0; index < 16; ++index) FailAt(&table, index, 1);
  table.Release(7, 2);
  table.Release(4, 3);
  EXPECT_EQ(table.Acquire(17, 1, 4), 7u);
  EXPECT_EQ(table[7].slots.BlockedUntil(5), 0);
  EXPECT_EQ(table.Acquire(33, 1, 4), 4u);
  EXPECT_EQ(table.Acquire(49, 1, 4), SiteTable::kNoSite);
}

TEST(SiteTableTest, AfterAWhileABackoffIsForgotten) {
  SiteTable table(16);
  Fill(&table, 1);
  FailAt(&table, 3, 1);
  table.Release(3, 1);
  table.Release(5, core::kNsPerHour);
  EXPECT_EQ(table.Acquire(19, 1, core::kNsPerHour), 3u);
}

TEST(RateCellTest, EventsConformToTheRate) {
  SiteRate<StdAtomic> cell;
  EXPECT_EQ(cell.Take(1), 0);  // no limit
  EXPECT_EQ(cell.Look(1), 0);
  // Evenly: one second's worth at once, then one each half a second.
  cell.SetRate({120, core::kNsPerMinute}, 1);
  EXPECT_EQ(cell.Take(0), 0);
  EXPECT_EQ(cell.Look(0), 0);
  EXPECT_EQ(cell.Take(0), 0);
  EXPECT_EQ(cell.Look(0), core::kNsPerSecond / 2);
  EXPECT_EQ(cell.Take(0), core::kNsPerSecond / 2);
  EXPECT_EQ(cell.Take(core::kNsPerSecond / 2), 0);
  EXPECT_EQ(cell.Take(core::kNsPerSecond / 2), core::kNsPerSecond);
  // Slower than one a second: never two at once.
  cell.Reset();
  cell.SetRate({30, core::kNsPerMinute}, 0);
  EXPECT_EQ(cell.Take(0), 0);
  EXPECT_EQ(cell.Take(0), 2 * core::kNsPerSecond);
  EXPECT_EQ(cell.Take(2 * core::kNsPerSecond), 0);
  // The limit is lifted.
  cell.SetRate({}, 2 * core::kNsPerSecond);
  EXPECT_EQ(cell.Take(2 * core::kNsPerSecond), 0);
}

// What was taken at a slow pace is not held against a quicker one.
TEST(RateCellTest, ANewRateCountsAtOnce) {
  SiteRate<StdAtomic> cell;
  cell.SetRate({1, core::kNsPerHour}, 0);
  EXPECT_EQ(cell.Take(0), 0);
  EXPECT_EQ(cell.Look(0), core::kNsPerHour);
  cell.SetRate({1, core::kNsPerHour}, 0);  // another shard says the same
  EXPECT_EQ(cell.Look(0), core::kNsPerHour);
  cell.SetRate({120, core::kNsPerMinute}, 0);
  // The burst is used up, and no more than that.
  EXPECT_EQ(cell.Look(0), core::kNsPerSecond / 2);
  EXPECT_EQ(cell.Take(core::kNsPerSecond / 2), 0);
  cell.SetRate({}, core::kNsPerSecond);
  EXPECT_EQ(cell.Look(core::kNsPerSecond), 0);
}

// --- What replies do to a rate -------------------------------------------------------------------

using Rate = SiteRate<StdAtomic>;
constexpr int64_t kMinute = core::kNsPerMinute;

double PerMinute(const Rate& rate, int64_t now_ns) {
  const int64_t interval_ns = rate.Interval(now_ns);
  return interval_ns == 0 ? 0 : static_cast<double>(kMinute) / static_cast<double>(interval_ns);
}

TEST(SiteRateTest, APartIsTakenOnceForAllThatWasUnderWay) {
  Rate rate;
  rate.SetRate({100, kMinute}, 0);
  const SlowDown half = {.interval_ns = 0, .times = 2, .for_ns = 10 * kMinute};
  EXPECT_TRUE(rate.Slow(half, 1, kMinute));
  EXPECT_NEAR(PerMinute(rate, kMinute), 50, 0.1);
  // The others began before that, and do not know of it.
  EXPECT_FALSE(rate.Slow(half, kMinute - 1, kMinute + 1));
  EXPECT_NEAR(PerMinute(rate, kMinute + 1), 50, 0.1);
  // What began later does.
  EXPECT_TRUE(rate.Slow(half, kMinute + 1, kMinute + 2));
  EXPECT_NEAR(PerMinute(rate, kMinute + 2), 25, 0.1);
  // There is an end to it.
  for (int64_t i = 3; i < 20; ++i) rate.Slow(half, kMinute + i - 1, kMinute + i);
  EXPECT_NEAR(PerMinute(rate, kMinute + 20), 100.0 / 64, 0.01);
}

TEST(SiteRateTest, ItRecoversByDoublingEveryMinute) {
  Rate rate;
  rate.SetRate({100, kMinute}, 0);
  EXPECT_TRUE(rate.Slow({.interval_ns = kMinute / 10, .times = 0, .for_ns = 5 * kMinute}, 1, 2));
  EXPECT_NEAR(PerMinute(rate, 4 * kMinute), 10, 0.1);
  EXPECT_EQ(rate.SlowUntil(4 * kMinute), 5 * kMinute);
  EXPECT_FALSE(rate.EndSlow(4 * kMinute));
  const int64_t over_ns = 5 * kMinute + core::kNsPerSecond;
  EXPECT_NEAR(PerMinute(rate, over_ns), 20, 0.1);
  EXPECT_NEAR(PerMinute(rate, over_ns + kMinute), 40, 0.1);
  EXPECT_NEAR(PerMinute(rate, over_ns + 2 * kMinute), 80, 0.1);
  EXPECT_FALSE(rate.EndSlow(over_ns + 2 * kMinute));
  EXPECT_NEAR(PerMinute(rate, over_ns + 3 * kMinute), 100, 0.1);
  EXPECT_TRUE(rate.EndSlow(over_ns + 3 * kMinute));
  EXPECT_FALSE(rate.EndSlow(over_ns + 3 * kMinute));  // once
}

TEST(SiteRateTest, WithoutARateOfItsOwnItIsFreeAgainAfterSixSteps) {
  Rate rate;
  EXPECT_TRUE(rate.Slow({.interval_ns = kMinute, .times = 0, .for_ns = kMinute}, 1, 2));
  EXPECT_EQ(rate.Take(core::kNsPerSecond), 0);
  EXPECT_NE(rate.Take(core::kNsPerSecond), 0);
  EXPECT_NEAR(PerMinute(rate, 6 * kMinute + core::kNsPerSecond), 64, 0.1);
  EXPECT_EQ(rate.Interval(7 * kMinute + core::kNsPerSecond), 0);
  EXPECT_EQ(rate.Take(7 * kMinute + core::kNsPerSecond), 0);
}

TEST(SiteRateTest, TheSlowerOfTwoWishesCounts) {
  Rate rate;
  rate.SetRate({100, kMinute}, 0);
  const SlowDown ten = {.interval_ns = kMinute / 10, .times = 0, .for_ns = kMinute};
  const SlowDown five = {.interval_ns = kMinute / 5, .times = 0, .for_ns = kMinute};
  EXPECT_TRUE(rate.Slow(five, 1, 10));
  // A milder one changes nothing but how long; a harder one counts, whenever it was begun.
  EXPECT_FALSE(rate.Slow(ten, 20, kMinute / 2));
  EXPECT_NEAR(PerMinute(rate, kMinute / 2), 5, 0.1);
  EXPECT_EQ(rate.SlowUntil(kMinute), kMinute + kMinute / 2);
  const SlowDown one = {.interval_ns = kMinute, .times = 0, .for_ns = kMinute};
  EXPECT_TRUE(rate.Slow(one, 1, kMinute));
  EXPECT_NEAR(PerMinute(rate, kMinute), 1, 0.1);
  // A rule that is milder than what is configured asks for nothing.
  Rate slow;
  slow.SetRate({1, kMinute}, 0);
  EXPECT_FALSE(slow.Slow(ten, 1, 2));
  EXPECT_NEAR(PerMinute(slow, 2), 1, 0.1);
}

TEST(SiteRateTest, EveryPaceFitsIntoItsWord) {
  for (int64_t ns = 1; ns < SlowPace::kIntervalMaxNs / 3; ns = ns * 3 + 1) {
    const SlowPace pace = {123'456'789, ns};
    const SlowPace read = SlowPace::Unpack(pace.Pack());
    EXPECT_EQ(read.until_ms, pace.until_ms);
    EXPECT_GE(read.interval_ns, ns);
    EXPECT_LE(read.interval_ns - ns, ns / 100'000);
  }
}

// --- What replies do to the slots ----------------------------------------------------------------

TEST(SiteSlotsTest, ASuspensionEndsWithASlowStart) {
  SiteSlots<StdAtomic> slots;
  slots.OfferLimit(10, 1);
  bool longer = false;
  EXPECT_EQ(slots.Suspend(kMinute, &longer), 0u);
  EXPECT_TRUE(longer);
  EXPECT_FALSE(slots.TryTake(1));
  EXPECT_EQ(slots.BlockedUntil(1), kMinute);
  EXPECT_EQ(slots.Suspend(kMinute / 2, &longer), 0u);
  EXPECT_FALSE(longer);
  // What was under way ends well, and opens nothing.
  EXPECT_FALSE(slots.Succeed(2));
  EXPECT_TRUE(slots.TryTake(kMinute));
  EXPECT_FALSE(slots.TryTake(kMinute));
  EXPECT_TRUE(slots.Succeed(kMinute));
  EXPECT_TRUE(slots.TryTake(kMinute));
  EXPECT_FALSE(slots.TryTake(kMinute));
}

TEST(SiteSlotsTest, ANarrowSiteStaysSoForItsTime) {
  SiteSlots<StdAtomic> slots;
  slots.OfferLimit(10, 1);
  EXPECT_TRUE(slots.Narrow(2, kMinute));
  EXPECT_FALSE(slots.Narrow(5, kMinute));  // it has less already
  EXPECT_TRUE(slots.TryTake(1));
  EXPECT_TRUE(slots.TryTake(1));
  EXPECT_FALSE(slots.TryTake(1));
  EXPECT_FALSE(slots.Succeed(1));
  EXPECT_FALSE(slots.TryTake(1));
  EXPECT_TRUE(slots.Succeed(kMinute));
  EXPECT_TRUE(slots.TryTake(kMinute));
  // An operator lifts it; the window stays.
  EXPECT_TRUE(slots.Narrow(1, 9 * kMinute));
  slots.Unsuspend();
  EXPECT_EQ(slots.health().window, 1u);
  EXPECT_TRUE(slots.Succeed(2 * kMinute));
}

TEST(SiteTableTest, WhatAReplyHasLoweredIsKeptUntilItIsOver) {
  SiteTable table(16);
  const uint32_t index = table.Acquire(3, 10, 1);
  bool longer = false;
  table[index].slots.Suspend(2 * core::kNsPerHour, &longer);
  table.Release(index, 1);
  // All other places are taken, an hour later, and one more is wanted.
  for (uint64_t hash = 100; hash < 115; ++hash) table.Acquire(hash, 1, core::kNsPerHour);
  ASSERT_NE(table.Peek(3), nullptr);
  EXPECT_TRUE(table.Peek(3)->Lowered(core::kNsPerHour));
  EXPECT_TRUE(table.Lift(3, core::kNsPerHour));
  EXPECT_FALSE(table.Lift(3, core::kNsPerHour));
  EXPECT_FALSE(table.Lift(4, core::kNsPerHour));
  EXPECT_EQ(table.Peek(3)->slots.BlockedUntil(core::kNsPerHour), 0);
}

}  // namespace
}  // namespace outbox::queue
