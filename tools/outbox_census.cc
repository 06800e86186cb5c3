#include "tools/outbox_census.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

std::string Name(const json& group, const std::string& by) {
  const std::string name = TextOf(group, "group");
  if (!name.empty()) return name;
  return by == "sender" ? "<>" : "-";
}

TextTable::Row GroupRow(const std::string& name, const json& group) {
  return {FormatCount(NumberOf(group, "recipients")),
          FormatBytes(static_cast<double>(NumberOf(group, "bytes"))),
          FormatDuration(static_cast<double>(NumberOf(group, "oldest_seconds"))), name};
}

// The rest of the groups; empty for none.
std::string OthersName(const json& end) {
  if (NumberOf(end.value("others", json::object()), "recipients") == 0) return "";
  const int64_t others = NumberOf(end, "groups") - NumberOf(end, "shown");
  return others > 0 ? "(" + FormatCount(others) + " others)" : "(others)";
}

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

TextTable::Row ShapeRow(const std::string& name, const json& group) {
  TextTable::Row row = {name, std::to_string(NumberOf(group, "recipients"))};
  for (const json& age : group.value("ages", json::array())) row.push_back(age.dump());
  return row;
}

}  // namespace

std::string FormatGroups(const std::vector<json>& lines, const json& end, const std::string& by) {
  std::string out;
  TextTable table({"RECIPIENTS", "SIZE", "OLDEST", Upper(by)});
  for (size_t column = 0; column < 3; ++column) table.AlignRight(column);
  table.SetOutput(&out);
  for (const json& line : lines) table.Add(GroupRow(Name(line, by), line));
  const std::string others = OthersName(end);
  if (!others.empty()) table.Add(GroupRow(others, end["others"]));
  table.Add(GroupRow("(all)", end));
  table.End();
  return out;
}

// As qshape(1): the columns are ages in minutes, from the one before on.
std::string FormatShape(const std::vector<json>& lines, const json& end) {
  std::string out;
  TextTable table({"", "T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"});
  for (size_t column = 0; column < 12; ++column) table.AlignRight(column);
  table.SetOutput(&out);
  table.Add(ShapeRow("TOTAL", end));
  for (const json& line : lines) table.Add(ShapeRow(Name(line, ""), line));
  const std::string others = OthersName(end);
  if (!others.empty()) table.Add(ShapeRow(others, end["others"]));
  table.End();
  return out;
}

void PrintGaps(const json& end) {
  if (const int64_t unreadable = NumberOf(end, "unreadable"); unreadable > 0) {
    std::fprintf(stderr,
                 "outbox: %s more recipients may be meant, whose messages cannot be read from the "
                 "spool (see the log)\n",
                 FormatCount(unreadable).c_str());
  }
  if (NumberOf(end, "recovering") > 0) {
    std::fputs("outbox: the spool is still being read after the start: there may be more\n",
               stderr);
  }
  if (const int64_t purged = NumberOf(end, "purged"); purged > 0) {
    const int64_t left = NumberOf(end, "purged_until") - std::time(nullptr);
    std::fprintf(stderr,
                 "outbox: %s %s purged, and not among them (--state purged shows them): outbox "
                 "undo takes them back, for %s%s\n",
                 Counted(purged, "recipient", "recipients").c_str(), purged == 1 ? "is" : "are",
                 FormatDuration(static_cast<double>(left)).c_str(),
                 purged == 1 ? "" : " or longer");
  }
}

core::Status PrintCensus(ControlClient* client, const std::string& by, bool shape, bool as_json) {
  std::vector<json> lines;
  for (;;) {
    core::Result<json> line = client->Receive(kAnswerSeconds);
    if (!line.ok()) return line.status();
    const bool end = line->contains("end");
    if (as_json) std::printf("%s\n", line->dump().c_str());
    if (!end) {
      lines.push_back(std::move(*line));
      continue;
    }
    PrintGaps(*line);
    if (as_json) return core::OkStatus();
    std::string text;
    if (shape) {
      text = FormatShape(lines, *line);
    } else if (!by.empty()) {
      text = FormatGroups(lines, *line, by);
    } else {
      text = std::to_string(NumberOf(*line, "recipients")) + "\n";
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    return core::OkStatus();
  }
}

}  // namespace outbox::tools
