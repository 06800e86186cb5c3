// The mailbox: an item pushed and drained on one thread, and between two.
#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <thread>

#include "core/limits.h"
#include "core/mailbox.h"

namespace outbox::core {
namespace {

struct Item {
  uint64_t kind = 0;
  void* pointer = nullptr;
};
using Box = Mailbox<Item, kMailboxCapacity>;

void BM_MailboxOneThread(benchmark::State& state) {
  auto box = std::make_unique<Box>();
  const int64_t batch = state.range(0);
  uint64_t sum = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < batch; ++i) benchmark::DoNotOptimize(box->TryPush({1, nullptr}));
    box->Drain([&](const Item& item) { sum += item.kind; }, kMailboxDrainPerTurn);
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(BM_MailboxOneThread)->Arg(1)->Arg(64);

void BM_MailboxTwoThreads(benchmark::State& state) {
  auto box = std::make_unique<Box>();
  std::atomic<bool> stop = false;
  std::thread consumer([&] {
    uint64_t sum = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      const size_t count = box->Drain([&](const Item& item) { sum += item.kind; }, 256);
      if (count == 0) std::this_thread::yield();
    }
    benchmark::DoNotOptimize(sum);
  });
  for (auto _ : state) {
    while (!box->TryPush({1, nullptr})) std::this_thread::yield();
  }
  stop.store(true);
  consumer.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MailboxTwoThreads)->UseRealTime();

}  // namespace
}  // namespace outbox::core
