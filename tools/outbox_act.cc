// `outbox retry`, `remove`, `hold`, `release`, `undo`, `bounce`, `clear` and `reroute`;
// outbox_purge.cc has `purge`.
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

// How long an attempt may take before it is over: the longest timeouts of SMTP (RFC 5321 4.5.3.2).
constexpr int kAttemptSeconds = 3600;

std::string Recipients(int64_t count) { return Counted(count, "recipient", "recipients"); }

std::string RetryText(const nlohmann::json& line) {
  const int64_t found = NumberOf(line, "found");
  const int64_t held = NumberOf(line, "held");
  if (found == 0) return "nothing in the queue matches\n";
  const int64_t go = found - held;
  std::string text;
  if (go > 0) {
    text = Recipients(go) + (go == 1 ? " waits" : " wait") +
           " no longer; where the host had failed, one message goes first";
  }
  if (held > 0) {
    text += (text.empty() ? "" : "; ") + Recipients(held) + (held == 1 ? " is" : " are") +
            " held: outbox release lets go";
  }
  return text + "\n";
}

std::string HoldText(const nlohmann::json& line) {
  if (NumberOf(line, "found") == 0) return "nothing in the queue matches\n";
  std::string text = Recipients(NumberOf(line, "done")) + " held";
  if (const int64_t waiting = NumberOf(line, "waiting"); waiting > 0) {
    text += "; " + Recipients(waiting) + " being sent at this moment, held if that fails";
  }
  return text + "\n";
}

std::string ReleaseText(const nlohmann::json& line) {
  if (NumberOf(line, "found") == 0) return "nothing that is held matches\n";
  return Recipients(NumberOf(line, "done")) + " released\n";
}

std::string UndoText(const nlohmann::json& line) {
  if (NumberOf(line, "found") == 0) return "nothing that is purged matches\n";
  const int64_t done = NumberOf(line, "done");
  return Recipients(done) + (done == 1 ? " is back, and goes" : " are back, and go") +
         " on as before\n";
}

// `what` has become of them.
std::string EndText(const nlohmann::json& line, const char* what) {
  if (NumberOf(line, "found") == 0) return "nothing in the queue matches\n";
  std::string text = Recipients(NumberOf(line, "done")) + " " + what;
  if (const int64_t unreadable = NumberOf(line, "unreadable"); unreadable > 0) {
    text += "; " + std::to_string(unreadable) + " cannot be read from the spool (see the log)";
  }
  if (const int64_t kept = NumberOf(line, "kept"); kept > 0) {
    text += "; " + std::to_string(kept) + " had been delivered or returned before";
  }
  if (const int64_t waiting = NumberOf(line, "waiting"); waiting > 0) {
    text += "; " + std::to_string(waiting) + " still queued, since outboxd stops";
  }
  if (const int64_t seconds = NumberOf(line, "undo_seconds"); seconds > 0) {
    text += "; outbox undo takes that back for " + FormatDuration(static_cast<double>(seconds));
  }
  return text + "\n";
}

// Of those that wait for the end of their attempt, for who does not wait.
const char* Outcome(const std::string& command) {
  if (command == "remove") return "removed";
  if (command == "bounce") return "returned";
  if (command == "purge") return "purged";
  return command == "hold" ? "held" : "routed again";
}

// They wait for the disk as well, which is short and not told: another envelope, a notice.
bool WaitsForMore(const std::string& command) {
  return command == "clear" || command == "reroute" || command == "bounce";
}

const char* WaitsFor(const std::string& command) {
  return WaitsForMore(command)
             ? "not done yet; waiting for the end of their attempt"
             : "being sent at this moment; waiting for the outcome";
}

std::string ActText(const std::string& command, const nlohmann::json& request,
                    const nlohmann::json& line) {
  if (command == "clear" || command == "reroute") {
    return RedirectText(command, request.value("dry_run", false), line);
  }
  if (command == "retry") return RetryText(line);
  if (command == "hold") return HoldText(line);
  if (command == "release") return ReleaseText(line);
  if (command == "undo") return UndoText(line);
  if (command == "bounce") return EndText(line, "returned to the sender");
  // Without a time for undo that is the same.
  return EndText(line, NumberOf(line, "undo_seconds") > 0 ? "purged" : "removed");
}

}  // namespace

core::Status ActCommand(ControlClient* client, const char* command, const nlohmann::json& filter,
                        bool json) {
  nlohmann::json request = filter;
  request["command"] = command;
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  std::string notice;
  for (;;) {
    const core::Result<nlohmann::json> line =
        client->Receive(notice.empty() ? kAttemptSeconds : WaitsForMore(command) ? 1 : 0);
    if (line.status().code() == core::StatusCode::kUnavailable && !notice.empty()) {
      std::fputs(std::exchange(notice, "").c_str(), stderr);
      continue;
    }
    if (!line.ok()) return line.status();
    if (json) {
      std::printf("%s\n", line->dump().c_str());
    } else if (line->contains("end")) {
      const std::string text = ActText(command, request, *line);
      std::fputs(text.c_str(), stdout);
    } else {
      notice = Recipients(NumberOf(*line, "waiting")) + " " + WaitsFor(command) +
               " (interrupt to leave: what is not delivered is " + Outcome(command) +
               " all the same)\n";
    }
    if (line->contains("end")) {
      return NumberOf(*line, "found") > 0
                 ? core::OkStatus()
                 : core::Status(core::StatusCode::kNotFound, json ? "nothing matches" : "");
    }
  }
}

}  // namespace outbox::tools
