// `outbox talk`: what was said in recent attempts.
#include <cstdio>
#include <string>

#include "core/time.h"
#include "tools/moment.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

std::string TalkText(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? Harmless(found->get<std::string>())
                                                   : std::string();
}

// "0.012", seconds.
std::string TalkSeconds(long long ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", ms / 1000, ms % 1000);
  return text;
}

}  // namespace

// A line about the attempt, then the dialogue, each line behind the seconds since the first one.
std::string FormatTalk(const nlohmann::json& talk) {
  std::string out = FormatMoment(ParseLogTime(TalkText(talk, "time")), /*ms=*/true) + "  " +
                    TalkText(talk, "id") + "  " + TalkText(talk, "mailhost") + "  ";
  const bool failed = talk.value("failed", false);
  out += failed ? "failed: " + TalkText(talk, "outcome") : "delivered";
  out += ", after " + TalkSeconds(NumberOf(talk, "took_ms")) + " s\n";
  bool sent = false;  // the message
  const auto lines = talk.find("lines");
  if (lines == talk.end() || !lines->is_array() || lines->empty()) {
    return out + "    (nothing was said)\n";
  }
  for (const json& line : *lines) {
    const std::string who = TalkText(line, "who");
    const std::string text = TalkText(line, "text");
    std::string at = TalkSeconds(NumberOf(line, "ms"));
    at.insert(0, at.size() < 9 ? 9 - at.size() : 0, ' ');
    out += at + "  " + who + ": " + text;
    // With PIPELINING the next envelope is on its way before the message is answered.
    if (sent && who == "C" && text != "QUIT") out += "    (for the next message)";
    if (who == "C" && text.starts_with("(a message of ")) sent = true;
    out += "\n";
  }
  return out;
}

core::Status TalkCommand(ControlClient* client, const nlohmann::json& filter, bool json_lines) {
  nlohmann::json request = filter;
  request["command"] = "talk";
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  bool any = false;
  for (;;) {
    const core::Result<json> talk = client->Receive(kAnswerSeconds);
    if (!talk.ok()) return talk.status();
    if (talk->contains("end")) {
      const long long found = NumberOf(*talk, "found");
      const long long limit = filter.value("limit", 20LL);
      if (found > limit) {
        std::fprintf(stderr, "outbox: the newest %lld of %lld; --limit shows more\n", limit, found);
      }
      if (any) return core::OkStatus();
      std::fputs("outbox: no dialogue that is kept matches\n", stderr);
      return core::Status(core::StatusCode::kNotFound, "");
    }
    const std::string text =
        json_lines ? talk->dump() + "\n" : (any ? "\n" : "") + FormatTalk(*talk);
    any = true;
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
}

}  // namespace outbox::tools
