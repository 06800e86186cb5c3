#include "core/config_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/byte_size.h"
#include "core/duration.h"
#include "core/limits.h"
#include "core/time.h"

namespace outbox::core {
namespace {

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// The number of single letters to add, drop or change to come from one word to the other
// (Levenshtein).
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// The known key that the unknown one was probably meant to be, or "".
std::string_view Nearest(std::string_view unknown, const std::vector<std::string_view>& known) {
  constexpr size_t kLongestKey = 64;  // a longer one is not a slip of the pen
  std::string_view nearest;
  size_t best = unknown.size() / 3 + 2;
  if (unknown.size() > kLongestKey) return nearest;
  for (const std::string_view key : known) {
    const size_t distance = EditDistance(unknown, key);
    if (distance < best && distance < key.size()) {
      best = distance;
      nearest = key;
    }
  }
  return nearest;
}

}  // namespace

void ConfigProblems::Add(TomlPosition position, std::string text) {
  if (problems_.size() < kKeptMax)
    problems_.push_back({position, problems_.size(), std::move(text)});
}

void ConfigProblems::Expect(const ConfigText& at, std::string_view what,
                            std::string_view expected) {
  std::string text = "\"" + at.text + "\" ";
  text.append(what).append("; expected ").append(expected);
  Add(at.position, std::move(text));
}

std::vector<std::string> ConfigProblems::Lines(std::string_view file, size_t max) {
  std::sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.position, a.number) < std::tie(b.position, b.number);
  });
  std::vector<std::string> lines;
  for (const Problem& problem : problems_) {
    if (lines.size() == max) break;
    std::string& line = lines.emplace_back(file);
    line.append(":").append(std::to_string(problem.position.line));
    line.append(":").append(std::to_string(problem.position.column));
    line.append(": ").append(problem.text);
  }
  return lines;
}

std::optional<TomlValue> ParseConfigToml(std::string_view text, ConfigProblems* problems) {
  if (text.size() > kConfigFileBytes) {
    problems->Add({}, "the file has " + FormatByteSize(text.size()) + "; expected at most " +
                          FormatByteSize(kConfigFileBytes));
    return std::nullopt;
  }
  TomlResult toml = ParseToml(text);
  if (!toml.ok()) {
    problems->Add(toml.error_position, toml.error + "; expected TOML");
    return std::nullopt;
  }
  return std::move(toml.root);
}

const TomlValue* ConfigReader::Find(std::string_view key) const {
  for (const TomlValue& member : table_.items) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

const TomlValue* ConfigReader::Ask(std::string_view key) {
  known_.push_back(key);
  return Find(key);
}

TomlPosition ConfigReader::PositionOf(std::string_view key) const {
  const TomlValue* value = Find(key);
  return value == nullptr ? table_.position : value->position;
}

void ConfigReader::WrongKind(const TomlValue& value, std::string_view expected) {
  problems_->Add(value.position, Quoted(value.key) + " is " + TomlKindName(value.kind) +
                                     "; expected " + std::string(expected));
}

bool ConfigReader::Text(std::string_view key, ConfigText* target) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  if (value->kind != TomlValue::Kind::kString) {
    WrongKind(*value, "a string");
    return false;
  }
  *target = {value->string, value->position};
  return true;
}

bool ConfigReader::Boolean(std::string_view key, bool* target) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  if (value->kind != TomlValue::Kind::kBoolean) {
    WrongKind(*value, "true or false");
    return false;
  }
  *target = value->integer != 0;
  return true;
}

bool ConfigReader::Integer(std::string_view key, uint32_t min, uint32_t max, uint32_t* target) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  const std::string expected =
      "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  if (value->kind != TomlValue::Kind::kInteger) {
    WrongKind(*value, expected);
    return false;
  }
  if (value->integer < min || value->integer > max) {
    problems_->Add(value->position, Quoted(key) + " is " + std::to_string(value->integer) +
                                        "; expected " + expected);
    return false;
  }
  *target = static_cast<uint32_t>(value->integer);
  return true;
}

bool ConfigReader::Size(std::string_view key, uint64_t min, uint64_t max, uint64_t* target) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  uint64_t bytes = 0;
  if (value->kind == TomlValue::Kind::kString) {
    const Result<uint64_t> parsed = ParseByteSize(value->string);
    if (!parsed.ok()) {
      problems_->Add(value->position, Quoted(key) + ": " + parsed.status().message());
      return false;
    }
    bytes = *parsed;
  } else if (value->kind == TomlValue::Kind::kInteger && value->integer >= 0) {
    bytes = static_cast<uint64_t>(value->integer);
  } else {
    WrongKind(*value, "a size, for example \"50MiB\"");
    return false;
  }
  if (bytes < min || bytes > max) {
    problems_->Add(value->position, Quoted(key) + " is " + FormatByteSize(bytes) +
                                        "; expected a size from " + FormatByteSize(min) + " to " +
                                        FormatByteSize(max));
    return false;
  }
  *target = bytes;
  return true;
}

bool ConfigReader::Duration(std::string_view key, int64_t min_ns, int64_t max_ns, Never never,
                            int64_t* target_ns) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  const std::string or_never = never == Never::kAllowed ? " or \"never\"" : "";
  if (value->kind != TomlValue::Kind::kString) {
    WrongKind(*value, "a duration, for example \"15m\"" + or_never);
    return false;
  }
  if (never == Never::kAllowed && IsNever(value->string)) {
    *target_ns = kNever;
    return true;
  }
  const Result<int64_t> parsed = ParseDuration(value->string);
  if (!parsed.ok()) {
    problems_->Add(value->position, Quoted(key) + ": " + parsed.status().message() + or_never);
    return false;
  }
  if (*parsed < min_ns || *parsed > max_ns) {
    problems_->Add(value->position, Quoted(key) + " is " + FormatDuration(*parsed) +
                                        "; expected a duration from " + FormatDuration(min_ns) +
                                        " to " + FormatDuration(max_ns) + or_never);
    return false;
  }
  *target_ns = *parsed;
  return true;
}

bool ConfigReader::Texts(std::string_view key, std::string_view expected, size_t max,
                         std::vector<ConfigText>* target) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return false;
  if (value->kind == TomlValue::Kind::kString) {
    *target = {{value->string, value->position}};
    return true;
  }
  if (value->kind != TomlValue::Kind::kArray) {
    WrongKind(*value, expected);
    return false;
  }
  if (value->items.empty() || value->items.size() > max) {
    problems_->Add(value->position, Quoted(key) + " has " + std::to_string(value->items.size()) +
                                        " elements; expected 1 to " + std::to_string(max));
    return false;
  }
  std::vector<ConfigText> texts;
  for (const TomlValue& item : value->items) {
    if (item.kind != TomlValue::Kind::kString) {
      problems_->Add(item.position, "an element of " + Quoted(key) + " is " +
                                        TomlKindName(item.kind) + "; expected a string");
      return false;
    }
    texts.push_back({item.string, item.position});
  }
  *target = std::move(texts);
  return true;
}

const TomlValue* ConfigReader::Table(std::string_view key) {
  const TomlValue* value = Ask(key);
  if (value == nullptr || value->kind == TomlValue::Kind::kTable) return value;
  WrongKind(*value, "a table: [" + std::string(key) + "]");
  return nullptr;
}

std::vector<const TomlValue*> ConfigReader::Tables(std::string_view key, size_t max) {
  const TomlValue* value = Ask(key);
  if (value == nullptr) return {};
  std::vector<const TomlValue*> tables;
  const std::string expected = "tables: [[" + std::string(key) + "]]";
  if (value->kind != TomlValue::Kind::kArray) {
    WrongKind(*value, expected);
    return {};
  }
  for (const TomlValue& item : value->items) {
    if (tables.size() == max) {
      problems_->Add(item.position, "more than " + std::to_string(max) + " " + expected);
      break;
    }
    if (item.kind == TomlValue::Kind::kTable) {
      tables.push_back(&item);
      continue;
    }
    problems_->Add(item.position, "an element of " + Quoted(key) + " is " +
                                      TomlKindName(item.kind) + "; expected " + expected);
  }
  return tables;
}

void ConfigReader::Require(std::string_view key, std::string_view why) {
  if (Has(key)) return;
  const std::string where = name_.empty() ? "the configuration " : name_ + " ";
  problems_->Add(table_.position,
                 where + "has no " + Quoted(key) + "; expected " + std::string(why));
}

void ConfigReader::Finish() {
  for (const TomlValue& member : table_.items) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    std::string text = "unknown key " + Quoted(member.key);
    if (!name_.empty()) text += " in " + name_;
    const std::string_view nearest = Nearest(member.key, known_);
    if (!nearest.empty()) {
      text += "; did you mean " + Quoted(nearest) + "?";
    } else {
      text += "; expected one of";
      for (size_t i = 0; i < known_.size(); ++i) {
        text.append(i == 0 ? " " : ", ").append(known_[i]);
      }
    }
    problems_->Add(member.key_position, std::move(text));
  }
}

}  // namespace outbox::core
