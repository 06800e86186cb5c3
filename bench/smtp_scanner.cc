// How fast the body scanner reads: clean text, text full of dots to be stuffed, 8-bit text, and a
// message that is mostly header.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "core/check.h"
#include "smtp/body_scanner.h"

namespace outbox::smtp {
namespace {

std::string Text(const std::string& line, size_t bytes) {
  std::string text = "Subject: bench\r\n\r\n";
  while (text.size() < bytes) text += line + "\r\n";
  return text + ".\r\n";
}

void Scan(benchmark::State& state, const std::string& wire) {
  for (auto _ : state) {
    BodyScanner scanner;
    scanner.Consume(wire);
    CHECK(scanner.complete());
    benchmark::DoNotOptimize(scanner.summary().wire_bytes);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(wire.size()));
}

void BM_ScanText(benchmark::State& state) {
  Scan(state, Text(std::string(76, 'x'), static_cast<size_t>(state.range(0))));
}
BENCHMARK(BM_ScanText)->Arg(4 << 10)->Arg(1 << 20);

void BM_ScanShortLines(benchmark::State& state) {
  Scan(state, Text("short", static_cast<size_t>(state.range(0))));
}
BENCHMARK(BM_ScanShortLines)->Arg(1 << 20);

void BM_ScanStuffed(benchmark::State& state) {
  Scan(state, Text(".." + std::string(74, 'x'), static_cast<size_t>(state.range(0))));
}
BENCHMARK(BM_ScanStuffed)->Arg(1 << 20);

void BM_ScanEightBit(benchmark::State& state) {
  Scan(state, Text(std::string(76, '\xe4'), static_cast<size_t>(state.range(0))));
}
BENCHMARK(BM_ScanEightBit)->Arg(1 << 20);

void BM_ScanHeader(benchmark::State& state) {
  std::string wire;
  for (int i = 0; i < 40; ++i) {
    wire += i % 4 == 0 ? "Received: from a.example.com by b.example.com with ESMTP id 12345678;\r\n"
                       : "X-Some-Header: with a value of about this length, more or less\r\n";
  }
  Scan(state, wire + "\r\n.\r\n");
}
BENCHMARK(BM_ScanHeader);

}  // namespace
}  // namespace outbox::smtp
