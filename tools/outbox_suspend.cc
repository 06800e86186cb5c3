// `outbox suspend`, `resume` and `suspended`.
#include <cstdint>
#include <cstdio>
#include <string>

#include "tools/moment.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

std::string WhatOf(const json& suspension) {
  const bool site = suspension.contains("site");
  return (site ? "site " : "") + Harmless(TextOf(suspension, site ? "site" : "domain"));
}

std::string UntilText(const json& suspension) {
  const int64_t until = NumberOf(suspension, "until");
  return until == 0 ? "resumed" : MomentText(until);
}

}  // namespace

std::string FormatSuspensions(const json& answer) {
  const json all = answer.value("suspensions", json::array());
  if (all.empty()) return "nothing is suspended\n";
  std::string out;
  TextTable table({"WHAT", "SINCE", "UNTIL", "BY", "REASON"});
  table.SetOutput(&out);
  for (const json& one : all) {
    table.Add({WhatOf(one), MomentText(NumberOf(one, "since")), UntilText(one),
               Harmless(TextOf(one, "by")), Harmless(TextOf(one, "reason"))});
  }
  table.End();
  return out;
}

std::string FormatResumed(const json& answer) {
  std::string out;
  for (const json& one : answer.value("resumed", json::array())) {
    out += WhatOf(one) + " resumed; one message goes first\n";
  }
  for (const json& site : answer.value("lifted", json::array())) {
    if (site.is_string()) {
      out += "site " + Harmless(site.get<std::string>()) + ": what its replies had lowered ends\n";
    }
  }
  return out.empty() ? "nothing of that name is suspended\n" : out;
}

core::Status SuspendCommand(ControlClient* client, const json& what, bool as_json) {
  json request = what;
  request["command"] = "suspend";
  const core::Result<json> answer = client->Ask(request, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  if (as_json) {
    std::printf("%s\n", answer->dump().c_str());
    return core::OkStatus();
  }
  const json suspension = answer->value("suspended", json::object());
  const std::string text =
      WhatOf(suspension) + " is suspended until " +
      (NumberOf(suspension, "until") == 0 ? "it is resumed" : UntilText(suspension)) +
      (answer->value("replaced", false) ? ", instead of as before" : "") +
      "; what is under way ends\n";
  std::fputs(text.c_str(), stdout);
  return core::OkStatus();
}

core::Status ResumeCommand(ControlClient* client, const json& what, bool as_json) {
  json request = what;
  request["command"] = "resume";
  const core::Result<json> answer = client->Ask(request, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  const std::string text = as_json ? answer->dump() + "\n" : FormatResumed(*answer);
  std::fputs(text.c_str(), stdout);
  const bool nothing = answer->value("resumed", json::array()).empty() &&
                       answer->value("lifted", json::array()).empty();
  return nothing ? core::Status(core::StatusCode::kNotFound, "") : core::OkStatus();
}

core::Status SuspendedCommand(ControlClient* client, bool as_json) {
  const core::Result<json> answer = client->Ask({{"command", "suspended"}}, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  if (!as_json) {
    std::fputs(FormatSuspensions(*answer).c_str(), stdout);
    return core::OkStatus();
  }
  for (const json& one : answer->value("suspensions", json::array())) {
    std::printf("%s\n", one.dump().c_str());
  }
  return core::OkStatus();
}

void NoteSuspensions(ControlClient* client) {
  const core::Result<json> answer = client->Ask({{"command", "suspended"}}, kAnswerSeconds);
  if (!answer.ok()) return;  // the command's own answer is complete
  const json all = answer->value("suspensions", json::array());
  if (all.empty()) return;
  std::fflush(stdout);
  std::fprintf(
      stderr, "outbox: %s in force: mail for what is suspended waits (outbox suspended)\n",
      Counted(static_cast<int64_t>(all.size()), "suspension is", "suspensions are").c_str());
}

}  // namespace outbox::tools
