// `outbox queue`.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "tools/outbox_commands.h"

namespace outbox::tools {
namespace {

// Rows that are looked at before the widths of the columns are chosen. Later rows keep the widths,
// so that a long queue streams.
constexpr size_t kRowsForWidths = 500;
constexpr size_t kColumns = 8;
constexpr size_t kWidthMax = 48;  // wider cells push the rest of their row, they are not cut

using Row = std::array<std::string, kColumns>;

const Row& Titles() {
  static const Row titles = {"ID",       "STATE",     "AGE",      "TRIES",
                             "NEXT TRY", "RECIPIENT", "MAILHOST", "LAST REPLY"};
  return titles;
}

std::string Text(const nlohmann::json& line, const char* name) {
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
  if (found == line.end() || !found->is_number()) return Text(line, "next_attempt");
  const double wait = found->get<double>() - static_cast<double>(std::time(nullptr));
  return wait <= 0 ? "now" : "in " + FormatDuration(wait);
}

Row MakeRow(const nlohmann::json& line) {
  const auto age = line.find("age_seconds");
  const bool has_age = age != line.end() && age->is_number();
  std::string sender = Text(line, "sender");
  if (sender == "-") sender = "<>";
  return {Text(line, "id"),
          Text(line, "state"),
          has_age ? FormatDuration(age->get<double>()) : "-",
          Text(line, "attempts"),
          NextTry(line),
          sender + " -> " + Text(line, "recipient"),
          Text(line, "mailhost"),
          Text(line, "last_reply")};
}

// Prints rows as they come, once the first ones have told how wide the columns are.
class Table {
 public:
  void Add(Row row) {
    if (streaming_) {
      Print(row);
      return;
    }
    rows_.push_back(std::move(row));
    if (rows_.size() == kRowsForWidths) StartStreaming();
  }
  void End() {
    if (!streaming_ && !rows_.empty()) StartStreaming();
  }

 private:
  void StartStreaming() {
    streaming_ = true;
    for (size_t column = 0; column < kColumns; ++column) {
      widths_[column] = Titles()[column].size();
      for (const Row& row : rows_) widths_[column] = std::max(widths_[column], row[column].size());
      widths_[column] = std::min(widths_[column], kWidthMax);
    }
    Print(Titles());
    for (const Row& row : rows_) Print(row);
    rows_.clear();
  }
  void Print(const Row& row) const {
    std::string text;
    for (size_t column = 0; column < kColumns; ++column) {
      text += row[column];
      if (column + 1 == kColumns) break;
      const size_t width = widths_[column];
      text.append(row[column].size() < width ? width - row[column].size() + 2 : 2, ' ');
    }
    text.push_back('\n');
    std::fwrite(text.data(), 1, text.size(), stdout);
  }

  std::vector<Row> rows_;
  std::array<size_t, kColumns> widths_ = {};
  bool streaming_ = false;
};

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

core::Status QueueCommand(ControlClient* client, bool json) {
  const core::Status sent = client->Send({{"command", "queue"}});
  if (!sent.ok()) return sent;
  Table table;
  for (;;) {
    const core::Result<nlohmann::json> line = client->Receive(kAnswerSeconds);
    if (!line.ok()) {
      table.End();
      return line.status();
    }
    if (line->contains("end")) break;
    if (json) {
      const std::string text = line->dump() + "\n";
      std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
      table.Add(MakeRow(*line));
    }
  }
  table.End();
  return core::OkStatus();
}

}  // namespace outbox::tools
