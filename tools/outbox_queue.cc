// `outbox queue`.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"

namespace outbox::tools {
namespace {

std::string Cell(const nlohmann::json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || found->is_null()) return "-";
  if (found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    return text.empty() ? "-" : text;
  }
  return found->dump();
}

std::string NextTry(const nlohmann::json& line) {
  const auto found = line.find("next_attempt");
  if (found == line.end() || !found->is_number()) return Cell(line, "next_attempt");
  const double wait = found->get<double>() - static_cast<double>(std::time(nullptr));
  return wait <= 0 ? "now" : "in " + FormatDuration(wait);
}

TextTable::Row MakeRow(const nlohmann::json& line) {
  const auto age = line.find("age_seconds");
  const bool has_age = age != line.end() && age->is_number();
  std::string sender = Cell(line, "sender");
  if (sender == "-") sender = "<>";
  return {Cell(line, "id"),
          Cell(line, "state"),
          has_age ? FormatDuration(age->get<double>()) : "-",
          Cell(line, "attempts"),
          NextTry(line),
          sender + " -> " + Cell(line, "recipient"),
          Cell(line, "mailhost"),
          Cell(line, "last_reply")};
}

// What the list leaves out; to standard error, so that the lines stay a list for other programs.
void PrintGaps(const nlohmann::json& end) {
  if (const long long unreadable = Count(end, "unreadable"); unreadable > 0) {
    std::fprintf(
        stderr,
        "outbox: %lld more recipients may be meant, whose messages cannot be read from the "
        "spool (see the log)\n",
        unreadable);
  }
  if (Count(end, "recovering") > 0) {
    std::fputs("outbox: the spool is still being read after the start: there may be more\n",
               stderr);
  }
}

}  // namespace

std::string FormatDuration(double seconds) {
  const auto whole = static_cast<long long>(std::max(seconds, 0.0));
  char text[48];
  if (whole < 60) {
    std::snprintf(text, sizeof text, "%llds", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lldm%02llds", whole / 60, whole % 60);
  } else if (whole < 86400) {
    std::snprintf(text, sizeof text, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
  } else {
    std::snprintf(text, sizeof text, "%lldd%02lldh", whole / 86400, whole / 3600 % 24);
  }
  return text;
}

core::Status QueueCommand(ControlClient* client, const nlohmann::json& filter, bool json) {
  nlohmann::json request = filter;
  request["command"] = "queue";
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  TextTable table(
      {"ID", "STATE", "AGE", "TRIES", "NEXT TRY", "RECIPIENT", "MAILHOST", "LAST REPLY"});
  bool any = false;
  for (;;) {
    const core::Result<nlohmann::json> line = client->Receive(kAnswerSeconds);
    if (!line.ok()) {
      table.End();
      return line.status();
    }
    if (line->contains("end")) {
      table.End();
      if (!any && !json) {
        std::puts(filter.empty() ? "The queue is empty." : "Nothing that is queued matches.");
      }
      PrintGaps(*line);
      return core::OkStatus();
    }
    any = true;
    if (json) {
      const std::string text = line->dump() + "\n";
      std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
      table.Add(MakeRow(*line));
    }
  }
}

}  // namespace outbox::tools
