#include "tools/control_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/check.h"

namespace outbox::tools {

ControlConnection::~ControlConnection() { close(fd_); }

std::string ControlConnection::peer() const {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "";
  return "uid " + std::to_string(peer.uid);
}

short ControlConnection::events() const {
  int events = 0;
  if (!output_.empty()) events |= POLLOUT;
  // While an answer goes on, only the client's going is of interest; poll(2) reports that by
  // itself.
  // Nor is another request of interest to who does not read the answers.
  if (!answering_ && !input_ended_ && !close_after_output_ && !full()) events |= POLLIN;
  return static_cast<short>(events);
}

void ControlConnection::OnEvents(short events) {
  if ((events & (POLLERR | POLLNVAL)) != 0) dead_ = true;
  if ((events & POLLHUP) != 0 && (events & POLLIN) == 0) dead_ = true;
  if (!dead_ && (events & POLLIN) != 0) Read();
  if (!dead_ && (events & POLLOUT) != 0) Write();
}

void ControlConnection::WhenReady(std::function<void()> resume) {
  if (dead_) return resume();
  resumes_.push_back(std::move(resume));
}

void ControlConnection::WhenGone(std::function<void()> hear) {
  if (dead_) return hear();
  mourners_.push_back(std::move(hear));
}

void ControlConnection::Resume() {
  if (dead_ && !mourners_.empty()) {
    std::vector<std::function<void()>> mourners;
    mourners.swap(mourners_);
    for (const auto& hear : mourners) hear();
  }
  if (resumes_.empty() || full()) return;
  std::vector<std::function<void()>> due;
  due.swap(resumes_);  // who is called may wait again
  for (const auto& resume : due) resume();
}

void ControlConnection::Read() {
  char buffer[4096];
  const ssize_t size = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) dead_ = true;
    return;
  }
  if (size == 0) {
    input_ended_ = true;
    if (!answering_ && output_.empty()) dead_ = true;
    return;
  }
  input_.append(buffer, static_cast<size_t>(size));
  NextRequest();
}

void ControlConnection::NextRequest() {
  while (!answering_ && !close_after_output_ && !dead_ && !full()) {
    const size_t newline = input_.find('\n');
    if (newline == std::string::npos) {
      if (input_.size() > kControlRequestBytes) {
        Append({{"error", "request too long"}});
        close_after_output_ = true;
      }
      return;
    }
    const nlohmann::json request =
        nlohmann::json::parse(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(newline),
                              nullptr, /*allow_exceptions=*/false);
    input_.erase(0, newline + 1);
    if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
      Append({{"error", "a request is one JSON object a line with a string \"command\""}});
      continue;
    }
    answering_ = true;
    handler_->Handle(request, shared_from_this());
  }
}

bool ControlConnection::Send(const nlohmann::json& line) {
  CHECK(answering_);
  // A handler that takes no notice of full().
  if (unsent() > 4 * kControlReplyBytes) dead_ = true;
  if (!dead_) Append(line);
  return !dead_;
}

bool ControlConnection::SendText(std::string_view lines) {
  CHECK(answering_);
  if (unsent() > 4 * kControlReplyBytes) dead_ = true;
  if (!dead_) output_.append(lines);
  return !dead_;
}

void ControlConnection::Finish(const nlohmann::json& line) {
  CHECK(answering_);
  if (!dead_) Append(line);
  answering_ = false;
  resumes_.clear();
  mourners_.clear();
  // NextRequest may be on the stack below us (an answer given at once); its loop goes on then. For
  // a later answer the server's loop comes by: see Write.
}

void ControlConnection::Append(const nlohmann::json& line) {
  // Text from peers may be no UTF-8; it is shown with replacement characters, never refused.
  output_.append(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  output_.push_back('\n');
}

void ControlConnection::Write() {
  const ssize_t size =
      send(fd_, output_.data() + written_, output_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) dead_ = true;
    return;
  }
  written_ += static_cast<size_t>(size);
  // A long answer is not moved for every piece of it.
  if (written_ * 2 >= output_.size()) output_.erase(0, std::exchange(written_, 0));
  if (!output_.empty()) return;
  NextRequest();
  if (output_.empty() && (close_after_output_ || (input_ended_ && !answering_))) dead_ = true;
}

}  // namespace outbox::tools
