// `outbox log --follow`.
#include <algorithm>
#include <cstdio>
#include <string>

#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

// No event for so long is nothing unusual.
constexpr int kPatienceSeconds = 365 * 86400 / 1000;

std::string Value(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

// "20:16:00.123 1K0WCJNDQSZ00 deferred recipient=... reply=...", then the dialogue, indented.
std::string FormatEvent(const nlohmann::json& event) {
  if (event.contains("lost")) return "(" + event["lost"].dump() + " lines were lost)\n";
  std::string time = event.value("time", std::string());
  if (time.size() > 12) time = time.substr(11, 12);
  std::string id = event.value("id", std::string());
  id.resize(13, ' ');
  std::string line = time + " " + id + " " + event.value("event", std::string("?"));
  std::string talk;
  for (const auto& [name, value] : event.items()) {
    if (name == "time" || name == "id" || name == "event") continue;
    if (name == "talk") {
      talk = Value(value);
      continue;
    }
    const std::string text = Value(value);
    const bool quoted = value.is_string() && text.find(' ') != std::string::npos;
    line += " " + name + "=" + (quoted ? "\"" + text + "\"" : text);
  }
  line = Harmless(line) + "\n";
  for (size_t at = 0; at < talk.size();) {
    const size_t newline = std::min(talk.find('\n', at), talk.size());
    line += Harmless("    " + talk.substr(at, newline - at)) + "\n";
    at = newline + 1;
  }
  return line;
}

core::Status LogCommand(ControlClient* client, const nlohmann::json& filter, bool json) {
  nlohmann::json request = filter;
  request["command"] = "log";
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  for (;;) {
    const core::Result<nlohmann::json> event = client->Receive(kPatienceSeconds);
    if (!event.ok()) return event.status();
    if (event->contains("end")) return core::OkStatus();
    if (event->contains("following")) continue;
    const std::string text = json ? event->dump() + "\n" : FormatEvent(*event);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0) return core::OkStatus();
  }
}

}  // namespace outbox::tools
