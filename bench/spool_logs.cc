// Commits a second with 1, 2, 4 and 8 logs, each with a thread, an Io and 20 appenders of its own,
// as shards have them: what the disk makes of several writers, and whether logs get in each other's
// way.
//
//   commits_per_s    of all logs
//   messages_per_s   of all logs
//   per_commit       messages a batch
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <barrier>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/appenders.h"
#include "core/check.h"
#include "io/uring_io.h"
#include "queue/store.h"

namespace outbox::queue {
namespace {

constexpr uint64_t kMessages = 64'000;  // of all logs
constexpr size_t kAppendersEach = 20;
constexpr uint64_t kSegmentBytes = 32u << 20;

// One log, from its opening to its closing. Returns the commits of the measured part, which begins
// and ends for all logs at once.
uint64_t RunLog(const std::string& directory, uint64_t messages, std::barrier<>* together) {
  auto io = io::UringIo::Create({});
  CHECK(io.ok());
  StoreOptions options;
  options.directory = directory;
  options.segment_bytes = kSegmentBytes;
  Appenders appenders(io->get(), options, kAppendersEach);
  appenders.Open();
  appenders.Run(messages / 4);  // warm: segments have been made
  appenders.TakeWrites();
  together->arrive_and_wait();
  appenders.Run(messages);
  const uint64_t commits = appenders.TakeWrites().size();
  together->arrive_and_wait();
  appenders.Close();
  return commits;
}

void Logs(benchmark::State& state) {
  const size_t count = static_cast<size_t>(state.range(0));
  char name[] = "spool-logs-XXXXXX";
  CHECK(mkdtemp(name) != nullptr);
  for (auto _ : state) {
    std::vector<uint64_t> commits(count);
    std::barrier<> together(static_cast<std::ptrdiff_t>(count) + 1);
    std::vector<std::thread> logs;
    for (size_t i = 0; i < count; ++i) {
      logs.emplace_back([&, i] {
        commits[i] =
            RunLog(std::string(name) + "/log-" + std::to_string(i), kMessages / count, &together);
      });
    }
    together.arrive_and_wait();
    const auto start = std::chrono::steady_clock::now();
    together.arrive_and_wait();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (std::thread& log : logs) log.join();
    uint64_t total = 0;
    for (const uint64_t one : commits) total += one;
    state.SetIterationTime(took.count());
    state.counters["commits_per_s"] = double(total) / took.count();
    state.counters["messages_per_s"] = double(kMessages) / took.count();
    state.counters["per_commit"] = double(kMessages) / double(total);
  }
  std::filesystem::remove_all(name);
}
BENCHMARK(Logs)
    ->Arg(1)
    ->Arg(2)
    ->Arg(4)
    ->Arg(8)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace outbox::queue
