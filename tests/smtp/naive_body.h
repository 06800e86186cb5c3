// A second, slow and simple reading of a message in wire form, to compare smtp::BodyScanner with.
//
// It works on the whole input: finds the end by searching, then cuts the content into lines and
// looks at each. Nothing is shared with the scanner but the struct of the results.
#ifndef OUTBOX_TESTS_SMTP_NAIVE_BODY_H_
#define OUTBOX_TESTS_SMTP_NAIVE_BODY_H_

#include <algorithm>
#include <string>
#include <string_view>

#include "smtp/body_scanner.h"

namespace outbox::smtp {

// Octets up to and with the final dot's CRLF; npos when it is not there.
inline size_t NaiveEnd(std::string_view wire) {
  if (wire.starts_with(".\r\n")) return 3;
  const size_t end = wire.find("\r\n.\r\n");
  return end == std::string_view::npos ? end : end + 5;
}

inline void NaiveHeaderLine(std::string_view line, BodySummary* summary) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.pop_back();
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  summary->received_headers += name == "received";
  summary->has_date |= name == "date";
  summary->has_message_id |= name == "message-id";
}

inline BodySummary NaiveScan(std::string_view wire) {
  BodySummary summary;
  const size_t end = NaiveEnd(wire);
  summary.complete = true;
  summary.wire_bytes = end;
  std::string_view content = wire.substr(0, end - 3);
  bool in_header = true;
  summary.header_bytes = content.size();
  size_t pos = 0;
  while (pos < content.size()) {
    const size_t crlf = content.find("\r\n", pos);
    std::string_view line = content.substr(pos, crlf - pos);
    if (line.starts_with('.')) {
      ++summary.stuffed_dots;
      line.remove_prefix(1);
    }
    if (in_header && line.empty()) {
      in_header = false;
      summary.header_bytes = pos;
    }
    if (in_header) NaiveHeaderLine(line, &summary);
    summary.longest_line = std::max<uint64_t>(summary.longest_line, line.size());
    for (const char c : line) {
      summary.has_8bit |= static_cast<unsigned char>(c) > 127;
      summary.has_nul |= c == '\0';
      summary.has_bare_cr |= c == '\r';
      summary.has_bare_lf |= c == '\n';
    }
    pos = crlf + 2;
  }
  if (summary.longest_line < kLongLine) summary.longest_line = 0;
  return summary;
}

// A message in wire form as BDAT carries it.
inline std::string NaiveUnstuffed(std::string_view wire) {
  std::string content(wire.substr(0, NaiveEnd(wire) - 3));
  if (content.starts_with('.')) content.erase(0, 1);
  for (size_t at = 0; (at = content.find("\r\n.", at)) != std::string::npos; at += 2) {
    content.erase(at + 2, 1);
  }
  return content;
}

// And back: with a line end behind its last line.
inline std::string NaiveStuffed(std::string_view content) {
  std::string wire(content);
  if (wire.starts_with('.')) wire.insert(0, ".");
  for (size_t at = 0; (at = wire.find("\r\n.", at)) != std::string::npos; at += 4) {
    wire.insert(at + 2, ".");
  }
  if (!wire.empty() && !wire.ends_with("\r\n")) wire += "\r\n";
  return wire + ".\r\n";
}

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_NAIVE_BODY_H_
