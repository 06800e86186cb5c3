// `outbox retry` and `outbox remove`.
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
  if (found == 0) return "nothing in the queue matches\n";
  return Recipients(found) + (found == 1 ? " waits" : " wait") +
         " no longer; where the host had failed, one message goes first\n";
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
      const std::string text =
          std::string(command) == "retry" ? RetryText(*line) : RemoveText(*line);
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
