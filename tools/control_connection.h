// ControlConnection: one client of the control socket, on the server's side.
//
// Lifecycle: made by the server for an accepted descriptor, which it owns; it becomes dead() when
// the client has gone or has broken the protocol, and the server then drops it. Not thread-safe.
#ifndef OUTBOX_TOOLS_CONTROL_CONNECTION_H_
#define OUTBOX_TOOLS_CONTROL_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/control_server.h"

namespace outbox::tools {

class ControlConnection final : public ReplyStream,
                                public std::enable_shared_from_this<ControlConnection> {
 public:
  ControlConnection(int fd, ControlHandler* handler, bool read_only = false)
      : fd_(fd), handler_(handler), read_only_(read_only) {}
  ~ControlConnection() override;

  int fd() const { return fd_; }
  // The poll(2) events to wait for.
  short events() const;
  // Handles what poll(2) returned.
  void OnEvents(short events);
  // Calls what waits in WhenReady, if it is due.
  void Resume();
  bool dead() const { return dead_; }
  bool has_output() const { return !output_.empty(); }

  bool gone() const override { return dead_; }
  bool read_only() const override { return read_only_; }
  std::string peer() const override;
  bool Send(const nlohmann::json& line) override;
  bool SendText(std::string_view lines) override;
  void Finish(const nlohmann::json& line) override;
  bool full() const override { return !dead_ && unsent() > kControlReplyBytes; }
  void WhenReady(std::function<void()> resume) override;
  void WhenGone(std::function<void()> hear) override;

 private:
  size_t unsent() const { return output_.size() - written_; }
  void Read();
  void Write();
  // Hands the next whole line of input_ to the handler, unless an answer is still going on.
  void NextRequest();
  void Append(const nlohmann::json& line);

  const int fd_;
  ControlHandler* const handler_;
  const bool read_only_;
  std::string input_;
  std::string output_;
  size_t written_ = 0;                           // of it
  std::vector<std::function<void()>> resumes_;   // WhenReady
  std::vector<std::function<void()>> mourners_;  // WhenGone
  bool answering_ = false;
  bool input_ended_ = false;  // the client has shut its side; it may still read
  bool close_after_output_ = false;
  bool dead_ = false;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONTROL_CONNECTION_H_
