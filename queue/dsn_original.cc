#include "queue/dsn_original.h"

#include <algorithm>
#include <vector>

#include "smtp/address.h"

namespace outbox::queue {
namespace {

constexpr std::string_view kCrlf = "\r\n";

// The header section of the original: prefix and the lines of the body up to the first empty one,
// dots un-stuffed.
std::vector<std::string_view> HeaderLines(const DsnFacts& facts, bool* cut) {
  std::vector<std::string_view> lines;
  size_t octets = 0;
  *cut = false;
  for (std::string_view rest : {facts.original_prefix, facts.original_body}) {
    while (!rest.empty()) {
      const size_t end = rest.find(kCrlf);
      std::string_view line = rest.substr(0, end);
      rest = end == std::string_view::npos ? "" : rest.substr(end + 2);
      if (line.empty() || line == ".") return lines;  // RFC 5322 2.1; "." ends a body of headers
      if (line[0] == '.') line.remove_prefix(1);
      octets += line.size() + 2;
      if (octets > kDsnHeaderBytesMax) {
        *cut = true;
        return lines;
      }
      lines.push_back(line);
    }
  }
  return lines;
}

// RFC 2045 6.7. `line` is one line without CRLF.
void QuotedPrintable(WireWriter* writer, std::string_view line) {
  constexpr size_t kColumns = 75;  // plus the soft break's "="
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    const auto octet = static_cast<unsigned char>(line[i]);
    const bool last = i + 1 == line.size();
    std::string piece;
    if ((octet > 0x20 && octet < 0x7f && octet != '=') ||
        ((octet == ' ' || octet == '\t') && !last)) {
      piece = line[i];
    } else {
      piece = {'=', kHex[octet >> 4], kHex[octet & 15]};
    }
    if (out.size() + piece.size() > kColumns) {
      writer->Line({out, "="});
      out.clear();
    }
    out += piece;
  }
  writer->Line(out);
}

void OriginalHeaders(WireWriter* writer, const DsnFacts& facts) {
  bool cut = false;
  const std::vector<std::string_view> lines = HeaderLines(facts, &cut);
  // RFC 6522 4: broken or extended headers may be encoded to be legal 7-bit content.
  const bool encode = std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
    return line.size() > 998 || std::any_of(line.begin(), line.end(), [](char c) {
             return static_cast<unsigned char>(c) > 0x7e ||
                    (static_cast<unsigned char>(c) < 0x20 && c != '\t');
           });
  });
  writer->Line("Content-Type: text/rfc822-headers");
  writer->Line("Content-Description: Headers of your message");
  if (encode) writer->Line("Content-Transfer-Encoding: quoted-printable");
  writer->Line("");
  for (const std::string_view line : lines) {
    if (encode) {
      QuotedPrintable(writer, line);
    } else {
      writer->Line(line);
    }
  }
  if (cut) writer->Line("X-Outbox-Note: more headers followed and are left out here");
  writer->Line("");
}

void FullOriginal(WireWriter* writer, const DsnFacts& facts) {
  // RFC 6532 3.7.
  writer->Line({"Content-Type: message/", facts.utf8_header ? "global" : "rfc822"});
  writer->Line("Content-Description: Your message");
  if (facts.eight_bit) writer->Line("Content-Transfer-Encoding: 8bit");
  writer->Line("");
  std::string_view body = facts.original_body;
  if (body.ends_with(".\r\n")) body.remove_suffix(3);
  writer->Wire(facts.original_prefix);
  writer->Wire(body);
  writer->Line("");
}

}  // namespace

std::string HeaderField(const DsnFacts& facts, std::string_view name) {
  bool cut = false;
  std::string value;
  bool in_field = false;
  for (const std::string_view line : HeaderLines(facts, &cut)) {
    if (line.starts_with(' ') || line.starts_with('\t')) {
      if (in_field) value.append(line);
      continue;
    }
    if (in_field) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !smtp::EqualsIgnoringCase(line.substr(0, colon), name))
      continue;
    in_field = true;
    value = line.substr(colon + 1);
  }
  return value;
}

void QuoteOriginal(WireWriter* writer, const DsnFacts& facts) {
  if (facts.full) {
    FullOriginal(writer, facts);
  } else {
    OriginalHeaders(writer, facts);
  }
}

}  // namespace outbox::queue
