#include "tools/doctor/blocking_loop.h"

#include <cerrno>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "core/timer.h"

namespace outbox::tools {
namespace {

constexpr uint32_t kTimersMax = 4096;
// For the end of an operation that was cancelled.
constexpr int64_t kCancelNs = 2 * core::kNsPerSecond;

struct Running {
  void OnDone(const io::OpResult& completed) {
    // What an Accept brings after the first one is not wanted.
    if (done && completed.more) return;
    if (done) return;
    result = completed.result;
    if (!completed.data.empty()) {
      data.assign(completed.data.data(), completed.data.size());
      io->ReturnBuffer(completed.buffer);
    }
    done = true;
  }

  io::Io* io = nullptr;
  io::Op op;
  int32_t result = 0;
  std::string data;
  bool done = false;
};

}  // namespace

BlockingLoop::BlockingLoop(std::unique_ptr<io::UringIo> io)
    : io_(std::move(io)), wheel_(io_->now_ns(), kTimersMax) {}

core::Result<std::unique_ptr<BlockingLoop>> BlockingLoop::Create(
    const std::vector<std::string>& disable) {
  io::UringOptions options;
  options.disable = disable;
  core::Result<std::unique_ptr<io::UringIo>> io = io::UringIo::Create(options);
  if (!io.ok()) return io.status();
  return std::unique_ptr<BlockingLoop>(new BlockingLoop(std::move(*io)));
}

bool BlockingLoop::RunUntil(const std::function<bool()>& done, int64_t limit_ns) {
  io_->Turn(0);  // the clock
  const int64_t until_ns = now_ns() + limit_ns;
  while (!done()) {
    if (now_ns() >= until_ns) return false;
    io_->Turn(std::min(wheel_.NextDeadline(), until_ns));
    wheel_.Advance(now_ns(), core::kTimerWorkPerTurn,
                   [](uint8_t, uint64_t cookie) { core::Timer::Fire(cookie); });
  }
  return true;
}

int32_t BlockingLoop::Run(const std::function<void(io::Op*)>& start, int64_t limit_ns,
                          std::string* data) {
  auto running = std::make_unique<Running>();
  running->io = io_.get();
  running->op.Bind<&Running::OnDone>(running.get());
  start(&running->op);
  const bool in_time = RunUntil([&] { return running->done; }, limit_ns);
  if (running->op.in_flight) {
    io_->Cancel(&running->op);
    if (!RunUntil([&] { return !running->op.in_flight; }, kCancelNs)) {
      stuck_ = true;
      static_cast<void>(running.release());
      return -ETIMEDOUT;
    }
  }
  if (data != nullptr) *data = std::move(running->data);
  return in_time ? running->result : -ETIMEDOUT;
}

}  // namespace outbox::tools
