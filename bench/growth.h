// Growth: does an item cost more when there are more of them? For every hot piece, asserted.
//
// A growth benchmark takes the number of items that are there (or have gone by) as its argument,
// times an operation, and says by one of the functions below what one item costs in something that
// can be counted. growth.cc's main compares these figures over the sizes of a benchmark and fails
// when a larger size costs more than a quarter more than a smaller one. Times decide nothing.
#ifndef OUTBOX_BENCH_GROWTH_H_
#define OUTBOX_BENCH_GROWTH_H_

#include <benchmark/benchmark.h>

#include <cstdint>

#include "bench/step_counter.h"

namespace outbox::bench {

// Names of the counters, an item.
inline constexpr char kInstructions[] = "instructions";
inline constexpr char kOperations[] = "operations";
inline constexpr char kBytes[] = "bytes";

// Items to count: of thousands of instructions each, and of tens.
inline constexpr uint64_t kFew = 3;
inline constexpr uint64_t kMany = 16;

// Counts what `item` executes, called so many times. Ten thousand instructions take a tenth of a
// second.
template <typename Item>
void CountInstructions(benchmark::State& state, uint64_t items, Item&& item) {
  if (!CanCountSteps()) return;
  StepCounter counter;
  for (uint64_t i = 0; i < items; ++i) item();
  state.counters[kInstructions] =
      static_cast<double>(counter.Stop()) / static_cast<double>(items);
}

inline void CountOperations(benchmark::State& state, uint64_t operations, uint64_t items) {
  state.counters[kOperations] = static_cast<double>(operations) / static_cast<double>(items);
}

inline void CountBytes(benchmark::State& state, uint64_t bytes, uint64_t items) {
  state.counters[kBytes] = static_cast<double>(bytes) / static_cast<double>(items);
}

// A thousand, a hundred thousand and ten million items; the benchmark's body runs once for each,
// with so many iterations.
template <int64_t kIterations = 1000>
void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t size : {1'000, 100'000, 10'000'000}) benchmark->Arg(size);
  benchmark->Iterations(kIterations);
}
// The same up to a million: where ten are more than a machine with a few GiB has room for.
template <int64_t kIterations = 1000>
void SmallerSizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t size : {1'000, 30'000, 1'000'000}) benchmark->Arg(size);
  benchmark->Iterations(kIterations);
}

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_GROWTH_H_
