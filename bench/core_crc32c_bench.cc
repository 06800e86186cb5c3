// CRC-32C by the processor's instruction and by tables; Hash64 for comparison.
#include <benchmark/benchmark.h>

#include <string>

#include "core/crc32c.h"
#include "core/hash.h"

namespace outbox::core {
namespace {

void BytesPerSecond(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_Crc32cHardware(benchmark::State& state) {
  if (!Crc32cHasHardware()) {
    state.SkipWithError("no CRC-32C instruction");
    return;
  }
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Crc32cExtendHardware(0, bytes));
  BytesPerSecond(state);
}
BENCHMARK(BM_Crc32cHardware)->Arg(64)->Arg(4096)->Arg(65536);

void BM_Crc32cWide(benchmark::State& state) {
  if (!Crc32cHasWide()) {
    state.SkipWithError("no wide carry-less multiplication");
    return;
  }
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Crc32cExtendWide(0, bytes));
  BytesPerSecond(state);
}
BENCHMARK(BM_Crc32cWide)->Arg(4096)->Arg(65536);

void BM_Crc32cTables(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Crc32cExtendTables(0, bytes));
  BytesPerSecond(state);
}
BENCHMARK(BM_Crc32cTables)->Arg(64)->Arg(4096);

void BM_Hash64(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Hash64(bytes));
  BytesPerSecond(state);
}
BENCHMARK(BM_Hash64)->Arg(15)->Arg(40);

}  // namespace
}  // namespace outbox::core
