// How many messages a second the disk gives back when they are read one by one, in no order: the
// bound of a queue that drains from disk.
//
// Reads what a message of the size would take, in whole blocks, at places drawn by chance in the
// files, past the page cache, as many at a time as the spool has buffers for fetches. Prints the
// rate alone. bench/backlog runs it on the spool that it then drains.
//
//   read_raw SECONDS BYTES FILE...
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "core/time.h"
#include "io/uring_io.h"
#include "queue/store.h"

namespace outbox::queue {
namespace {

int64_t SteadyNs() {
  timespec now = {};
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

struct SpoolFile {
  std::string path;
  uint64_t bytes = 0;
  io::File file = io::kNoHandle;
};

class Reader {
 public:
  Reader(io::Io* io, std::vector<SpoolFile> files, size_t bytes)
      // A record begins anywhere in a block.
      : io_(io), files_(std::move(files)), bytes_((bytes / io::kBlockBytes + 1) * io::kBlockBytes) {
    open_.Bind<&Reader::OnOpened>(this);
  }

  bool Open() {
    io::OpenOptions options;
    options.direct = true;
    for (SpoolFile& file : files_) {
      io_->Open(&open_, file.path, options);
      Await(open_);
      if (opened_ < 0 || file.bytes < bytes_) return false;
      file.file = opened_;
    }
    return !files_.empty();
  }

  // Reads a second; 0: the disk has failed.
  double Run(int64_t duration_ns) {
    const int64_t start_ns = SteadyNs();
    for (uint32_t i = 0; i < StoreOptions().fetch_buffers; ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->reader = this;
      slots_.back()->memory = static_cast<char*>(aligned_alloc(io::kBlockBytes, bytes_));
      CHECK(slots_.back()->memory != nullptr);
      slots_.back()->op.Bind<&Slot::OnRead>(slots_.back().get());
      Next(slots_.back().get());
    }
    int64_t now_ns = start_ns;
    while (now_ns - start_ns < duration_ns && !failed_) {
      Turn();
      now_ns = SteadyNs();
    }
    const double rate = static_cast<double>(reads_) * 1e9 / static_cast<double>(now_ns - start_ns);
    stopping_ = true;
    for (const auto& slot : slots_) {
      Await(slot->op);
      free(slot->memory);
    }
    return failed_ ? 0 : rate;
  }

  void Close() {
    for (const SpoolFile& file : files_) {
      if (file.file == io::kNoHandle) continue;
      io_->CloseFile(&open_, file.file);
      Await(open_);
    }
  }

 private:
  struct Slot {
    Reader* reader = nullptr;
    char* memory = nullptr;
    io::Op op;
    void OnRead(const io::OpResult& result) { reader->OnRead(this, result.result); }
  };

  void Turn() {
    io_->PrepareToSleep();
    io_->Turn(core::kNever);
  }

  void Await(const io::Op& op) {
    while (op.in_flight) Turn();
  }

  void OnOpened(const io::OpResult& result) { opened_ = result.result; }

  void Next(Slot* slot) {
    const SpoolFile& file = files_[random_.Below(files_.size())];
    const uint64_t places = (file.bytes - bytes_) / io::kBlockBytes + 1;
    io_->Read(&slot->op, file.file, {slot->memory, bytes_},
              random_.Below(places) * io::kBlockBytes);
  }

  void OnRead(Slot* slot, int32_t result) {
    if (result != static_cast<int32_t>(bytes_)) failed_ = true;
    ++reads_;
    if (!stopping_) Next(slot);
  }

  io::Io* const io_;
  std::vector<SpoolFile> files_;
  const size_t bytes_;
  core::Random random_{1};
  io::Op open_;
  int32_t opened_ = -1;
  std::vector<std::unique_ptr<Slot>> slots_;
  uint64_t reads_ = 0;
  bool failed_ = false;
  bool stopping_ = false;
};

int Main(int argc, char** argv) {
  const double seconds = argc > 3 ? atof(argv[1]) : 0;
  const long bytes = argc > 3 ? atol(argv[2]) : 0;
  if (!(seconds > 0) || bytes <= 0) {
    std::fprintf(stderr, "usage: read_raw SECONDS BYTES FILE...\n");
    return 2;
  }
  std::vector<SpoolFile> files;
  for (int i = 3; i < argc; ++i) {
    struct stat info = {};
    if (stat(argv[i], &info) != 0) {
      std::perror(argv[i]);
      return 1;
    }
    files.push_back({argv[i], static_cast<uint64_t>(info.st_size)});
  }
  const core::Status room = io::UringIo::ReserveOpenFiles(files.size() + 64);
  core::Result<std::unique_ptr<io::UringIo>> io = io::UringIo::Create(io::UringOptions());
  if (!room.ok() || !io.ok()) {
    std::fprintf(stderr, "%s\n", (room.ok() ? io.status() : room).ToString().c_str());
    return 1;
  }
  Reader reader(io->get(), std::move(files), static_cast<size_t>(bytes));
  const bool open = reader.Open();
  const double rate = open ? reader.Run(static_cast<int64_t>(seconds * 1e9)) : 0;
  reader.Close();
  if (rate == 0) {
    std::fprintf(stderr, "the files cannot be read\n");
    return 1;
  }
  std::printf("%.0f\n", rate);
  return 0;
}

}  // namespace
}  // namespace outbox::queue

int main(int argc, char** argv) { return outbox::queue::Main(argc, argv); }
