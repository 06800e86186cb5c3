// The hot tail's memory: what a burst of leases has taken, and what is left of it.
#include "queue/spool/hot_tail.h"

#include <gtest/gtest.h>

#include <vector>

namespace outbox::queue {
namespace {

constexpr uint32_t kArena = 64 << 10;
constexpr uint32_t kRecord = 1000;

class HotTailTest : public testing::Test {
 protected:
  HotTailTest() { segment_.use.generation = 7; }

  // A record in an arena of its own, leased if `keep`.
  void Append(bool keep) {
    Arena* arena = tail_.Take(segment_, offset_);
    ++arena->users;
    arena->filled = kArena;
    const Window window = tail_.Lease(segment_, offset_, kRecord);
    EXPECT_EQ(static_cast<bool>(window), arena->lendable);
    if (window && keep) {
      window_.push_back(window);
    } else if (window) {
      tail_.Return(window.buffer);
    }
    --arena->users;
    offset_ += kArena;
  }
  void ReturnAll() {
    for (const Window& window : window_) tail_.Return(window.buffer);
    window_.clear();
  }

  HotTail tail_{kArena, 20 * kArena};
  Segment segment_;
  uint32_t offset_ = 0;
  std::vector<Window> window_;
};

TEST_F(HotTailTest, MailThatGoesAtOnceNeedsFewArenas) {
  for (int i = 0; i < 1000; ++i) Append(/*keep=*/false);
  EXPECT_LE(tail_.bytes(), 6 * kArena);
}

TEST_F(HotTailTest, ABurstOfLeasesIsForgottenWhenTheLogGoesOn) {
  for (int burst = 0; burst < 3; ++burst) {
    for (int i = 0; i < 50; ++i) Append(/*keep=*/true);
    EXPECT_EQ(window_.size(), 20u);  // as many as may be; the rest was not lent
    EXPECT_GE(tail_.bytes(), 20 * kArena);
    ReturnAll();
    for (int i = 0; i < 100; ++i) Append(/*keep=*/false);
    EXPECT_LE(tail_.bytes(), 6 * kArena);
    EXPECT_EQ(tail_.leases(), 0u);
  }
}

TEST_F(HotTailTest, ABurstIsForgottenWhenTheLogRests) {
  const int64_t second = core::kNsPerSecond;
  tail_.Tick(0);
  EXPECT_EQ(tail_.NextDeadline(), core::kNever);
  for (int i = 0; i < 50; ++i) Append(/*keep=*/true);
  tail_.Tick(second);
  EXPECT_EQ(tail_.NextDeadline(), 2 * second);
  Append(/*keep=*/true);
  tail_.Tick(2 * second);  // it goes on
  EXPECT_EQ(tail_.NextDeadline(), 3 * second);
  tail_.Tick(3 * second);  // all are leased
  EXPECT_GE(tail_.bytes(), 20 * kArena);
  ReturnAll();
  tail_.Tick(4 * second);
  EXPECT_LE(tail_.bytes(), 7 * kArena);
  tail_.Tick(5 * second);
  tail_.Tick(6 * second);
  EXPECT_EQ(tail_.NextDeadline(), core::kNever);
}

TEST_F(HotTailTest, WhatIsLeasedStays) {
  Append(/*keep=*/true);
  const Window first = window_[0];
  const uint32_t at = offset_ - kArena;
  for (int i = 0; i < 30; ++i) Append(/*keep=*/true);
  window_.erase(window_.begin());
  ReturnAll();
  for (int i = 0; i < 200; ++i) Append(/*keep=*/false);
  const Window again = tail_.Lease(segment_, at, kRecord);
  ASSERT_TRUE(again);
  EXPECT_EQ(again.data, first.data);
  tail_.Return(again.buffer);
  tail_.Return(first.buffer);
}

}  // namespace
}  // namespace outbox::queue
