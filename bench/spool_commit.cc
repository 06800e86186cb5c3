// What the log costs: 4 KiB messages appended by 1, 20 and 100 appenders at a time, each durable
// before the next of the same appender, against two bare loops that make the same writes, size by
// size, into a file that was written before, in the same run: one through the same Io, one by
// pwrite.
//
//   messages_per_s   through the store
//   raw_per_s        messages that the bare loop's writes would have carried
//   ratio            of the two; 1 is "the store costs nothing"
//   pwrite_ratio     the same for the loop of pwrite, which waits in the kernel
//   per_commit       messages a batch
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/appenders.h"
#include "core/check.h"
#include "io/uring_io.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/store.h"

namespace outbox::queue {
namespace {

// Of one measurement, for each appender: some seconds at most.
constexpr uint64_t kMessagesMin = 4'000;
constexpr uint64_t kMessagesEach = 1'000;
constexpr uint64_t kMessagesMax = 30'000;
constexpr uint64_t kRounds = 40;
constexpr uint64_t kSegmentBytes = 32u << 20;

// Waits for one operation.
struct Waiter {
  io::Op op;
  int32_t result = 0;
  bool done = false;
  void OnDone(const io::OpResult& r) {
    result = r.result;
    done = true;
  }
  int32_t Wait(io::Io* io) {
    while (!done) io->Turn(INT64_MAX);
    done = false;
    return result;
  }
};

// Writes over a file that was filled before, one after the other.
class RawLoop {
 public:
  RawLoop(io::Io* io, const std::string& path) : io_(io) {
    waiter_.op.Bind<&Waiter::OnDone>(&waiter_);
    io::OpenOptions options;
    options.write = options.create = options.direct = options.dsync = true;
    io_->Open(&waiter_.op, path, options);
    file_ = waiter_.Wait(io_);
    CHECK(file_ >= 0);
    io_->Fill(&waiter_.op, file_, kSegmentBytes);
    CHECK(waiter_.Wait(io_) == 0);
    std::fill_n(buffer_.data(), buffer_.size(), 'x');
  }
  ~RawLoop() {
    io_->CloseFile(&waiter_.op, file_);
    waiter_.Wait(io_);
  }
  // Makes these writes one after the other; returns seconds.
  double Run(const std::vector<uint32_t>& writes, bool by_pwrite) {
    const auto start = std::chrono::steady_clock::now();
    for (const uint32_t bytes : writes) {
      if (offset_ + bytes > kSegmentBytes) offset_ = 0;
      int64_t result = 0;
      if (by_pwrite) {
        result = pwrite(file_, buffer_.data(), bytes, static_cast<off_t>(offset_));
      } else {
        const iovec part = {buffer_.data(), bytes};
        io_->Write(&waiter_.op, file_, {&part, 1}, offset_);
        result = waiter_.Wait(io_);
      }
      CHECK(result == int64_t{bytes});
      offset_ += bytes;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return took.count();
  }

 private:
  io::Io* io_;
  Waiter waiter_;
  AlignedBuffer buffer_{2u << 20};
  io::File file_ = io::kNoHandle;
  uint64_t offset_ = 0;
};

void AppendAndCommit(benchmark::State& state) {
  const uint64_t messages = std::clamp(kMessagesEach * static_cast<uint64_t>(state.range(0)),
                                       kMessagesMin, kMessagesMax);
  char name[] = "spool-bench-XXXXXX";
  CHECK(mkdtemp(name) != nullptr);
  auto io = io::UringIo::Create({});
  CHECK(io.ok());
  StoreOptions options;
  options.directory = std::string(name) + "/log-0";
  options.segment_bytes = kSegmentBytes;
  {
    Appenders appenders(io->get(), options, static_cast<size_t>(state.range(0)));
    appenders.Open();
    appenders.Run(messages / 4);  // warm: all segments have been made
    RawLoop raw_loop(io->get(), std::string(name) + "/raw");
    for (auto _ : state) {
      // In turns, so that what else the machine does hits both alike.
      double store = 0;
      double raw = 0;
      double direct = 0;
      uint64_t commits = 0;
      uint64_t bytes = 0;
      appenders.TakeWrites();
      for (uint64_t round = 0; round < kRounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        appenders.Run(messages / kRounds);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        store += took.count();
        const std::vector<uint32_t> writes = appenders.TakeWrites();
        raw += raw_loop.Run(writes, /*by_pwrite=*/false);
        direct += raw_loop.Run(writes, /*by_pwrite=*/true);
        commits += writes.size();
        for (const uint32_t write : writes) bytes += write;
      }
      state.SetIterationTime(store);
      const double total = double(messages / kRounds * kRounds);
      state.counters["messages_per_s"] = total / store;
      state.counters["raw_per_s"] = total / raw;
      state.counters["ratio"] = raw / store;
      state.counters["pwrite_ratio"] = direct / store;
      state.counters["per_commit"] = total / double(commits);
      state.counters["kib_per_commit"] = double(bytes) / 1024 / double(commits);
    }
    appenders.Close();
  }
  std::filesystem::remove_all(name);
}
BENCHMARK(AppendAndCommit)
    ->Arg(1)
    ->Arg(20)
    ->Arg(100)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace outbox::queue
