#include "tools/doctor/ring_probe.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/time.h"

namespace outbox::tools {
namespace {

constexpr int64_t kStepNs = 5 * core::kNsPerSecond;

core::Status StepError(int32_t result, const char* step) {
  return core::Status::FromErrno(-result, std::string("io_uring: ") + step);
}

// Sends a word from one end of a connection to the other.
core::Status ProbeStream(BlockingLoop* loop, io::Socket from, io::Socket to) {
  static char word[] = "outbox";
  const iovec part = {word, sizeof word};
  io::Io* const io = loop->io();
  int32_t result = loop->Run([&](io::Op* op) { io->Send(op, from, {&part, 1}); }, kStepNs);
  if (result < 0) return StepError(result, "send");
  std::string data;
  result = loop->Run([&](io::Op* op) { io->Recv(op, to); }, kStepNs, &data);
  if (result < 0) return StepError(result, "receive");
  if (data != std::string(word, sizeof word)) {
    return core::Status(core::StatusCode::kDataLoss, "io_uring: other bytes came than were sent");
  }
  return core::OkStatus();
}

}  // namespace

core::Status ProbeRing(BlockingLoop* loop) {
  io::Io* const io = loop->io();
  core::Result<io::Socket> listener = io->Listen({core::IpAddress::V4(127, 0, 0, 1), 0}, false);
  if (!listener.ok()) return listener.status();
  const core::SocketAddress address = io->LocalAddress(*listener);
  core::Status status;
  const int32_t client = loop->Run([&](io::Op* op) { io->Connect(op, address, nullptr); }, kStepNs);
  if (client < 0) status = StepError(client, "connect");
  if (client >= 0) {
    const int32_t server = loop->Run([&](io::Op* op) { io->Accept(op, *listener); }, kStepNs);
    status = server < 0 ? StepError(server, "accept") : ProbeStream(loop, client, server);
    if (server >= 0) io->CloseSocket(server, true);
    io->CloseSocket(client, true);
  }
  io->CloseSocket(*listener, false);
  return status;
}

int ProbeWrite(BlockingLoop* loop, const std::string& directory, bool direct) {
  alignas(io::kBlockBytes) static std::array<char, io::kBlockBytes> block = {};
  const std::string path = directory + "/doctor-" + std::to_string(getpid()) + ".tmp";
  io::Io* const io = loop->io();
  io::OpenOptions options;
  options.write = options.create = options.exclusive = options.dsync = true;
  options.direct = direct;
  const int32_t file = loop->Run([&](io::Op* op) { io->Open(op, path, options); }, kStepNs);
  // The file is there all the same when only O_DIRECT was refused.
  if (file == -EINVAL) loop->Run([&](io::Op* op) { io->Unlink(op, path); }, kStepNs);
  if (file < 0) return file;
  const iovec part = {block.data(), block.size()};
  const int32_t written = loop->Run(
      [&](io::Op* op) {
        io->Write(op, file, {&part, 1}, 0);
      },
      kStepNs);
  if (loop->stuck()) return written;
  loop->Run([&](io::Op* op) { io->CloseFile(op, file); }, kStepNs);
  const int32_t removed = loop->Run([&](io::Op* op) { io->Unlink(op, path); }, kStepNs);
  if (written < 0) return written;
  return written == static_cast<int32_t>(block.size()) ? removed : -ENOSPC;
}

core::Result<std::string> ReadGreeting(BlockingLoop* loop, const core::SocketAddress& address,
                                       const std::string& path) {
  io::Io* const io = loop->io();
  const int32_t socket = loop->Run(
      [&](io::Op* op) {
        path.empty() ? io->Connect(op, address, nullptr) : io->ConnectUnix(op, path);
      },
      kStepNs);
  if (socket == -ECONNREFUSED || socket == -ENOENT) {
    return core::Status(core::StatusCode::kUnavailable, "nobody listens");
  }
  if (socket < 0) return core::Status::FromErrno(-socket, "connect");
  std::string text;
  const int32_t received = loop->Run([&](io::Op* op) { io->Recv(op, socket); }, kStepNs, &text);
  if (!loop->stuck()) io->CloseSocket(socket, received <= 0);
  if (received < 0) return core::Status::FromErrno(-received, "greeting");
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace outbox::tools
