// The commands of `outbox`, one file each. A command speaks to a connected client, prints, and says
// how it went; the exit code is made of that in outbox.cc.
#ifndef OUTBOX_TOOLS_OUTBOX_COMMANDS_H_
#define OUTBOX_TOOLS_OUTBOX_COMMANDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/status.h"
#include "tools/control_client.h"

namespace outbox::tools {

// How long a command waits for the next line of an answer.
inline constexpr int kAnswerSeconds = 30;

// Prints the counters and gauges: a table in groups, or the one JSON object.
core::Status StatsCommand(ControlClient* client, bool json);
// How the queue is to be shown.
struct QueueView {
  std::vector<std::string> columns = {};  // none: OUTBOX_COLUMNS, else the usual ones
  std::string sort = {};                  // "age", "age:desc"
  uint32_t limit = 0;                     // 0: all, or as many as the daemon thinks right
  bool count = false;                     // how many there are, instead of which
  std::string by = {};                    // the same, by a column
  bool shape = false;                     // the same, by age besides
};
// The columns that a listing can have, and those that recipients can be counted by.
const std::vector<std::string>& QueueColumnNames();
const std::vector<std::string>& QueueGroupNames();
// What is wrong with the view; ok for nothing. To be asked before QueueCommand.
core::Status CheckQueueView(const QueueView& view);
// Prints the queued recipients that `filter` (members of the protocol's request) leaves: aligned
// columns, or one JSON object a line.
core::Status QueueCommand(ControlClient* client, const nlohmann::json& filter,
                          const QueueView& view, bool json);
// Prints why mail is where it is. `what`: {"id": ...} or {"domain": ...}.
core::Status WhyCommand(ControlClient* client, const nlohmann::json& what, bool json);
// Gives `command`, "retry" or "remove", and waits for the outcome. kNotFound: nothing matched; an
// empty message then means that this was said.
core::Status ActCommand(ControlClient* client, const char* command, const nlohmann::json& filter,
                        bool json);
// Prints events as they happen, of `filter` ("id", "domain"), until the daemon ends.
core::Status LogCommand(ControlClient* client, const nlohmann::json& filter, bool json);
// Asks the daemon to read its configuration again. kIoError: what is wrong with it.
core::Status ReloadCommand(ControlClient* client, bool json);
// Asks the daemon to stop and, with `wait_seconds` > 0, waits until it has.
core::Status StopCommand(ControlClient* client, int wait_seconds, bool json);

// A number of an answer; 0 when it is not there.
inline long long Count(const nlohmann::json& answer, const char* name) {
  return answer.value(name, 0LL);
}

// What the commands print, apart from any socket. `now`: Unix time.
std::string FormatStats(const nlohmann::json& stats);
std::string FormatEvent(const nlohmann::json& event);
std::string FormatWhy(const nlohmann::json& why, int64_t now);
// `lines`: groups as the daemon sends them; `end`: its last line.
std::string FormatGroups(const std::vector<nlohmann::json>& lines, const nlohmann::json& end,
                         const std::string& by);
std::string FormatShape(const std::vector<nlohmann::json>& lines, const nlohmann::json& end);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_COMMANDS_H_
