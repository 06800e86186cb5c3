// `outbox retry`, `remove`, `hold` and `release`.
#include <cstdio>
#include <string>

#include "tools/outbox_commands.h"

namespace outbox::tools {
namespace {

// How long an attempt may take before it is over: the longest timeouts of SMTP (RFC 5321 4.5.3.2).
constexpr int kAttemptSeconds = 3600;

std::string Recipients(long long count) {
  return std::to_string(count) + (count == 1 ? " recipient" : " recipients");
}

std::string RetryText(const nlohmann::json& line) {
  const long long found = Count(line, "found");
  const long long held = Count(line, "held");
  if (found == 0) return "nothing in the queue matches\n";
  std::string text;
  if (found > held) text = Recipients(found - held) + (found - held == 1 ? " goes now" : " go now");
  if (held > 0) {
    text += (text.empty() ? "" : "; ") + Recipients(held) + (held == 1 ? " is" : " are") +
            " held: outbox release lets go";
  }
  return text + "\n";
}

std::string HoldText(const nlohmann::json& line) {
  if (Count(line, "found") == 0) return "nothing in the queue matches\n";
  std::string text = Recipients(Count(line, "done")) + " held";
  if (const long long waiting = Count(line, "waiting"); waiting > 0) {
    text += "; " + Recipients(waiting) + " being sent at this moment, held if that fails";
  }
  return text + "\n";
}

std::string ReleaseText(const nlohmann::json& line) {
  if (Count(line, "found") == 0) return "nothing that is held matches\n";
  return Recipients(Count(line, "done")) + " released\n";
}

std::string RemoveText(const nlohmann::json& line) {
  if (Count(line, "found") == 0) return "nothing in the queue matches\n";
  std::string text = Recipients(Count(line, "done")) + " removed";
  if (const long long unreadable = Count(line, "unreadable"); unreadable > 0) {
    text += "; " + std::to_string(unreadable) + " cannot be read from the spool (see the log)";
  }
  if (const long long kept = Count(line, "kept"); kept > 0) {
    text += "; " + std::to_string(kept) + " had been delivered or returned before";
  }
  if (const long long waiting = Count(line, "waiting"); waiting > 0) {
    text += "; " + std::to_string(waiting) + " still queued, since outboxd stops";
  }
  return text + "\n";
}

std::string ActText(const std::string& command, const nlohmann::json& line) {
  if (command == "retry") return RetryText(line);
  if (command == "hold") return HoldText(line);
  return command == "release" ? ReleaseText(line) : RemoveText(line);
}

}  // namespace

core::Status ActCommand(ControlClient* client, const char* command, const nlohmann::json& filter,
                        bool json) {
  nlohmann::json request = filter;
  request["command"] = command;
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  for (;;) {
    const core::Result<nlohmann::json> line = client->Receive(kAttemptSeconds);
    if (!line.ok()) return line.status();
    if (json) {
      std::printf("%s\n", line->dump().c_str());
    } else if (line->contains("end")) {
      const std::string text = ActText(command, *line);
      std::fputs(text.c_str(), stdout);
    } else {
      std::fprintf(stderr,
                   "%s being sent at this moment; waiting for the outcome (interrupt to leave: "
                   "what is not delivered is removed all the same)\n",
                   Recipients(Count(*line, "waiting")).c_str());
    }
    if (line->contains("end")) {
      return Count(*line, "found") > 0
                 ? core::OkStatus()
                 : core::Status(core::StatusCode::kNotFound, json ? "nothing matches" : "");
    }
  }
}

}  // namespace outbox::tools
