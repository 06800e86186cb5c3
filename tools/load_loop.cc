#include "tools/load_loop.h"

#include <atomic>
#include <csignal>

namespace outbox::tools {
namespace {

std::atomic<io::Io*> g_io{nullptr};
std::atomic<bool> g_stop{false};

void OnSignal(int) {
  g_stop.store(true);
  io::Io* const io = g_io.load();
  if (io != nullptr) io->WakeFromOutside();
}

}  // namespace

core::Result<std::unique_ptr<io::UringIo>> CreateLoadIo(uint64_t sockets) {
  const core::Status status = io::UringIo::ReserveOpenFiles(sockets + 64);
  if (!status.ok()) return status;
  io::UringOptions options;
  options.buffer_count = 512;
  options.buffer_bytes = 16 * 1024;
  return io::UringIo::Create(options);
}

void StopOnSignals(io::Io* io) {
  g_io.store(io);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

void ForgetSignals() { g_io.store(nullptr); }

bool StopRequested() { return g_stop.load(); }

void TurnOnce(io::Io* io, int64_t until_ns) {
  io->PrepareToSleep();
  io->Turn(StopRequested() ? 0 : until_ns);
}

}  // namespace outbox::tools
