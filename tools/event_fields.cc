#include "tools/event_fields.h"

#include <charconv>

namespace outbox::tools {
namespace {

// Where the string that begins at `at` (its quote) ends, one behind its closing quote; npos: it
// does not.
size_t EndOfString(std::string_view text, size_t at) {
  const size_t begin = at + 1;
  for (at = text.find('"', begin); at != std::string_view::npos; at = text.find('"', at + 1)) {
    size_t escapes = at;  // a quote behind an odd number of them is a character
    while (escapes > begin && text[escapes - 1] == '\\') --escapes;
    if ((at - escapes) % 2 == 0) return at + 1;
  }
  return std::string_view::npos;
}

// The same of any value.
size_t EndOfValue(std::string_view text, size_t at) {
  if (at >= text.size()) return std::string_view::npos;
  if (text[at] == '"') return EndOfString(text, at);
  if (text[at] != '[') return text.find_first_of(",}", at);
  for (++at; at < text.size() && text[at] != ']';) {
    if (text[at] == '"') {
      at = EndOfString(text, at);
    } else {
      ++at;
    }
  }
  return at < text.size() ? at + 1 : std::string_view::npos;
}

void AppendUtf8(uint32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xc0 | c >> 6));
    out->push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xe0 | c >> 12));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

// `raw` with its quotes.
std::string Unescaped(std::string_view raw) {
  std::string text;
  EventFields::AppendText(raw, &text);
  return text;
}

}  // namespace

void EventFields::AppendText(std::string_view raw, std::string* text) {
  if (raw.size() < 2 || raw[0] != '"') return;
  raw = raw.substr(1, raw.size() - 2);
  if (raw.find('\\') == std::string_view::npos) {
    text->append(raw);
    return;
  }
  for (size_t at = 0; at < raw.size(); ++at) {
    if (raw[at] != '\\' || at + 1 >= raw.size()) {
      text->push_back(raw[at]);
      continue;
    }
    const char c = raw[++at];
    switch (c) {
      case 'n':
        text->push_back('\n');
        break;
      case 'r':
        text->push_back('\r');
        break;
      case 't':
        text->push_back('\t');
        break;
      case 'b':
        text->push_back('\b');
        break;
      case 'f':
        text->push_back('\f');
        break;
      case 'u': {
        uint32_t code = 0;
        const std::string_view digits = raw.substr(at + 1, 4);
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        AppendUtf8(code, text);
        at += digits.size();
        break;
      }
      default:
        text->push_back(c);
    }
  }
}

bool EventFields::Parse(std::string_view line) {
  count_ = 0;
  if (!line.starts_with('{') || !line.ends_with('}')) return false;
  size_t at = 1;
  while (count_ < kFieldsMax) {
    if (at >= line.size() || line[at] != '"') return false;
    const size_t key_end = EndOfString(line, at);
    if (key_end == std::string_view::npos || key_end >= line.size() || line[key_end] != ':') {
      return false;
    }
    const size_t value_end = EndOfValue(line, key_end + 1);
    if (value_end == std::string_view::npos || value_end >= line.size()) return false;
    fields_[count_++] = {line.substr(at + 1, key_end - at - 2),
                         line.substr(key_end + 1, value_end - key_end - 1)};
    if (line[value_end] == '}') return value_end + 1 == line.size();
    if (line[value_end] != ',') return false;
    at = value_end + 1;
  }
  return true;
}

std::string_view EventFields::Raw(std::string_view key) const {
  for (size_t i = 0; i < count_; ++i) {
    if (fields_[i].key == key) return fields_[i].raw;
  }
  return {};
}

std::string EventFields::Text(std::string_view key) const { return Unescaped(Raw(key)); }

int64_t EventFields::Number(std::string_view key) const {
  const std::string_view raw = Raw(key);
  int64_t number = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return number;
}

std::vector<std::string> EventFields::List(std::string_view key) const {
  std::vector<std::string> items;
  const std::string_view raw = Raw(key);
  if (!raw.starts_with('[')) return items;
  for (size_t at = 1; at < raw.size() && raw[at] == '"';) {
    const size_t end = EndOfString(raw, at);
    if (end == std::string_view::npos) break;
    items.push_back(Unescaped(raw.substr(at, end - at)));
    at = end + 1;  // behind the comma
  }
  return items;
}

}  // namespace outbox::tools
