// `outbox stop` and `outbox reload`.
#include <cstdio>

#include "tools/outbox_commands.h"

namespace outbox::tools {

core::Status StopCommand(ControlClient* client, int wait_seconds, bool json) {
  const core::Result<nlohmann::json> answer = client->Ask({{"command", "stop"}}, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  if (wait_seconds <= 0) {
    std::puts(json ? "{\"stopping\":true}" : "stopping");
    return core::OkStatus();
  }
  // The daemon keeps the connection open until it ends.
  const core::Status ended = client->WaitForEnd(wait_seconds);
  if (!ended.ok()) {
    return core::Status(core::StatusCode::kIoError, "outboxd has not stopped within " +
                                                        std::to_string(wait_seconds) + " seconds");
  }
  std::puts(json ? "{\"stopped\":true}" : "stopped");
  return core::OkStatus();
}

core::Status ReloadCommand(ControlClient* client, bool json) {
  const core::Result<nlohmann::json> answer = client->Ask({{"command", "reload"}}, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  if (json) {
    std::printf("%s\n", answer->dump().c_str());
  } else {
    std::printf("reloaded %s\n", answer->value("file", std::string()).c_str());
    for (const nlohmann::json& warning : answer->value("warnings", nlohmann::json::array())) {
      std::fprintf(stderr, "outbox: warning: %s\n", warning.get<std::string>().c_str());
    }
  }
  return core::OkStatus();
}

}  // namespace outbox::tools
