// Growth in core/: timers that are set, objects in a slab, items through a mailbox.
#include <memory>

#include "bench/growth.h"
#include "core/check.h"
#include "core/limits.h"
#include "core/mailbox.h"
#include "core/random.h"
#include "core/slab.h"
#include "core/timer_wheel.h"

namespace outbox::bench {
namespace {

// As a full queue has them.
void FillWheel(core::TimerWheel* wheel, int64_t timers) {
  core::Random random(1);
  for (int64_t i = 0; i < timers; ++i) {
    wheel->Add(core::kNsPerHour + random.Between(0, 5 * core::kNsPerDay), 0, uint64_t{0});
  }
}

// A session's timeout, beside so many other timers.
void BM_TimerCancelled(benchmark::State& state) {
  core::TimerWheel wheel(0, core::kMaxTimersPerShard);
  FillWheel(&wheel, state.range(0));
  const auto item = [&] {
    const uint32_t timer = wheel.Add(5 * core::kNsPerMinute, 0, uint64_t{0});
    wheel.Move(timer, 6 * core::kNsPerMinute);
    wheel.Cancel(timer);
  };
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
  CountBytes(state, wheel.memory_bytes(), static_cast<uint64_t>(state.range(0)));
}
BENCHMARK(BM_TimerCancelled)->Apply(Sizes);

// From being set to firing, all of them: how often a timer is touched meanwhile.
void BM_TimersFired(benchmark::State& state) {
  for (auto _ : state) {
    core::TimerWheel wheel(0, core::kMaxTimersPerShard);
    FillWheel(&wheel, state.range(0));
    uint64_t fired = 0;
    uint64_t touched = 0;
    while (wheel.size() > 0) {
      // With a budget of one, a call touches one timer.
      wheel.Advance(wheel.NextDeadline(), 1, [&](uint8_t, uint64_t) { ++fired; });
      ++touched;
    }
    CHECK(fired == static_cast<uint64_t>(state.range(0)));
    CountOperations(state, touched, fired);
  }
}
BENCHMARK(BM_TimersFired)->Apply(Sizes<1>)->Unit(benchmark::kMillisecond);

// One comes and goes among so many.
void BM_SlabObject(benchmark::State& state) {
  struct Object {
    uint64_t words[8] = {};
  };
  core::Slab<Object> slab(20'000'000);
  const uint64_t objects = static_cast<uint64_t>(state.range(0));
  for (uint64_t i = 0; i < objects; ++i) CHECK(slab.New() != nullptr);
  core::Random random(1);
  const auto item = [&] {
    Object* const made = slab.New();
    benchmark::DoNotOptimize(made);
    slab.Delete(&slab[static_cast<uint32_t>(random.Below(objects))]);
  };
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
  CountBytes(state, slab.memory_bytes(), objects);
}
BENCHMARK(BM_SlabObject)->Apply(Sizes<500>);

// After so many have gone through.
void BM_MailboxItem(benchmark::State& state) {
  struct Item {
    uint64_t kind = 0;
    void* pointer = nullptr;
  };
  const auto box = std::make_unique<core::Mailbox<Item, core::kMailboxCapacity>>();
  uint64_t taken = 0;
  const auto item = [&] {
    CHECK(box->TryPush({1, nullptr}));
    box->Drain([&](const Item& one) { taken += one.kind; }, core::kMailboxDrainPerTurn);
  };
  for (int64_t i = 0; i < state.range(0); ++i) item();
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
  CHECK(taken > static_cast<uint64_t>(state.range(0)));
}
BENCHMARK(BM_MailboxItem)->Apply(Sizes);

}  // namespace
}  // namespace outbox::bench
