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
#include "tools/report.h"

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
// What `outbox purge` is to do.
struct PurgeRequest {
  nlohmann::json filter;
  std::string reason;
  bool dry_run = false;
  bool now = false;
  bool yes = false;  // nobody is asked
};
// Shows what would go, asks if need be, and purges. kNotFound: nothing matched, or the answer was
// no, which was said.
core::Status PurgeCommand(ControlClient* client, const PurgeRequest& request, bool json);
// There is somebody at a terminal who can be asked.
bool CanAsk();
// Gives `command`, "retry", "remove", "hold", "clear" and so on, and waits for the outcome.
// kNotFound: nothing matched; an empty message then means that this was said.
core::Status ActCommand(ControlClient* client, const char* command, const nlohmann::json& filter,
                        bool json);
// Prints where a message would go. `question`: members of the protocol's request. By the running
// daemon, or by a configuration `file`; then `client` may be null, and no hosts are looked up.
core::Status RouteTestCommand(ControlClient* client, const nlohmann::json& question,
                              const std::string& file, bool json);
// Prints events as they happen, of `filter` ("id", "domain"), until the daemon ends.
core::Status LogCommand(ControlClient* client, const nlohmann::json& filter, bool json);
// Prints the dialogues of recent attempts that `filter` (members of the protocol's request) leaves.
// kNotFound with an empty message: there were none, which was said.
core::Status TalkCommand(ControlClient* client, const nlohmann::json& filter, bool json);
// What `outbox report` is to be about.
struct ReportRequest {
  std::vector<std::string> files;  // the event log, the oldest first; "-": standard input
  ReportFilter filter;
  bool by_domain = false;
  bool json = false;
  size_t limit = 0;
};
// Prints what the event log tells of recent mail. kNotFound with an empty message: nothing of that,
// which was said.
core::Status ReportCommand(const ReportRequest& request);
// The files of the daemon's event log, with those of before its rotations, as far as they matter.
core::Result<std::vector<std::string>> LogFiles(ControlClient* client, int64_t since_ns);
// What is to be suspended or resumed: members of the protocol's request. kNotFound with an empty
// message: nothing of that name was suspended, which was said.
core::Status SuspendCommand(ControlClient* client, const nlohmann::json& what, bool json);
core::Status ResumeCommand(ControlClient* client, const nlohmann::json& what, bool json);
core::Status SuspendedCommand(ControlClient* client, bool json);
// What is suspended holds mail that waits for nothing else: says on stderr how much is, if any. For
// after a command whose answer makes one expect that mail goes.
void NoteSuspensions(ControlClient* client);
// Prints the sites that mail goes to. `limit` 0: as many as the daemon thinks right.
core::Status SitesCommand(ControlClient* client, uint32_t limit, bool json);
// Asks the daemon to read its configuration again. kIoError: what is wrong with it.
core::Status ReloadCommand(ControlClient* client, bool json);
// Asks the daemon to stop and, with `wait_seconds` > 0, waits until it has.
core::Status StopCommand(ControlClient* client, int wait_seconds, bool json);

// What the commands print, apart from any socket. `now`: Unix time.
std::string FormatStats(const nlohmann::json& stats);
std::string FormatEvent(const nlohmann::json& event);
// Of `clear` and `reroute`: the last line of the answer.
std::string RedirectText(const std::string& command, bool dry_run, const nlohmann::json& line);
std::string FormatTalk(const nlohmann::json& talk);
std::string FormatWhy(const nlohmann::json& why, int64_t now);
// `lines`: groups as the daemon sends them; `end`: its last line.
std::string FormatGroups(const std::vector<nlohmann::json>& lines, const nlohmann::json& end,
                         const std::string& by);
std::string FormatShape(const std::vector<nlohmann::json>& lines, const nlohmann::json& end);
// A dry run's answer.
std::string FormatPreview(const nlohmann::json& preview);
std::string FormatRoute(const nlohmann::json& answer);
std::string FormatSuspensions(const nlohmann::json& answer);
std::string FormatResumed(const nlohmann::json& answer);
std::string FormatSites(const std::vector<nlohmann::json>& sites, const nlohmann::json& end,
                        int64_t now);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_COMMANDS_H_
