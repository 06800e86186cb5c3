// The wheel against a plain map of deadlines: random work, jumps of time, small budgets.
#include "core/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/random.h"

namespace outbox::core {
namespace {

constexpr int64_t kTick = TimerWheel::kTickNs;
constexpr uint32_t kNoBudget = UINT32_MAX;

std::vector<uint64_t> Fired(TimerWheel* wheel, int64_t now_ns, uint32_t budget = kNoBudget) {
  std::vector<uint64_t> fired;
  wheel->Advance(now_ns, budget, [&](uint8_t, uint64_t cookie) { fired.push_back(cookie); });
  return fired;
}

TEST(TimerWheel, FiresAtTheTickAfterTheDeadline) {
  TimerWheel wheel(0, 10);
  wheel.Add(kTick + 1, 3, uint64_t{77});
  EXPECT_TRUE(Fired(&wheel, kTick + 1).empty());
  EXPECT_TRUE(Fired(&wheel, 2 * kTick - 1).empty());
  EXPECT_EQ(wheel.NextDeadline(), 2 * kTick);
  EXPECT_EQ(Fired(&wheel, 2 * kTick), std::vector<uint64_t>{77});
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(wheel.NextDeadline(), kNever);
}

TEST(TimerWheel, GivesKindAndOwnerBack) {
  TimerWheel wheel(12345 * kTick, 10);
  int owner = 0;
  wheel.Add(12350 * kTick, 200, &owner);
  int calls = 0;
  wheel.Advance(12350 * kTick, kNoBudget, [&](uint8_t kind, uint64_t cookie) {
    EXPECT_EQ(kind, 200);
    EXPECT_EQ(reinterpret_cast<int*>(cookie), &owner);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(TimerWheel, APassedDeadlineFiresAtTheNextTick) {
  TimerWheel wheel(100 * kTick, 10);
  wheel.Add(5, 0, uint64_t{1});
  wheel.Add(-5, 0, uint64_t{2});
  EXPECT_TRUE(Fired(&wheel, 100 * kTick).empty());
  EXPECT_EQ(Fired(&wheel, 101 * kTick).size(), 2u);
}

TEST(TimerWheel, ACallbackThatAlwaysAddsDoesNotHang) {
  TimerWheel wheel(0, 10);
  int calls = 0;
  auto again = [&](uint8_t, uint64_t) {
    ++calls;
    EXPECT_NE(wheel.Add(0, 0, uint64_t{0}), TimerWheel::kNone);
  };
  wheel.Add(0, 0, uint64_t{0});
  for (int tick = 1; tick <= 5; ++tick) EXPECT_FALSE(wheel.Advance(tick * kTick, 100, again));
  EXPECT_EQ(calls, 5);
}

TEST(TimerWheel, ACallbackMayCancelItsNeighbours) {
  TimerWheel wheel(0, 10);
  std::vector<uint32_t> timers;
  for (uint64_t i = 0; i < 4; ++i) timers.push_back(wheel.Add(70 * kTick, 0, i));
  std::vector<uint64_t> fired;
  wheel.Advance(70 * kTick, kNoBudget, [&](uint8_t, uint64_t cookie) {
    fired.push_back(cookie);
    if (cookie == 0) {
      wheel.Cancel(timers[2]);
      wheel.Move(timers[3], 80 * kTick);
    }
  });
  EXPECT_EQ(fired, (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(Fired(&wheel, 80 * kTick), std::vector<uint64_t>{3});
}

TEST(TimerWheel, StopsAtItsCapacity) {
  TimerWheel wheel(0, 2);
  const uint32_t first = wheel.Add(kTick, 0, uint64_t{0});
  EXPECT_NE(first, TimerWheel::kNone);
  EXPECT_NE(wheel.Add(kTick, 0, uint64_t{0}), TimerWheel::kNone);
  EXPECT_EQ(wheel.Add(kTick, 0, uint64_t{0}), TimerWheel::kNone);
  wheel.Cancel(first);
  EXPECT_NE(wheel.Add(kTick, 0, uint64_t{0}), TimerWheel::kNone);
}

TEST(TimerWheel, FarDeadlines) {
  const int64_t start = 17 * kNsPerDay + 12345;
  TimerWheel wheel(start, 100);
  const int64_t deadlines[] = {start + 5 * kNsPerDay, start + 400 * kNsPerDay,
                               start + 20'000 * kNsPerDay, kNever - 1, kNever};
  for (const int64_t deadline : deadlines) wheel.Add(deadline, 0, static_cast<uint64_t>(deadline));
  for (const int64_t deadline : deadlines) {
    if (deadline > start + 30'000 * kNsPerDay) break;
    int64_t now = start;
    // Sleeping as long as the wheel allows comes to the deadline in a few turns, and never past it.
    for (int turns = 0; turns < 10; ++turns) {
      now = std::max(now, wheel.NextDeadline());
      const std::vector<uint64_t> fired = Fired(&wheel, now);
      if (fired.empty()) continue;
      EXPECT_EQ(fired, std::vector<uint64_t>{static_cast<uint64_t>(deadline)});
      EXPECT_GE(now, deadline);
      EXPECT_LT(now, deadline + kTick);
      break;
    }
    EXPECT_GE(now, deadline);
  }
  EXPECT_EQ(wheel.size(), 2u);
  EXPECT_LT(wheel.NextDeadline(), kNever);
}

TEST(TimerWheel, ABudgetBoundsTheWorkOfOneCall) {
  TimerWheel wheel(0, 10'000);
  for (uint64_t i = 0; i < 1000; ++i) wheel.Add(100 * kTick, 0, i);
  size_t fired = 0;
  int calls = 0;
  bool more = true;
  while (more) {
    const size_t before = fired;
    more = wheel.Advance(200 * kTick, 64, [&](uint8_t, uint64_t) { ++fired; });
    EXPECT_LE(fired - before, 64u);
    if (more) {
      EXPECT_LE(wheel.NextDeadline(), 200 * kTick);
    }
    ASSERT_LT(++calls, 100);
  }
  EXPECT_EQ(fired, 1000u);
  EXPECT_GE(calls, 2 * 1000 / 64);  // each is moved once and fired once
}

TEST(TimerWheelDeathTest, CatchesAHandleThatIsNotSet) {
  TimerWheel wheel(0, 10);
  const uint32_t timer = wheel.Add(kTick, 0, uint64_t{0});
  Fired(&wheel, kTick);
  EXPECT_DEATH(wheel.Cancel(timer), "CHECK failed");
  EXPECT_DEATH(wheel.Move(timer, 5), "CHECK failed");
}

// The model: what is set, by cookie, with the tick at which it must fire.
class Model {
 public:
  explicit Model(uint64_t seed)
      : random_(seed),
        now_(random_.Chance(1, 3) ? 0 : random_.Between(0, 1000 * kNsPerDay)),
        wheel_(now_, 2000) {}

  void Run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      const uint64_t dice = random_.Below(100);
      if (dice < 50) Add();
      if (dice >= 50 && dice < 60) Cancel();
      if (dice >= 60 && dice < 70) Move();
      if (dice >= 70) Advance();
    }
    // In the end everything fires.
    while (!set_.empty() && !testing::Test::HasFatalFailure()) {
      now_ = std::max(now_, wheel_.NextDeadline());
      Step(kNoBudget);
    }
  }

 private:
  struct Timer {
    uint32_t handle;
    uint64_t tick;
    int64_t deadline;
  };

  int64_t SomeSpan() {
    static constexpr int64_t kSpans[] = {
        1, kTick, 5 * kNsPerSecond, kNsPerMinute, 4 * kNsPerHour, 5 * kNsPerDay, 900 * kNsPerDay};
    return random_.Between(0, kSpans[random_.Below(std::size(kSpans))]);
  }
  int64_t SomeDeadline() { return random_.Chance(1, 10) ? now_ - SomeSpan() : now_ + SomeSpan(); }
  uint64_t TickOf(int64_t deadline) const {
    const int64_t rounded = deadline <= 0 ? 0 : (deadline - 1) / kTick + 1;
    return std::max(static_cast<uint64_t>(rounded), static_cast<uint64_t>(seen_ / kTick) + 1);
  }

  void Add() {
    const int64_t deadline = SomeDeadline();
    const uint64_t cookie = next_++;
    const uint32_t handle = wheel_.Add(deadline, static_cast<uint8_t>(cookie), cookie);
    ASSERT_EQ(handle == TimerWheel::kNone, set_.size() == 2000);
    if (handle != TimerWheel::kNone) set_[cookie] = {handle, TickOf(deadline), deadline};
  }
  std::map<uint64_t, Timer>::iterator Any() {
    auto it = set_.lower_bound(random_.Below(next_ + 1));
    return it == set_.end() ? set_.begin() : it;
  }
  void Cancel() {
    if (set_.empty()) return;
    const auto it = Any();
    wheel_.Cancel(it->second.handle);
    set_.erase(it);
  }
  void Move() {
    if (set_.empty()) return;
    const auto it = Any();
    const int64_t deadline = SomeDeadline();
    wheel_.Move(it->second.handle, deadline);
    it->second = {it->second.handle, TickOf(deadline), deadline};
  }
  void Advance() {
    if (random_.Chance(1, 4)) now_ += SomeSpan();  // from a moment to a suspended year
    if (random_.Chance(3, 4)) now_ += static_cast<int64_t>(random_.Below(3 * kTick));
    Step(random_.Chance(1, 2) ? kNoBudget : static_cast<uint32_t>(random_.Below(20)));
  }

  void Step(uint32_t budget) {
    seen_ = std::max(seen_, now_);
    const uint64_t tick = static_cast<uint64_t>(now_ / kTick);
    uint32_t fired = 0;
    const bool more = wheel_.Advance(now_, budget, [&](uint8_t kind, uint64_t cookie) {
      ++fired;
      const auto it = set_.find(cookie);
      ASSERT_NE(it, set_.end());
      EXPECT_EQ(kind, static_cast<uint8_t>(cookie));
      EXPECT_LE(it->second.tick, tick);
      EXPECT_LE(it->second.deadline, now_) << "early";
      set_.erase(it);
      if (random_.Chance(1, 8)) Add();
      if (random_.Chance(1, 8)) Cancel();
    });
    ASSERT_LE(fired, budget);
    ASSERT_EQ(wheel_.size(), set_.size());
    uint64_t first = UINT64_MAX;
    for (const auto& [cookie, timer] : set_) first = std::min(first, timer.tick);
    if (!more) {
      ASSERT_GT(first, tick);
    }
    if (budget == kNoBudget) {
      ASSERT_FALSE(more);
    }
    const int64_t next = wheel_.NextDeadline();
    ASSERT_EQ(next == kNever, set_.empty());
    if (!set_.empty()) {
      ASSERT_LE(static_cast<uint64_t>(next / kTick), first);
    }
    if (more) {
      ASSERT_LE(next, now_);
    }
    if (!more && !set_.empty()) {
      ASSERT_GT(next, now_) << "the owner would spin";
    }
  }

  Random random_;
  int64_t now_;
  int64_t seen_ = now_;
  uint64_t next_ = 0;
  TimerWheel wheel_;
  std::map<uint64_t, Timer> set_;
};

TEST(TimerWheel, AgreesWithAMapOfDeadlines) {
  for (uint64_t seed = 0; seed < 150 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Model(seed).Run(2000);
  }
}

}  // namespace
}  // namespace outbox::core
