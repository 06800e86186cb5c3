#include "queue/dsn_text.h"

#include <algorithm>

namespace outbox::queue {

std::string Presentable(std::string_view text, size_t octets_max) {
  std::string clean;
  clean.reserve(std::min(text.size(), octets_max));
  bool space = false;
  for (const char c : text) {
    if (clean.size() >= octets_max) {
      clean += "...";
      break;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      space = !clean.empty();
      continue;
    }
    if (space) clean.push_back(' ');
    space = false;
    clean.push_back(c > 0x20 && c < 0x7f ? c : '?');
  }
  return clean;
}

void Paragraph(WireWriter* writer, std::string_view text, std::string_view indent) {
  constexpr size_t kColumns = 72;
  std::string line(indent);
  size_t start = 0;
  while (start < text.size()) {
    size_t end = text.find(' ', start);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view word = text.substr(start, end - start);
    if (line.size() > indent.size() && line.size() + 1 + word.size() > kColumns) {
      writer->Line(line);
      line = indent;
    }
    if (line.size() > indent.size()) line.push_back(' ');
    line.append(word);
    start = end + 1;
  }
  if (line.size() > indent.size()) writer->Line(line);
}

}  // namespace outbox::queue
