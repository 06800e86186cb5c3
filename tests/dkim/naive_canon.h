// The canonical body as RFC 6376 3.4.3 and 3.4.4 tell it, on the whole text and without a thought
// of speed; and the un-stuffing of RFC 5321 4.5.2: what BodyCanon and DotReader are compared with.
#ifndef OUTBOX_TESTS_DKIM_NAIVE_CANON_H_
#define OUTBOX_TESTS_DKIM_NAIVE_CANON_H_

#include <string>
#include <string_view>
#include <vector>

namespace outbox::dkim {

// Lines without their CRLF; the last one has none, and is left out when it is empty.
inline std::vector<std::string> NaiveLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find("\r\n");
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? "" : text.substr(end + 2);
  }
  return lines;
}

// The text of a body in wire form, up to the line with the final dot if it is there.
inline std::string NaiveUnstuff(std::string_view wire) {
  std::string text;
  while (!wire.empty()) {
    const size_t end = wire.find("\r\n");
    std::string_view line = end == std::string_view::npos ? wire : wire.substr(0, end + 2);
    wire.remove_prefix(line.size());
    if (line == ".\r\n") break;
    // A CR behind a first dot may yet end the message: at the very end it is not text.
    if (wire.empty() && line == ".\r") break;
    if (line.starts_with('.')) line.remove_prefix(1);
    text += line;
  }
  return text;
}

inline std::string NaiveCanon(std::string_view text, bool relaxed) {
  std::vector<std::string> lines = NaiveLines(text);
  if (relaxed) {
    for (std::string& line : lines) {
      std::string shorter;
      for (const char c : line) {
        const bool blank = c == ' ' || c == '\t';
        if (blank && shorter.ends_with(' ')) continue;
        shorter.push_back(blank ? ' ' : c);
      }
      while (shorter.ends_with(' ')) shorter.pop_back();
      line = shorter;
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string canonical;
  for (const std::string& line : lines) canonical += line + "\r\n";
  return canonical.empty() && !relaxed ? "\r\n" : canonical;
}

}  // namespace outbox::dkim

#endif  // OUTBOX_TESTS_DKIM_NAIVE_CANON_H_
