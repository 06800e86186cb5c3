#include "tools/doctor/daemon_view.h"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "tools/control_client.h"

namespace outbox::tools {
namespace {

constexpr int kDaemonSeconds = 5;

// Takes the next number of a line of /proc/PID/limits.
bool TakeLimit(std::string_view* line, uint64_t* value) {
  line->remove_prefix(std::min(line->find_first_not_of(' '), line->size()));
  const std::string_view word = line->substr(0, line->find(' '));
  line->remove_prefix(word.size());
  *value = UINT64_MAX;
  if (word == "unlimited") return true;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
  return error == std::errc() && end == word.data() + word.size();
}

}  // namespace

DaemonView LookAtDaemon(const std::string& control) {
  DaemonView view;
  ControlClient client;
  if (const core::Status status = client.Connect(control); !status.ok()) {
    view.failure = status.message();
    view.forbidden = status.code() == core::StatusCode::kPermissionDenied;
    return view;
  }
  const core::Result<nlohmann::json> answer = client.Ask({{"command", "stats"}}, kDaemonSeconds);
  if (answer.ok() && client.Peer(&view.pid, &view.user)) {
    view.running = true;
    view.queued = answer->value("queued", int64_t{0});
    view.recovering = answer->value("recovering", int64_t{0}) != 0;
    // The group of the process: that of its directory in /proc.
    struct stat process = {};
    const std::string path = "/proc/" + std::to_string(view.pid);
    view.group = stat(path.c_str(), &process) == 0 ? process.st_gid : view.user;
  }
  if (!view.running) view.failure = answer.status().message();
  return view;
}

void CheckDaemon(const DaemonView& daemon, Report* report) {
  if (daemon.running) {
    report->Ok("outboxd", "runs as " + UserName(daemon.user) + ", process " +
                              std::to_string(daemon.pid) + ", " + std::to_string(daemon.queued) +
                              " recipients queued" +
                              (daemon.recovering ? ", still reading its spool" : ""));
    return;
  }
  if (daemon.forbidden) {
    report->Note("outboxd", daemon.failure, "Run the doctor as root or as outboxd's user.");
    return;
  }
  report->Note("outboxd", "is not running, or does not answer: " + daemon.failure);
}

std::optional<ProcessLimit> LimitOf(const std::string& limits, const std::string& name) {
  std::string_view rest = limits;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(name + " ")) continue;
    line.remove_prefix(name.size());
    ProcessLimit limit;
    if (TakeLimit(&line, &limit.soft) && TakeLimit(&line, &limit.hard)) return limit;
  }
  return std::nullopt;
}

std::string UserName(uint32_t user) {
  passwd entry = {};
  passwd* found = nullptr;
  std::array<char, 16384> buffer;
  const bool known =
      getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  const std::string number = "uid " + std::to_string(user);
  return known ? std::string(entry.pw_name) + " (" + number + ")" : number;
}

}  // namespace outbox::tools
