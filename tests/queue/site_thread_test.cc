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
  RateCell cell;
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
  RateCell cell;
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

}  // namespace
}  // namespace outbox::queue
