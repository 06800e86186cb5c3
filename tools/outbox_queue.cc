// `outbox queue`: the list. outbox_census.cc has the numbers.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "tools/event_fields.h"
#include "tools/outbox_census.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

struct Column {
  std::string_view name;
  std::string_view member;
  const char* title;
  bool groups;
};

constexpr Column kColumns[] = {
    {"id", "id", "ID", false},
    {"state", "state", "STATE", true},
    {"age", "age_seconds", "AGE", true},
    {"tries", "attempts", "TRIES", true},
    {"next", "next_attempt", "NEXT TRY", false},
    {"sender", "sender", "SENDER", true},
    {"recipient", "recipient", "RECIPIENT", false},
    {"domain", "domain", "DOMAIN", true},
    {"mailhost", "mailhost", "MAILHOST", true},
    {"size", "size", "SIZE", false},
    {"reply", "last_reply", "LAST REPLY", true},
    {"route", "route", "ROUTE", true},
    {"source", "source", "SOURCE", true},
};
// Of each line of a listing, and of nothing else in it.
constexpr std::string_view kRowStart = "{\"id\":";
constexpr char kUsual[] = "id,state,age,tries,next,sender,recipient,mailhost,reply";

const Column* Find(const std::string& name) {
  const auto* const found = std::find_if(std::begin(kColumns), std::end(kColumns),
                                         [&name](const Column& one) { return name == one.name; });
  return found == std::end(kColumns) ? nullptr : found;
}

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

std::vector<std::string> ColumnsOf(const QueueView& view) {
  if (!view.columns.empty()) return view.columns;
  const char* const set = std::getenv("OUTBOX_COLUMNS");
  std::vector<std::string> columns = Split(set == nullptr ? "" : set);
  return columns.empty() ? Split(kUsual) : columns;
}

// `cell` is written over, so that a million rows need no memory of their own.
void WriteCell(const EventFields& line, const Column& column, int64_t now_s, std::string* cell) {
  const std::string_view raw = line.Raw(column.member);
  if (raw.empty() || raw == "null") {
    cell->assign("-");
    return;
  }
  const std::string_view name = column.name;
  if (raw[0] == '"') {
    cell->clear();
    EventFields::AppendText(raw, cell);
    if (cell->empty()) cell->assign(name == "sender" ? "<>" : "-");
    return;
  }
  double number = 0;
  if (name == "age" || name == "size" || name == "next") {
    std::from_chars(raw.data(), raw.data() + raw.size(), number);
  }
  if (name == "age") {
    cell->assign(FormatDuration(number));
  } else if (name == "size") {
    cell->assign(FormatBytes(number));
  } else if (name == "next") {
    const double wait = number - static_cast<double>(now_s);
    cell->assign(wait <= 0 ? "now" : "in ");
    if (wait > 0) cell->append(FormatDuration(wait));
  } else {
    cell->assign(raw);
  }
}

// Only who sorts has looked at all of them; else the walk ends soon after the limit.
void PrintEnd(const nlohmann::json& end, bool sorted) {
  if (end.value("cut", false)) {
    std::fprintf(stderr, "outbox: %s of %s%s shown\n", FormatCount(NumberOf(end, "shown")).c_str(),
                 sorted ? "" : "at least ", FormatCount(NumberOf(end, "found")).c_str());
  }
  PrintGaps(end);
}

core::Status List(ControlClient* client, bool everything, bool sorted,
                  const std::vector<std::string>& names) {
  TextTable::Row titles;
  std::vector<const Column*> columns;
  for (const std::string& name : names) {
    columns.push_back(Find(name));
    titles.emplace_back(columns.back()->title);
  }
  TextTable table(titles);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (names[i] == "tries" || names[i] == "size") table.AlignRight(i);
  }
  if (UseColours()) {
    const auto state = std::find(names.begin(), names.end(), "state");
    table.SetColours(static_cast<size_t>(state - names.begin()), ColourOfState);
  }
  bool any = false;
  EventFields fields;
  TextTable::Row row(columns.size());
  for (;;) {
    const core::Result<std::string_view> line = client->ReceiveLine(kAnswerSeconds);
    if (line.ok() && line->starts_with(kRowStart)) {
      if (!fields.Parse(*line)) return client->Parse(*line).status();
      any = true;
      const std::time_t now_s = std::time(nullptr);
      for (size_t i = 0; i < columns.size(); ++i) WriteCell(fields, *columns[i], now_s, &row[i]);
      table.Add(row);
      continue;
    }
    table.End();
    if (!line.ok()) return line.status();
    const core::Result<nlohmann::json> end = client->Parse(*line);
    if (!end.ok()) return end.status();
    if (!any) std::puts(everything ? "The queue is empty." : "Nothing that is queued matches.");
    PrintEnd(*end, sorted);
    return core::OkStatus();
  }
}

// The lines go out as they come in; only the last one, or an error, is looked at.
core::Status ListJson(ControlClient* client, bool sorted) {
  for (;;) {
    const core::Result<std::string_view> line = client->ReceiveLine(kAnswerSeconds);
    if (!line.ok()) return line.status();
    if (line->starts_with(kRowStart)) {
      // With its LF, which lies behind it.
      fwrite_unlocked(line->data(), 1, line->size() + 1, stdout);
      continue;
    }
    const core::Result<nlohmann::json> end = client->Parse(*line);
    if (!end.ok()) return end.status();
    PrintEnd(*end, sorted);
    return core::OkStatus();
  }
}

}  // namespace

const std::vector<std::string>& QueueColumnNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Column& column : kColumns) all.emplace_back(column.name);
    return all;
  }();
  return names;
}

const std::vector<std::string>& QueueGroupNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Column& column : kColumns) {
      if (column.groups) all.emplace_back(column.name);
    }
    return all;
  }();
  return names;
}

core::Status CheckQueueView(const QueueView& view) {
  const auto bad = [](const std::string& what) {
    return core::Status(core::StatusCode::kInvalidArgument, what);
  };
  std::string known;
  for (const std::string& name : QueueColumnNames()) known += " " + name;
  const char* const where = view.columns.empty() ? "OUTBOX_COLUMNS" : "--columns";
  for (const std::string& name : ColumnsOf(view)) {
    if (Find(name) != nullptr) continue;
    return bad(std::string(where) + ": \"" + name + "\" is none of" + known);
  }
  const size_t colon = view.sort.find(':');
  const std::string order = colon == std::string::npos ? "asc" : view.sort.substr(colon + 1);
  if (!view.sort.empty() &&
      (Find(view.sort.substr(0, colon)) == nullptr || (order != "asc" && order != "desc"))) {
    return bad("--sort: expected COLUMN or COLUMN:desc, with one of" + known);
  }
  if (view.count && (view.shape || !view.by.empty())) {
    return bad("--count: not with --by and --shape, which count as well");
  }
  if (!view.sort.empty() && (view.count || view.shape || !view.by.empty())) {
    return bad("--sort: not with --count, --by or --shape");
  }
  return core::OkStatus();
}

core::Status QueueCommand(ControlClient* client, const nlohmann::json& filter,
                          const QueueView& view, bool json) {
  nlohmann::json request = filter;
  request["command"] = "queue";
  if (view.limit > 0) request["limit"] = view.limit;
  const bool census = view.count || view.shape || !view.by.empty();
  const std::string by = view.by.empty() && view.shape ? "domain" : view.by;
  if (!by.empty()) {
    request["by"] = by;
  } else if (view.count) {
    request["count"] = true;
  }
  const std::vector<std::string> names = ColumnsOf(view);
  if (!census && (!json || !view.columns.empty())) request["columns"] = names;
  if (!view.sort.empty()) {
    const size_t colon = view.sort.find(':');
    request["sort"] = view.sort.substr(0, colon);
    request["descending"] = view.sort.substr(std::min(colon, view.sort.size())) == ":desc";
  }
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  if (census) return PrintCensus(client, by, view.shape, json);
  const bool sorted = !view.sort.empty();
  return json ? ListJson(client, sorted) : List(client, filter.empty(), sorted, names);
}

}  // namespace outbox::tools
