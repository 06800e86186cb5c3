// ControlClient: the operator's side of the control socket (docs/control-protocol.md), blocking.
#ifndef OUTBOX_TOOLS_CONTROL_CLIENT_H_
#define OUTBOX_TOOLS_CONTROL_CLIENT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::tools {

class ControlClient {
 public:
  ControlClient() = default;
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  // Connects to the socket at `path`. kUnavailable: nobody listens there.
  core::Status Connect(const std::string& path);
  core::Status Send(const nlohmann::json& request);
  // The next line of the answer. kUnavailable: the daemon has closed, or said nothing for
  // `timeout_seconds`. An answer of {"error": ...} becomes a kIoError with that text.
  core::Result<nlohmann::json> Receive(int timeout_seconds);
  // Sends, and receives an answer of one line.
  core::Result<nlohmann::json> Ask(const nlohmann::json& request, int timeout_seconds);
  // The next line as it came: for long lists. Without its LF, which lies behind it. Valid until the
  // next call.
  core::Result<std::string_view> ReceiveLine(int timeout_seconds);
  // What Receive makes of a line.
  core::Result<nlohmann::json> Parse(std::string_view line) const;
  // The daemon's process and user. False: the system does not say. REQUIRES: connected.
  bool Peer(int* pid, uint32_t* user) const;
  // Waits until the daemon has closed the connection. kUnavailable: it has not in that time.
  core::Status WaitForEnd(int timeout_seconds);

 private:
  // Reads some bytes: their number, 0 at the end.
  core::Result<size_t> Fill(int timeout_seconds);

  int fd_ = -1;
  std::string path_;
  std::string buffer_;
  size_t taken_ = 0;  // of it
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONTROL_CLIENT_H_
