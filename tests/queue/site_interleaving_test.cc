// SiteSlots and SiteRate in every order of their atomic steps.
//
// Each shard runs a small program (wait for a slot, use it, release it, pass grants on) over a
// model of the atomics. The explorer takes every choice of who makes the next step. There are no
// threads: a shard's run up to its step n is a function of the values that its first n steps have
// read, so a step is made by running the program again from its beginning with those values and
// stopping behind the next one. States that were met before are not followed again.
//
// In every order: the slots in use never pass the limit; and when nobody can make a step any more,
// everybody has had his slot and released it, and no slot is left in use. A lost slot or a lost
// wake-up would leave somebody waiting for ever. Of a rate: no more is taken than it allows, and
// what many replies ask for at once happens once.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <tuple>
#include <vector>

#include "core/check.h"
#include "queue/site_rate.h"
#include "queue/site_slots.h"

namespace outbox::queue {
namespace {

constexpr int kWords = 9;  // the atomics of one SiteSlots
constexpr int kShardsMax = 3;

// Everything that the orders can differ in.
struct State {
  std::array<uint64_t, kWords> words = {};
  std::array<std::vector<uint64_t>, kShardsMax> log;  // what each shard's steps have read
  std::array<int, kShardsMax> grants = {};            // grants with a slot on their way
  std::array<int, kShardsMax> news = {};
  std::array<bool, kShardsMax> done = {};
  std::array<int, kShardsMax> served = {};
  int last = 0;         // who made the last step
  int preemptions = 0;  // switches away from a shard that could have gone on

  auto Key() const { return std::tie(words, log, grants, news, done, served, last, preemptions); }
  bool operator<(const State& other) const { return Key() < other.Key(); }
};

struct Paused {};   // thrown behind the step that was to be made
struct Blocked {};  // thrown by a step that cannot be made now

// The state that the running program works on.
State* state = nullptr;
int shard_running = 0;
size_t replayed = 0;  // steps of this run so far
int next_word = 0;    // words given to atomics that were constructed

// Makes one step, or repeats what it gave when it was made.
uint64_t OneStep(const std::function<uint64_t()>& step) {
  std::vector<uint64_t>& log = state->log[static_cast<size_t>(shard_running)];
  if (replayed < log.size()) return log[replayed++];
  log.push_back(step());
  throw Paused();
}

template <typename T>
class ModelAtomic {
 public:
  explicit ModelAtomic(T) : word_(static_cast<size_t>(next_word++)) { CHECK(next_word <= kWords); }

  T load() const {
    return static_cast<T>(OneStep([this] { return word(); }));
  }
  void store(T value) {
    OneStep([&] { return word() = static_cast<uint64_t>(value); });
  }
  T exchange(T value) {
    return Change([&](uint64_t) { return static_cast<uint64_t>(value); });
  }
  T fetch_add(T value) {
    return Change([&](uint64_t old) { return old + static_cast<uint64_t>(value); });
  }
  T fetch_sub(T value) {
    return Change([&](uint64_t old) { return old - static_cast<uint64_t>(value); });
  }
  T fetch_or(T value) {
    return Change([&](uint64_t old) { return old | static_cast<uint64_t>(value); });
  }
  T fetch_and(T value) {
    return Change([&](uint64_t old) { return old & static_cast<uint64_t>(value); });
  }
  bool compare_exchange_weak(T& expected, T value) {
    const T old = static_cast<T>(OneStep([&] {
      const uint64_t before = word();
      if (before == static_cast<uint64_t>(expected)) word() = static_cast<uint64_t>(value);
      return before;
    }));
    if (old == expected) return true;
    expected = old;
    return false;
  }

 private:
  T Change(const std::function<uint64_t(uint64_t)>& change) {
    return static_cast<T>(OneStep([&] {
      const uint64_t before = word();
      word() = change(before);
      return before;
    }));
  }
  uint64_t& word() const { return state->words[word_]; }

  const size_t word_;
};

using Slots = SiteSlots<ModelAtomic>;

struct Plan {
  int shards = 2;
  uint32_t limit = 1;
  int rounds = 1;          // slots that each shard takes, one after the other
  bool fail = false;       // shard 0 reports a failure with its first slot
  bool succeed = false;    // everybody reports a success
  bool suspend = false;    // shard 0 suspends the site with its first slot, for a second
  bool narrow = false;     // or leaves it one slot for that time
  bool anew = false;       // or has it begin slowly, behind its last slot
  bool rate = false;       // instead: takes of a rate, and replies that slow it down
  int preemptions = 1000;  // orders with more switches away from a running shard are left out
};

// What a shard does. Waiting for a grant is a step that can only be made when there is one.
class Program {
 public:
  Program(const Plan& plan, uint32_t shard) : plan_(plan), shard_(shard) {}

  void Run() {
    for (int round = 0; round < plan_.rounds; ++round) {
      Acquire();
      if (plan_.fail && shard_ == 0 && round == 0) {
        uint64_t mask = slots_.Fail(now_ns_, now_ns_, [](uint32_t) { return core::kNsPerSecond; });
        for (size_t to = 0; mask != 0; ++to, mask >>= 1) {
          if ((mask & 1) != 0) Tell(&state->news, to);
        }
      } else if (plan_.suspend && shard_ == 0 && round == 0) {
        bool longer = false;
        uint64_t mask = slots_.Suspend(now_ns_ + core::kNsPerSecond, &longer);
        for (size_t to = 0; mask != 0; ++to, mask >>= 1) {
          if ((mask & 1) != 0) Tell(&state->news, to);
        }
      } else if (plan_.narrow && shard_ == 0 && round == 0) {
        slots_.Narrow(1, now_ns_ + core::kNsPerSecond);
      } else if (plan_.succeed && slots_.Succeed(now_ns_)) {
        for (;;) {
          const int to = slots_.GrantFree();
          if (to < 0) break;
          Tell(&state->grants, static_cast<size_t>(to));
        }
      }
      OneStep([this] { return ++state->served[shard_]; });
      GiveBack();
    }
    if (plan_.anew && shard_ == 0) slots_.StartSlowly();
    // A grant may still come for a bit that we had set; it is passed on.
    while (expecting_) {
      if (TakeMail()) GiveBack();
    }
  }

 private:
  void Acquire() {
    for (;;) {
      if (expecting_) {
        if (!TakeMail()) continue;  // news: look again
        if (slots_.BlockedUntil(now_ns_) == 0) return;
        GiveBack();
        continue;
      }
      bool granted = false;
      const SlotAnswer answer = slots_.TakeOrWait(shard_, true, now_ns_, &granted);
      expecting_ = granted || answer == SlotAnswer::kWait;
      if (answer == SlotAnswer::kGot) return;
      // The timer at the end of the backoff.
      if (answer == SlotAnswer::kLater) now_ns_ = std::max(now_ns_, slots_.BlockedUntil(now_ns_));
    }
  }

  void GiveBack() {
    const int to = slots_.Release();
    if (to >= 0) Tell(&state->grants, static_cast<size_t>(to));
  }

  // True: a grant with a slot has come. False: news.
  bool TakeMail() {
    expecting_ = false;
    return OneStep([this]() -> uint64_t {
             if (state->grants[shard_] > 0) {
               --state->grants[shard_];
               return 1;
             }
             if (state->news[shard_] == 0) throw Blocked();
             --state->news[shard_];
             return 0;
           }) == 1;
  }

  static void Tell(std::array<int, kShardsMax>* mails, size_t to) {
    OneStep([&] { return static_cast<uint64_t>(++(*mails)[to]); });
  }

  const Plan& plan_;
  const uint32_t shard_;
  Slots slots_;
  bool expecting_ = false;
  int64_t now_ns_ = core::kNsPerSecond;
};

// Two events are allowed at once, then one each half a second; with twice the interval, one.
constexpr int64_t kRateIntervalNs = core::kNsPerSecond / 2;

// Takes what there is, gets a reply that asks for half of it, and takes again.
class RateProgram {
 public:
  explicit RateProgram(uint32_t shard) : shard_(shard) {}

  void Run() {
    TakeOne();
    const SlowDown half = {.interval_ns = 0, .times = 2, .for_ns = core::kNsPerMinute};
    if (rate_.Slow(half, kBeganNs, kNowNs)) {
      OneStep([] { return static_cast<uint64_t>(++state->news[0]); });
    }
    TakeOne();
  }

 private:
  static constexpr int64_t kBeganNs = 1;  // both replies are to what began then
  static constexpr int64_t kNowNs = core::kNsPerSecond;

  void TakeOne() {
    if (rate_.Take(kNowNs) == 0) OneStep([this] { return ++state->served[shard_]; });
  }

  const uint32_t shard_;
  SiteRate<ModelAtomic> rate_;
};

// The words of the first two members.
constexpr size_t kInUseWord = 0;
constexpr size_t kLimitWord = 1;
// Of a SiteRate.
constexpr size_t kIntervalWord = 1;
constexpr size_t kSlowWord = 2;

// Lets `shard` make one step in *s. False: it waits for a mail that is not there.
bool MakeStep(const Plan& plan, int shard, State* s) {
  if (s->done[static_cast<size_t>(shard)]) return false;
  state = s;
  shard_running = shard;
  replayed = 0;
  next_word = 0;
  try {
    if (plan.rate) {
      RateProgram(static_cast<uint32_t>(shard)).Run();
    } else {
      Program(plan, static_cast<uint32_t>(shard)).Run();
    }
  } catch (const Paused&) {
    return true;
  } catch (const Blocked&) {
    return false;
  }
  s->done[static_cast<size_t>(shard)] = true;
  return true;
}

struct Explorer {
  Plan plan;
  std::set<State> seen;
  uint64_t ends = 0;

  void Explore() {
    // What the constructors of the atomics say, made once.
    State from;
    if (plan.rate) {
      from.words[kIntervalWord] = static_cast<uint64_t>(kRateIntervalNs);
    } else {
      from.words[kLimitWord] = plan.limit;
    }
    std::vector<State> todo = {from};
    while (!todo.empty()) {
      const State current = std::move(todo.back());
      todo.pop_back();
      bool moved = false;
      bool last_could = false;
      for (int i = 0; i < plan.shards; ++i) {
        const int shard = (current.last + i) % plan.shards;  // the one that ran first
        State next = current;
        if (!MakeStep(plan, shard, &next)) continue;
        moved = true;
        if (i == 0) last_could = true;
        next.last = shard;
        if (i > 0 && last_could && ++next.preemptions > plan.preemptions) continue;
        if (!plan.rate) {
          ASSERT_LE(next.words[kInUseWord], plan.limit);
        }
        if (seen.insert(next).second) todo.push_back(std::move(next));
      }
      if (!moved && plan.rate) CheckRate(current);
      if (!moved && !plan.rate) CheckEnd(current);
    }
  }

  void CheckRate(const State& end) {
    ++ends;
    int taken = 0;
    for (int shard = 0; shard < plan.shards; ++shard) {
      EXPECT_TRUE(end.done[static_cast<size_t>(shard)]);
      taken += end.served[static_cast<size_t>(shard)];
    }
    EXPECT_GE(taken, 1);
    EXPECT_LE(taken, 2);
    // One reply has halved it, however many there were.
    EXPECT_EQ(end.news[0], 1);
    const int64_t slow_ns = SlowPace::Unpack(end.words[kSlowWord]).interval_ns;
    EXPECT_NEAR(static_cast<double>(slow_ns), 2.0 * kRateIntervalNs, kRateIntervalNs / 1000.0);
  }

  void CheckEnd(const State& end) {
    ++ends;
    EXPECT_EQ(end.words[kInUseWord], 0u);
    for (int shard = 0; shard < plan.shards; ++shard) {
      const size_t i = static_cast<size_t>(shard);
      EXPECT_TRUE(end.done[i]) << "shard " << shard << " waits for ever";
      EXPECT_EQ(end.served[i], plan.rounds);
      EXPECT_EQ(end.grants[i], 0);
      EXPECT_EQ(end.news[i], 0);
    }
  }
};

void ExploreAll(const Plan& plan, uint64_t states_min) {
  Explorer explorer;
  explorer.plan = plan;
  explorer.Explore();
  EXPECT_GE(explorer.ends, 1u);
  // The exploration has not been cut short by a program that stops early.
  EXPECT_GE(explorer.seen.size(), states_min);
}

// Every order there is.
TEST(SiteInterleavingTest, TwoShardsOneSlot) { ExploreAll({.shards = 2, .limit = 1}, 100); }

// Longer programs: every order with so many preemptions. A mistake in such a protocol shows itself
// with one or two.
TEST(SiteInterleavingTest, TwoShardsTakeTurns) {
  ExploreAll({.shards = 2, .limit = 1, .rounds = 2, .preemptions = 4}, 1000);
}

TEST(SiteInterleavingTest, ThreeShardsOneSlot) {
  ExploreAll({.shards = 3, .limit = 1, .preemptions = 2}, 1000);
}

TEST(SiteInterleavingTest, ThreeShardsTwoSlots) {
  ExploreAll({.shards = 3, .limit = 2, .preemptions = 3}, 1000);
}

TEST(SiteInterleavingTest, AFailureMeetsAWaiter) {
  ExploreAll({.shards = 2, .limit = 1, .rounds = 2, .fail = true, .preemptions = 4}, 1000);
}

TEST(SiteInterleavingTest, AFailureAndSuccesses) {
  ExploreAll(
      {.shards = 2, .limit = 2, .rounds = 2, .fail = true, .succeed = true, .preemptions = 3},
      1000);
}

TEST(SiteInterleavingTest, ASuspensionMeetsAWaiter) {
  ExploreAll({.shards = 2, .limit = 1, .rounds = 2, .suspend = true, .preemptions = 3}, 1000);
}

TEST(SiteInterleavingTest, ASuspensionAndSuccesses) {
  ExploreAll(
      {.shards = 2, .limit = 2, .rounds = 2, .succeed = true, .suspend = true, .preemptions = 2},
      1000);
}

TEST(SiteInterleavingTest, ThreeShardsAreLeftOneSlot) {
  ExploreAll({.shards = 3, .limit = 3, .succeed = true, .narrow = true, .preemptions = 2}, 1000);
}

TEST(SiteInterleavingTest, TwoShardsAreLeftOneSlot) {
  ExploreAll(
      {.shards = 2, .limit = 2, .rounds = 2, .succeed = true, .narrow = true, .preemptions = 3},
      1000);
}

TEST(SiteInterleavingTest, ItBeginsSlowly) {
  ExploreAll(
      {.shards = 2, .limit = 2, .rounds = 2, .succeed = true, .anew = true, .preemptions = 3},
      1000);
}

// Every order there is.
TEST(SiteInterleavingTest, TwoRepliesHalveARateOnce) {
  ExploreAll({.shards = 2, .rate = true}, 1000);
}

}  // namespace
}  // namespace outbox::queue
