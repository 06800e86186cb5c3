#include "tools/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace outbox::tools {
namespace {

using core::Status;
using core::StatusCode;

}  // namespace

ControlClient::~ControlClient() {
  if (fd_ >= 0) close(fd_);
}

Status ControlClient::Connect(const std::string& path) {
  path_ = path;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Status(StatusCode::kInvalidArgument, path + ": too long for a socket path");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Status::FromErrno(errno, "socket");
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return core::OkStatus();
  }
  switch (errno) {
    case ENOENT:
      return Status(StatusCode::kUnavailable, path + ": no such socket; is outboxd running?");
    case ECONNREFUSED:
      return Status(StatusCode::kUnavailable,
                    path + ": nobody is listening; outboxd is not running");
    case EACCES:
      return Status(StatusCode::kPermissionDenied,
                    path + ": permission denied; the socket belongs to outboxd's user and group");
    default:
      return Status::FromErrno(errno, path);
  }
}

Status ControlClient::Send(const nlohmann::json& request) {
  const std::string line = request.dump() + "\n";
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t size = send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    // It has closed, and said why before: that is still to be received.
    if (size < 0 && errno == EPIPE) return core::OkStatus();
    if (size < 0) return Status::FromErrno(errno, path_);
    sent += static_cast<size_t>(size);
  }
  return core::OkStatus();
}

core::Result<size_t> ControlClient::Fill(int timeout_seconds) {
  pollfd polled = {fd_, POLLIN, 0};
  const int ready = poll(&polled, 1, timeout_seconds * 1000);
  if (ready < 0) return Status::FromErrno(errno, "poll");
  if (ready == 0) {
    return Status(StatusCode::kUnavailable,
                  path_ + ": no answer in " + std::to_string(timeout_seconds) + " seconds");
  }
  char bytes[65536];
  const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
  if (size < 0 && errno != ECONNRESET) return Status::FromErrno(errno, path_);
  if (size <= 0) return size_t{0};
  buffer_.append(bytes, static_cast<size_t>(size));
  return static_cast<size_t>(size);
}

core::Result<nlohmann::json> ControlClient::Receive(int timeout_seconds) {
  const core::Result<std::string_view> line = ReceiveLine(timeout_seconds);
  if (!line.ok()) return line.status();
  return Parse(*line);
}

core::Result<nlohmann::json> ControlClient::Ask(const nlohmann::json& request,
                                                int timeout_seconds) {
  const Status sent = Send(request);
  if (!sent.ok()) return sent;
  return Receive(timeout_seconds);
}

core::Result<std::string_view> ControlClient::ReceiveLine(int timeout_seconds) {
  size_t searched = taken_;
  size_t newline = 0;
  while ((newline = buffer_.find('\n', searched)) == std::string::npos) {
    buffer_.erase(0, std::exchange(taken_, 0));
    searched = buffer_.size();
    const core::Result<size_t> filled = Fill(timeout_seconds);
    if (!filled.ok()) return filled.status();
    if (*filled == 0) {
      return Status(StatusCode::kUnavailable, path_ + ": closed before the answer was complete");
    }
  }
  const std::string_view line(buffer_.data() + taken_, newline - taken_);
  taken_ = newline + 1;
  return line;
}

core::Result<nlohmann::json> ControlClient::Parse(std::string_view text) const {
  nlohmann::json line =
      nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!line.is_object()) return Status(StatusCode::kIoError, path_ + ": not an answer of outboxd");
  if (line.contains("error")) {
    const nlohmann::json& error = line["error"];
    return Status(StatusCode::kIoError,
                  error.is_string() ? error.get<std::string>() : error.dump());
  }
  return line;
}

bool ControlClient::Peer(int* pid, uint32_t* user) const {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  *pid = peer.pid;
  *user = peer.uid;
  return true;
}

Status ControlClient::WaitForEnd(int timeout_seconds) {
  for (;;) {
    const core::Result<size_t> filled = Fill(timeout_seconds);
    if (!filled.ok()) return filled.status();
    if (*filled == 0) return core::OkStatus();
    buffer_.clear();
    taken_ = 0;
  }
}

}  // namespace outbox::tools
