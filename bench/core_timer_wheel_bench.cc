// The timer wheel with many timers set: what a session costs that sets, moves and cancels its
// timeout, and what a retry costs from setting to firing.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "core/random.h"
#include "core/time.h"
#include "core/timer_wheel.h"

namespace outbox::core {
namespace {

constexpr uint32_t kCapacity = 4'000'000;

// Fills the wheel with timers of up to five days, as a full queue does.
void Fill(TimerWheel* wheel, int64_t count) {
  Random random(1);
  for (int64_t i = 0; i < count; ++i) {
    wheel->Add(kNsPerHour + random.Between(0, 5 * kNsPerDay), 0, uint64_t{0});
  }
}

void BM_AddAndCancel(benchmark::State& state) {
  TimerWheel wheel(0, kCapacity);
  Fill(&wheel, state.range(0));
  for (auto _ : state) wheel.Cancel(wheel.Add(5 * kNsPerMinute, 0, uint64_t{0}));
}
BENCHMARK(BM_AddAndCancel)->Arg(0)->Arg(1'000'000);

void BM_Move(benchmark::State& state) {
  TimerWheel wheel(0, kCapacity);
  Fill(&wheel, state.range(0));
  const uint32_t timer = wheel.Add(5 * kNsPerMinute, 0, uint64_t{0});
  int64_t deadline = 5 * kNsPerMinute;
  for (auto _ : state) wheel.Move(timer, deadline += kNsPerMs);
}
BENCHMARK(BM_Move)->Arg(0)->Arg(1'000'000);

// One timer each fires and is set again for some minutes later: the wheel turns as in a day's work.
void BM_SetToFire(benchmark::State& state) {
  TimerWheel wheel(0, kCapacity);
  Random random(2);
  const int64_t timers = state.range(0);
  for (int64_t i = 0; i < timers; ++i) {
    wheel.Add(random.Between(0, 30 * kNsPerMinute), 0, uint64_t{0});
  }
  int64_t now = 0;
  int64_t fired = 0;
  for (auto _ : state) {
    now += TimerWheel::kTickNs;
    wheel.Advance(now, UINT32_MAX, [&](uint8_t, uint64_t) {
      ++fired;
      wheel.Add(now + 15 * kNsPerMinute + random.Between(0, kNsPerMinute), 0, uint64_t{0});
    });
  }
  state.SetItemsProcessed(fired);
}
BENCHMARK(BM_SetToFire)->Arg(10'000)->Arg(1'000'000);

}  // namespace
}  // namespace outbox::core
