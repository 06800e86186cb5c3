// Which way of making bytes durable the log should use, and what UringIo costs over it.
//
// One thread overwrites the blocks of an initialised file, one batch after the other, each durable
// before the next, as the log's group commit does. The same batches go by a bare system call loop
// in each of the modes that were weighed, and through UringIo's Write in the mode that the log
// uses. The rounds of all rows are interleaved, so that a disk whose speed drifts slows all of
// them; what counts is the ratio to the bare O_DIRECT + O_DSYNC loop in the same run.
//
//   commit_raw [directory] [seconds in all]
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/time.h"
#include "io/file_calls.h"
#include "io/ring.h"
#include "io/uring_io.h"

namespace outbox::io {
namespace {

constexpr uint64_t kFileBytes = uint64_t{64} << 20;
constexpr size_t kBatches[] = {1, 8, 64};  // records of 4 KiB
constexpr size_t kBatchBytesMax = 64 * kBlockBytes;
constexpr int kRounds = 41;  // short and many: a disturbance hits all rows

int64_t SteadyNs() {
  timespec now = {};
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

// CPU time of this process. Kernel workers that complete a write are not in it.
int64_t CpuNs() {
  timespec now = {};
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

// Where the next batch goes: round and round through the file.
class Cursor {
 public:
  uint64_t Next(size_t bytes) {
    if (at_ + bytes > kFileBytes) at_ = 0;
    const uint64_t offset = at_;
    at_ += bytes;
    return offset;
  }

 private:
  uint64_t at_ = 0;
};

// One way to commit a batch. False when the file system cannot.
class Mode {
 public:
  explicit Mode(std::string name) : name_(std::move(name)) {}
  virtual ~Mode() = default;
  virtual bool Open(const std::string& path) = 0;
  virtual bool Commit(char* batch, size_t bytes) = 0;
  const std::string& name() const { return name_; }

 protected:
  Cursor cursor_;

 private:
  std::string name_;
};

// By system calls: open flags, flags of pwritev2, and an fdatasync or not.
class BareMode : public Mode {
 public:
  BareMode(std::string name, int open_flags, int write_flags, bool sync, bool grow = false)
      : Mode(std::move(name)),
        open_flags_(open_flags),
        write_flags_(write_flags),
        sync_(sync),
        grow_(grow) {}
  ~BareMode() override {
    if (file_ >= 0) close(file_);
  }

  bool Open(const std::string& path) override {
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | open_flags_, 0640);
    if (file_ < 0) return false;
    const std::atomic<bool> never{false};
    return grow_ || FillNow(file_, kFileBytes, never) == 0;
  }

  bool Commit(char* batch, size_t bytes) override {
    uint64_t offset = cursor_.Next(bytes);
    if (grow_) {
      offset = end_;
      end_ += bytes;
    }
    const iovec part = {batch, bytes};
    const ssize_t written = pwritev2(file_, &part, 1, static_cast<off_t>(offset), write_flags_);
    if (written != static_cast<ssize_t>(bytes)) return false;
    return !sync_ || fdatasync(file_) == 0;
  }

 private:
  const int open_flags_;
  const int write_flags_;
  const bool sync_;
  const bool grow_;
  uint64_t end_ = 0;
  int file_ = -1;
};

// By a ring without anything around it: what the kernel's asynchronous way costs by itself.
class RingMode : public Mode {
 public:
  explicit RingMode(std::string name) : Mode(std::move(name)) {}
  ~RingMode() override {
    if (file_ >= 0) close(file_);
  }

  bool Open(const std::string& path) override {
    core::Result<std::unique_ptr<Ring>> ring =
        Ring::Create({.submission_entries = 8, .completion_entries = 16});
    if (!ring.ok()) return false;
    ring_ = std::move(*ring);
    ring_->Enable();
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT | O_DSYNC, 0640);
    const std::atomic<bool> never{false};
    return file_ >= 0 && FillNow(file_, kFileBytes, never) == 0;
  }

  bool Commit(char* batch, size_t bytes) override {
    CHECK(ring_->PrepareWrite(file_, {batch, bytes}, cursor_.Next(bytes), 1));
    Ring::Completion completion;
    do {
      ring_->Enter(core::kNever);
    } while (ring_->Take({&completion, 1}).empty());
    return completion.result == static_cast<int32_t>(bytes);
  }

 private:
  std::unique_ptr<Ring> ring_;
  int file_ = -1;
};

// Through Io, as the log does it: one Write in flight, a turn of the loop for each.
class UringMode : public Mode {
 public:
  explicit UringMode(std::string name) : Mode(std::move(name)) {
    op_.Bind<&UringMode::OnDone>(this);
  }
  ~UringMode() override {
    if (file_ >= 0) Await([this] { io_->CloseFile(&op_, file_); });
  }

  bool Open(const std::string& path) override {
    core::Result<std::unique_ptr<UringIo>> io = UringIo::Create(UringOptions());
    if (!io.ok()) {
      std::fprintf(stderr, "%s\n", io.status().ToString().c_str());
      return false;
    }
    io_ = std::move(*io);
    OpenOptions options;
    options.write = options.create = options.direct = options.dsync = true;
    Await([&] { io_->Open(&op_, path, options); });
    if (result_ < 0) return false;
    file_ = result_;
    Await([this] { io_->Fill(&op_, file_, kFileBytes); });
    return result_ == 0;
  }

  bool Commit(char* batch, size_t bytes) override {
    const iovec part = {batch, bytes};
    const uint64_t offset = cursor_.Next(bytes);
    Await([&] { io_->Write(&op_, file_, {&part, 1}, offset); });
    return result_ == static_cast<int32_t>(bytes);
  }

 private:
  void OnDone(const OpResult& result) { result_ = result.result; }
  template <typename Start>
  void Await(Start start) {
    start();
    while (op_.in_flight) {
      io_->PrepareToSleep();
      io_->Turn(core::kNever);
    }
  }

  std::unique_ptr<UringIo> io_;
  Op op_;
  File file_ = kNoHandle;
  int32_t result_ = 0;
};

struct Row {
  std::unique_ptr<Mode> mode;
  bool usable = false;
  std::vector<double> commits_per_second[3];
  std::vector<double> cpu_us[3];
};

std::vector<Row> MakeRows() {
  std::vector<Row> rows;
  const auto add = [&rows](std::unique_ptr<Mode> mode) {
    rows.emplace_back();
    rows.back().mode = std::move(mode);
  };
  add(std::make_unique<BareMode>("O_DIRECT + O_DSYNC", O_DIRECT | O_DSYNC, 0, false));
  add(std::make_unique<RingMode>("the same by a bare ring"));
  add(std::make_unique<UringMode>("the same by UringIo"));
  add(std::make_unique<BareMode>("O_DIRECT + RWF_DSYNC", O_DIRECT, RWF_DSYNC, false));
  add(std::make_unique<BareMode>("O_DIRECT + fdatasync", O_DIRECT, 0, true));
  add(std::make_unique<BareMode>("buffered O_DSYNC", O_DSYNC, 0, false));
  add(std::make_unique<BareMode>("buffered + fdatasync", 0, 0, true));
  add(std::make_unique<BareMode>("growing + fdatasync", 0, 0, true, true));
  return rows;
}

// Runs one row for a while and notes its rate and its CPU per commit.
void Measure(Row* row, size_t which, char* batch, int64_t duration_ns) {
  const size_t bytes = kBatches[which] * kBlockBytes;
  const int64_t start_ns = SteadyNs();
  const int64_t start_cpu_ns = CpuNs();
  int64_t now_ns = start_ns;
  uint64_t commits = 0;
  while (now_ns - start_ns < duration_ns) {
    if (!row->mode->Commit(batch, bytes)) {
      std::fprintf(stderr, "%s: %s\n", row->mode->name().c_str(), strerror(errno));
      row->usable = false;
      return;
    }
    ++commits;
    now_ns = SteadyNs();
  }
  const double count = static_cast<double>(commits);
  row->commits_per_second[which].push_back(count * 1e9 / static_cast<double>(now_ns - start_ns));
  row->cpu_us[which].push_back(static_cast<double>(CpuNs() - start_cpu_ns) / 1e3 / count);
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Print(const std::vector<Row>& rows) {
  for (size_t which = 0; which < std::size(kBatches); ++which) {
    std::printf("\n%zu x 4 KiB a commit\n%-24s %12s %8s %12s %8s\n", kBatches[which], "",
                "commits/s", "ratio", "CPU us each", "ratio");
    const double rate = Median(rows[0].commits_per_second[which]);
    const double cpu = Median(rows[0].cpu_us[which]);
    for (const Row& row : rows) {
      if (!row.usable) {
        std::printf("%-24s not on this file system\n", row.mode->name().c_str());
        continue;
      }
      const double own_rate = Median(row.commits_per_second[which]);
      const double own_cpu = Median(row.cpu_us[which]);
      std::printf("%-24s %12.0f %8.2f %12.1f %8.2f\n", row.mode->name().c_str(), own_rate,
                  rate > 0 ? own_rate / rate : 0, own_cpu, cpu > 0 ? own_cpu / cpu : 0);
    }
  }
}

int Run(const std::string& directory, double seconds) {
  std::string path = directory + "/commit_raw.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), strerror(errno));
    return 1;
  }
  char* batch = static_cast<char*>(aligned_alloc(kBlockBytes, kBatchBytesMax));
  CHECK(batch != nullptr);
  memset(batch, 'm', kBatchBytesMax);
  std::vector<Row> rows = MakeRows();
  std::vector<std::string> files;
  for (Row& row : rows) {
    files.push_back(path + "/" + std::to_string(files.size()));
    row.usable = row.mode->Open(files.back());
  }
  const double measurements = static_cast<double>(rows.size() * std::size(kBatches) * kRounds);
  const int64_t duration_ns = static_cast<int64_t>(seconds * 1e9 / measurements);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t which = 0; which < std::size(kBatches); ++which) {
      for (Row& row : rows) {
        if (row.usable) Measure(&row, which, batch, duration_ns);
      }
    }
  }
  Print(rows);
  rows.clear();
  for (const std::string& file : files) unlink(file.c_str());
  rmdir(path.c_str());
  free(batch);
  return 0;
}

}  // namespace
}  // namespace outbox::io

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : ".";
  const double seconds = argc > 2 ? atof(argv[2]) : 15;
  if (argc > 3 || !(seconds > 0)) {
    std::fprintf(stderr, "usage: commit_raw [directory] [seconds in all]\n");
    return 2;
  }
  return outbox::io::Run(directory, seconds);
}
