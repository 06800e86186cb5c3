#include "tools/doctor/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace outbox::tools {
namespace {

constexpr size_t kColumns = 96;
constexpr size_t kLevelColumns = 6;  // "fail" and two blanks
// A longer subject does not push the findings of the others to the right.
constexpr size_t kWhatColumnsMax = 40;

// Bytes of a stranger (TXT records) must not command a terminal.
std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const unsigned char octet = static_cast<unsigned char>(c);
    out += octet < 0x20 || octet == 0x7f ? '?' : c;
  }
  return out;
}

// Words up to the last column, each line behind `indent` blanks; the first line begins at `column`.
void AppendWrapped(std::string_view text, size_t indent, size_t column, std::string* out) {
  bool first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (!first && column + 1 + end > kColumns) {
      *out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      *out += ' ';
      ++column;
    }
    *out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
    first = false;
  }
  *out += '\n';
}

size_t WhatColumns(const Report& report, const std::string& group) {
  size_t columns = 0;
  for (const Finding& finding : report.findings()) {
    if (finding.group != group || finding.what.size() > kWhatColumnsMax) continue;
    columns = std::max(columns, finding.what.size());
  }
  return columns;
}

std::string Counted(size_t count, const char* one, const char* more) {
  return std::to_string(count) + " " + (count == 1 ? one : more);
}

}  // namespace

const char* LevelName(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kNote:
      return "note";
    case Level::kWarn:
      return "warn";
    case Level::kFail:
      return "fail";
  }
  return "?";
}

size_t Report::Count(Level level) const {
  return static_cast<size_t>(
      std::count_if(findings_.begin(), findings_.end(),
                    [level](const Finding& finding) { return finding.level == level; }));
}

std::string FormatReport(const Report& report) {
  std::string out;
  std::string group;
  size_t columns = 0;
  for (const Finding& finding : report.findings()) {
    if (finding.group != group) {
      group = finding.group;
      columns = WhatColumns(report, group);
      out += group + "\n";
    }
    std::string level = LevelName(finding.level);
    level.resize(kLevelColumns, ' ');
    std::string what = Printable(finding.what);
    what.resize(std::max(columns, what.size()), ' ');
    out += "  " + level + what + "  ";
    const size_t column = 2 + kLevelColumns + what.size() + 2;
    AppendWrapped(Printable(finding.finding), 2 + kLevelColumns + columns + 2, column, &out);
    if (finding.fix.empty()) continue;
    out += std::string(2 + kLevelColumns, ' ') + "-> ";
    AppendWrapped(Printable(finding.fix), 2 + kLevelColumns + 3, 2 + kLevelColumns + 3, &out);
  }
  if (!out.empty()) out += "\n";
  out += std::to_string(report.Count(Level::kOk)) + " ok, " +
         Counted(report.Count(Level::kNote), "note", "notes") + ", " +
         Counted(report.Count(Level::kWarn), "warning", "warnings") + ", " +
         std::to_string(report.Count(Level::kFail)) + " failed\n";
  return out;
}

std::string FormatReportJson(const Report& report) {
  std::string out;
  for (const Finding& finding : report.findings()) {
    nlohmann::ordered_json line;
    line["group"] = finding.group;
    line["level"] = LevelName(finding.level);
    line["what"] = finding.what;
    line["finding"] = finding.finding;
    if (!finding.fix.empty()) line["fix"] = finding.fix;
    out += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace outbox::tools
