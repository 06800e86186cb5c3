// UTF-8 (RFC 3629), as far as bytes of peers need to be judged by it. Pure.
#ifndef OUTBOX_CORE_UTF8_H_
#define OUTBOX_CORE_UTF8_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outbox::core {

inline bool IsAscii(char c) { return static_cast<uint8_t>(c) < 0x80; }
inline bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return IsAscii(c); });
}

// The length of the well-formed sequence at the start of `text`, 1 to 4, or 0: none. Overlong
// forms, surrogates and what lies above U+10FFFF are none. REQUIRES: text is not empty.
inline size_t Utf8Octets(std::string_view text) {
  const auto octet = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = octet(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && octet(1) < 0xa0) return 0;
  if (first == 0xed && octet(1) > 0x9f) return 0;
  if (first == 0xf0 && octet(1) < 0x90) return 0;
  if (first == 0xf4 && octet(1) > 0x8f) return 0;
  return length;
}

// The character of a sequence that Utf8Octets has measured.
inline char32_t Utf8Character(std::string_view sequence) {
  const auto octet = [&](size_t i) { return static_cast<uint8_t>(sequence[i]); };
  if (sequence.size() == 1) return octet(0);
  char32_t c = octet(0) & (0x7fu >> sequence.size());
  for (size_t i = 1; i < sequence.size(); ++i) c = c << 6 | (octet(i) & 0x3fu);
  return c;
}

// Where `text` stops being UTF-8; its size if it does not.
inline size_t Utf8Prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = Utf8Octets(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

inline bool IsUtf8(std::string_view text) { return Utf8Prefix(text) == text.size(); }

// C1 controls (U+0080 to U+009F) and the separators of lines and paragraphs: what some programs
// take for the end of a line, or show as nothing. `c` is not ASCII.
inline bool IsUtf8Control(char32_t c) {
  return (c >= 0x80 && c <= 0x9f) || c == 0x2028 || c == 0x2029;
}

}  // namespace outbox::core

#endif  // OUTBOX_CORE_UTF8_H_
