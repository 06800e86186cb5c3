#include "tools/queue_json.h"

#include <algorithm>
#include <charconv>

#include "core/time.h"
#include "queue/message_id.h"

namespace outbox::tools {
namespace {

using queue::QueueColumn;

void AppendNumber(int64_t number, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

void AppendTextOrNull(std::string_view text, std::string* out) {
  if (text.empty()) {
    out->append("null");
  } else {
    AppendJsonString(text, out);
  }
}

void AppendValue(const queue::QueueLine& line, QueueColumn column, std::string* out) {
  switch (column) {
    case QueueColumn::kId:
      return AppendJsonString(queue::FormatMessageId(line.id), out);
    case QueueColumn::kState:
      return AppendJsonString(queue::RecipientStateName(line.state), out);
    case QueueColumn::kAge:
      return AppendNumber(line.age_ns / core::kNsPerSecond, out);
    case QueueColumn::kTries:
      return AppendNumber(line.attempts, out);
    case QueueColumn::kNext:
      if (line.next_attempt_wall_ns == 0) {
        out->append("null");
        return;
      }
      return AppendNumber(line.next_attempt_wall_ns / core::kNsPerSecond, out);
    case QueueColumn::kSender:
      return AppendJsonString(line.sender, out);
    case QueueColumn::kRecipient:
      return AppendJsonString(line.recipient, out);
    case QueueColumn::kDomain:
      return AppendJsonString(line.domain, out);
    case QueueColumn::kMailhost:
      return AppendTextOrNull(line.mailhost, out);
    case QueueColumn::kSize:
      return AppendNumber(static_cast<int64_t>(line.size), out);
    case QueueColumn::kReply:
      return AppendTextOrNull(line.last_reply, out);
    case QueueColumn::kRoute:
      return AppendTextOrNull(line.route, out);
    case QueueColumn::kSource:
      return AppendTextOrNull(line.source, out);
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c != 0x7f && c != '"' && c != '\\';
  });
  if (!plain) {
    out->append(nlohmann::json(std::string(text))
                    .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  out->push_back('"');
  out->append(text);
  out->push_back('"');
}

void AppendQueueLine(const queue::QueueLine& line, queue::QueueColumns columns, std::string* out) {
  out->append("{\"id\":");
  AppendValue(line, QueueColumn::kId, out);
  for (const queue::QueueColumnInfo& info : queue::QueueColumnTable()) {
    if (info.column == QueueColumn::kId || (columns & ColumnBit(info.column)) == 0) continue;
    out->append(",\"");
    out->append(info.member);
    out->append("\":");
    AppendValue(line, info.column, out);
  }
  out->append("}\n");
}

nlohmann::json QueueLineJson(const queue::QueueLine& line) {
  std::string text;
  AppendQueueLine(line, queue::kAllQueueColumns, &text);
  return nlohmann::json::parse(text);
}

}  // namespace outbox::tools
