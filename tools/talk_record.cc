#include "tools/talk_record.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/time.h"
#include "core/time_format.h"
#include "queue/message_id.h"
#include "tools/moment.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kRcpt = "rcpt to:<";

bool Contains(const std::string& text, const std::string& lower_part) {
  return core::ToLower(text).find(lower_part) != std::string::npos;
}

// A recipient that the attempt was for has this domain.
bool IsForDomain(const TalkRecord& record, const std::string& domain) {
  const std::string mx = "mx:" + domain;
  if (record.destination == mx ||
      (record.destination.starts_with(mx) &&
       std::string_view(":@#").find(record.destination[mx.size()]) != std::string_view::npos)) {
    return true;
  }
  return std::any_of(record.lines.begin(), record.lines.end(), [&](const TalkRecord::Line& line) {
    if (line.who != 'C') return false;
    const std::string text = core::ToLower(line.text);
    return text.starts_with(kRcpt) &&
           core::AddressKey(text.substr(0, text.find('>'))).ends_with("@" + domain);
  });
}

// Times of the session become times of the record.
void Settle(int64_t end_ms, int64_t session_ms, TalkRecord* record) {
  record->end_ms = end_ms;
  const int64_t first = record->lines.empty() ? session_ms : record->lines.front().ms;
  record->begin_ms = end_ms - std::max<int64_t>(0, session_ms - first);
  for (TalkRecord::Line& line : record->lines) line.ms -= first;
}

std::string TextOf(const nlohmann::json& from, const char* member) {
  const auto found = from.find(member);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "120 S 250 ok".
bool ParseLine(std::string_view text, TalkRecord::Line* line) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), line->ms);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.size() < 3 || text[0] != ' ' || text[2] != ' ') return false;
  line->who = text[1];
  line->text = text.substr(3);
  return true;
}

std::string TimeText(int64_t ms) {
  std::array<char, core::kRfc3339Bytes> buffer;
  return std::string(core::FormatRfc3339(ms * core::kNsPerMs, buffer));
}

}  // namespace

bool TalkFilter::Wants(const TalkRecord& record) const {
  if (failed && !record.failed) return false;
  if (!id.empty() && record.id != id) return false;
  if (record.end_ms < since_ms || record.begin_ms > until_ms) return false;
  if (!host.empty() && !Contains(record.mailhost, host)) return false;
  if (!reply.empty() && !Contains(record.outcome, reply) &&
      std::none_of(record.lines.begin(), record.lines.end(), [this](const TalkRecord::Line& line) {
        return line.who == 'S' && Contains(line.text, reply);
      })) {
    return false;
  }
  return domain.empty() || IsForDomain(record, domain);
}

TalkRecord TalkFromRing(const queue::TalkFacts& facts, std::string_view lines) {
  TalkRecord record;
  record.id = queue::FormatMessageId(facts.message_id);
  record.failed = facts.failed;
  record.destination = facts.destination;
  record.mailhost = facts.mailhost;
  record.outcome = facts.outcome;
  smtp::DialogueReader reader(lines);
  for (smtp::DialogueReader::Line line; reader.Next(&line);) {
    record.lines.push_back({line.at_ms, line.who, std::string(line.text)});
  }
  Settle(facts.wall_ns / core::kNsPerMs, facts.session_ms, &record);
  return record;
}

std::optional<TalkRecord> TalkFromDisk(std::string_view text) {
  const nlohmann::json event =
      nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return std::nullopt;
  TalkRecord record;
  record.id = TextOf(event, "id");
  record.failed = true;
  record.destination = TextOf(event, "destination");
  record.mailhost = TextOf(event, "mailhost");
  record.outcome = TextOf(event, "outcome");
  const int64_t end_ms = ParseLogTime(TextOf(event, "time")) / core::kNsPerMs;
  const auto age = event.find("session_ms");
  if (record.id.empty() || end_ms == 0 || age == event.end() || !age->is_number_unsigned()) {
    return std::nullopt;
  }
  const std::string lines = TextOf(event, "lines");
  for (size_t at = 0; at < lines.size();) {
    const size_t newline = std::min(lines.find('\n', at), lines.size());
    TalkRecord::Line line;
    if (ParseLine(std::string_view(lines).substr(at, newline - at), &line)) {
      record.lines.push_back(std::move(line));
    }
    at = newline + 1;
  }
  Settle(end_ms, age->get<int64_t>(), &record);
  return record;
}

nlohmann::ordered_json TalkToJson(const TalkRecord& record) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const TalkRecord::Line& line : record.lines) {
    lines.push_back({{"ms", line.ms}, {"who", std::string(1, line.who)}, {"text", line.text}});
  }
  nlohmann::ordered_json out = {{"time", TimeText(record.begin_ms)},
                                {"id", record.id},
                                {"mailhost", record.mailhost},
                                {"destination", record.destination},
                                {"failed", record.failed}};
  if (record.failed) out["outcome"] = record.outcome;
  out["took_ms"] = record.end_ms - record.begin_ms;
  out["lines"] = std::move(lines);
  return out;
}

}  // namespace outbox::tools
