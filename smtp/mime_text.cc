#include "smtp/mime_text.h"

#include <algorithm>

#include "core/utf8.h"

namespace outbox::smtp {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kEncodedWordOctets = 75;  // RFC 2047 2

bool IsEightBit(char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }

void AppendHex(char c, std::string* out) {
  const auto octet = static_cast<unsigned char>(c);
  *out += '=';
  *out += kHex[octet >> 4];
  *out += kHex[octet & 15];
}

bool PlainInWord(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '!' ||
         c == '*' || c == '+' || c == '-' || c == '/';
}

// The text as encoded words, folded where one is full.
void AppendEncodedWords(std::string_view text, std::string* out) {
  const bool utf8 = core::IsUtf8(text);
  const std::string_view start = utf8 ? "=?utf-8?Q?" : "=?unknown-8bit?Q?";
  size_t column = 0;
  while (!text.empty()) {
    const size_t size = utf8 ? core::Utf8Octets(text) : 1;
    const size_t needed = size * 3;
    if (column == 0 || column + needed + 2 > kEncodedWordOctets) {
      if (column > 0) *out += "?=\r\n ";
      *out += start;
      column = start.size();
    }
    for (size_t i = 0; i < size; ++i) {
      const char c = text[i];
      if (c == ' ') {
        *out += '_';
      } else if (PlainInWord(c)) {
        *out += c;
      } else {
        AppendHex(c, out);
      }
    }
    column += needed;
    text.remove_prefix(size);
  }
  if (column > 0) *out += "?=";
}

// Where a word of a field ends. In Content-* fields values stand in quotes, and what is encoded
// must not reach over them.
bool EndsWord(char c, bool parameters) {
  if (c == '\r' || c == '\n') return true;
  if (parameters) return c == '"' || c == ';' || c == '=';
  return c == ' ' || c == '\t';
}

bool IsContentField(std::string_view name) {
  constexpr std::string_view kContent = "content-";
  return name.size() > kContent.size() &&
         std::equal(kContent.begin(), kContent.end(), name.begin(),
                    [](char lower, char c) { return lower == (c | 0x20); });
}

std::string_view WithoutQuotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

void AppendRun(std::string_view run, bool parameters, std::string* out) {
  if (!HasEightBit(run)) {
    out->append(run);
  } else if (!parameters && run.find('@') != std::string_view::npos) {
    AppendAscii(run, out);
  } else {
    AppendEncodedWords(parameters ? run : WithoutQuotes(run), out);
  }
}

}  // namespace

bool HasEightBit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), IsEightBit);
}

void AppendAscii(std::string_view text, std::string* out) {
  for (const char c : text) *out += IsEightBit(c) ? '?' : c;
}

void AppendQuotedLine(std::string_view line, std::string* out) {
  size_t column = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool last = i + 1 == line.size();
    const bool plain = (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !last);
    const size_t width = plain ? 1 : 3;
    // Room for the '=' of a soft line break, unless nothing comes behind.
    if (column + width > kEncodedLineOctets - (last ? 0 : 1)) {
      *out += "=\r\n";
      column = 0;
    }
    if (plain) {
      *out += c;
    } else {
      AppendHex(c, out);
    }
    column += width;
  }
  *out += "\r\n";
}

void Base64Text::Group(std::string* out) {
  const uint32_t bits = uint32_t{held_[0]} << 16 | uint32_t{held_[1]} << 8 | held_[2];
  *out += kBase64[bits >> 18];
  *out += kBase64[bits >> 12 & 63];
  *out += count_ > 1 ? kBase64[bits >> 6 & 63] : '=';
  *out += count_ > 2 ? kBase64[bits & 63] : '=';
  count_ = 0;
  held_[0] = held_[1] = held_[2] = 0;
  column_ = static_cast<uint8_t>(column_ + 4);
  if (column_ < kEncodedLineOctets) return;
  *out += "\r\n";
  column_ = 0;
}

void Base64Text::Append(std::string_view octets, std::string* out) {
  for (const char c : octets) {
    held_[count_++] = static_cast<uint8_t>(c);
    if (count_ == 3) Group(out);
  }
}

void Base64Text::Finish(std::string* out) {
  if (count_ > 0) Group(out);
  if (column_ > 0) *out += "\r\n";
  column_ = 0;
}

// A run is what would be encoded together: words that have such octets, and the blanks between two
// of them, which a reader drops between encoded words.
void AppendEncodedField(std::string_view field, std::string* out) {
  const size_t colon = std::min(field.find(':'), field.size());
  AppendAscii(field.substr(0, colon), out);
  std::string_view rest = field.substr(colon);
  const bool parameters = IsContentField(field.substr(0, colon));
  while (!rest.empty()) {
    if (rest[0] == ':' || EndsWord(rest[0], parameters)) {
      *out += rest[0];
      rest.remove_prefix(1);
      continue;
    }
    size_t run = 0;  // the end of what goes together
    for (size_t at = 0; at < rest.size();) {
      size_t end = at;
      while (end < rest.size() && !EndsWord(rest[end], parameters)) ++end;
      const std::string_view word = rest.substr(at, end - at);
      const bool encoded = HasEightBit(word) && word.find('@') == std::string_view::npos;
      if (at > 0 && !encoded) break;
      run = end;
      if (!encoded || parameters) break;
      while (end < rest.size() && (rest[end] == ' ' || rest[end] == '\t')) ++end;
      if (end == run || end == rest.size() || EndsWord(rest[end], parameters)) break;
      at = end;
    }
    AppendRun(rest.substr(0, run), parameters, out);
    rest.remove_prefix(run);
  }
}

}  // namespace outbox::smtp
