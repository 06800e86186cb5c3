// What the log costs: 4 KiB messages appended by 1, 20 and 100 appenders at a time, each durable
// before the next of the same appender, against a bare loop that makes as many writes of the same
// size, through the same Io into a file that was written before, in the same run.
//
//   messages_per_s   through the store
//   raw_per_s        messages that the bare loop's writes would have carried
//   ratio            of the two; 1 is "the store costs nothing"
//   per_commit       messages a batch
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "io/uring_io.h"
#include "queue/spool/aligned_buffer.h"
#include "queue/store.h"

namespace outbox::queue {
namespace {

constexpr uint32_t kBodyBytes = 4096;
// Of one measurement, for each appender: some seconds at most.
constexpr uint64_t kMessagesEach = 1'000;
constexpr uint64_t kMessagesMax = 30'000;
constexpr uint64_t kRounds = 40;
constexpr uint64_t kSegmentBytes = 32u << 20;

class Appenders final : public RecoverySink {
 public:
  Appenders(io::Io* io, const StoreOptions& options, size_t count)
      : io_(io), store_(io, options), body_(kBodyBytes, 'x'), slots_(count) {}

  // Appends `messages` and finishes each as soon as it is there.
  void Run(uint64_t messages) {
    left_ = messages;
    for (Slot& slot : slots_) Start(&slot);
    while (left_ > 0 || flying_ > 0) Turn();
  }
  void Open() {
    store_.Open(this);
    while (!store_.recovered() || store_.stats().segments_free < 2) Turn();
  }
  void Close() {
    bool closed = false;
    store_.Close([&](const core::Status&) { closed = true; });
    while (!closed) Turn();
  }
  StoreStats stats() const { return store_.stats(); }

  void OnMessage(Message*, const MetaView&, const StateView&) override {}
  void OnDamage(std::string_view what) override {
    std::printf("%.*s\n", int(what.size()), what.data());
  }
  void OnWritable(const core::Status& status) override { CHECK(status.ok()); }
  void OnRecovered(const RecoveryReport&) override {}

 private:
  struct Slot {
    Appenders* owner = nullptr;
    AppendOp op;
    MetaBuilder meta;
    iovec part = {};
    void OnAppended(const core::Status& status, Message* message) {
      CHECK(status.ok());
      --owner->flying_;
      owner->store_.Done(message);
      owner->Start(this);
    }
  };
  void Start(Slot* slot) {
    if (left_ == 0) return;
    --left_;
    ++flying_;
    slot->owner = this;
    slot->meta.Start(store_.NewId(), io_->wall_ns(), 0, "sender@example.com", "192.0.2.1");
    const uint32_t retry = 900;
    slot->meta.AddGroup("example.net", "default", {&retry, 1}, {});
    slot->meta.AddRecipient("recipient@example.net");
    slot->meta.SetBody(kBodyBytes, 0);
    slot->op.meta = slot->meta.Finish();
    slot->part = {body_.data(), body_.size()};
    slot->op.body = {&slot->part, 1};
    slot->op.Bind<&Slot::OnAppended>(slot);
    store_.Append(&slot->op);
  }
  void Turn() {
    store_.Tick();
    io_->Turn(store_.NextDeadline());
  }

  io::Io* io_;
  Store store_;
  std::string body_;
  std::vector<Slot> slots_;
  uint64_t left_ = 0;
  uint64_t flying_ = 0;
};

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
  }
  ~RawLoop() {
    io_->CloseFile(&waiter_.op, file_);
    waiter_.Wait(io_);
  }
  // Seconds.
  double Run(uint64_t writes, uint32_t bytes) {
    AlignedBuffer buffer(bytes);
    std::fill_n(buffer.data(), buffer.size(), 'x');
    const iovec part = {buffer.data(), buffer.size()};
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < writes; ++i) {
      if (offset_ + buffer.size() > kSegmentBytes) offset_ = 0;
      io_->Write(&waiter_.op, file_, {&part, 1}, offset_);
      CHECK(waiter_.Wait(io_) == static_cast<int32_t>(buffer.size()));
      offset_ += buffer.size();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return took.count();
  }

 private:
  io::Io* io_;
  Waiter waiter_;
  io::File file_ = io::kNoHandle;
  uint64_t offset_ = 0;
};

void AppendAndCommit(benchmark::State& state) {
  const uint64_t messages =
      std::min(kMessagesMax, kMessagesEach * static_cast<uint64_t>(state.range(0)));
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
      uint64_t commits = 0;
      uint64_t bytes = 0;
      for (uint64_t round = 0; round < kRounds; ++round) {
        const StoreStats before = appenders.stats();
        const auto start = std::chrono::steady_clock::now();
        appenders.Run(messages / kRounds);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        const StoreStats after = appenders.stats();
        const uint64_t wrote = after.commits - before.commits;
        const uint64_t average = (after.bytes_written - before.bytes_written) / wrote;
        store += took.count();
        raw += raw_loop.Run(wrote, static_cast<uint32_t>((average + 4095) / 4096 * 4096));
        commits += wrote;
        bytes += after.bytes_written - before.bytes_written;
      }
      state.SetIterationTime(store);
      const double total = double(messages / kRounds * kRounds);
      state.counters["messages_per_s"] = total / store;
      state.counters["raw_per_s"] = total / raw;
      state.counters["ratio"] = raw / store;
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
