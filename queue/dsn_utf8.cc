#include "queue/dsn_utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "core/idna.h"
#include "core/utf8.h"
#include "smtp/mime_text.h"

namespace outbox::queue {
namespace {

constexpr size_t kAddressOctetsMax = 900;  // of what it becomes

// QCHAR and what is not ASCII: what stands for itself in utf-8-addr-xtext is neither a blank nor
// one of these three.
bool StandsForItself(char c) { return c > ' ' && c <= '~' && c != '\\' && c != '+' && c != '='; }

}  // namespace

std::string PresentableUtf8(std::string_view text, size_t octets_max) {
  std::string clean;
  bool space = false;
  while (!text.empty()) {
    if (clean.size() >= octets_max) return clean + "...";
    const size_t octets = std::max<size_t>(core::Utf8Octets(text), 1);
    const std::string_view piece = text.substr(0, octets);
    text.remove_prefix(octets);
    if (piece == " " || piece == "\t" || piece == "\r" || piece == "\n") {
      space = !clean.empty();
      continue;
    }
    if (space) clean.push_back(' ');
    space = false;
    const bool shown = octets > 1 ? !core::IsUtf8Control(core::Utf8Character(piece))
                                  : piece[0] > ' ' && piece[0] <= '~';
    clean.append(shown ? piece : "?");
  }
  return clean;
}

std::string TypedAddress(std::string_view address) {
  if (core::IsAscii(address)) {
    return "rfc822; " + PresentableUtf8(address, kAddressOctetsMax);
  }
  std::string text = "utf-8; ";
  while (!address.empty() && text.size() < kAddressOctetsMax) {
    const size_t octets = std::max<size_t>(core::Utf8Octets(address), 1);
    const std::string_view piece = address.substr(0, octets);
    address.remove_prefix(octets);
    if (octets == 1 && StandsForItself(piece[0])) {
      text.append(piece);
      continue;
    }
    const bool broken = octets == 1 && !core::IsAscii(piece);
    char hex[16];
    std::snprintf(hex, sizeof hex, "\\x{%02X}",
                  broken ? 0xFFFDu : static_cast<uint32_t>(core::Utf8Character(piece)));
    text.append(hex);
  }
  return text;
}

std::string ToField(std::string_view return_path) {
  std::string ascii;
  const bool is_ascii = core::ToAsciiAddress(return_path, &ascii);
  constexpr size_t kOctetsMax = 320;
  return PresentableUtf8(is_ascii ? ascii : return_path, kOctetsMax);
}

std::string TextPart(std::string_view description, std::string_view lines) {
  const bool ascii = core::IsAscii(lines);
  std::string part = "Content-Type: text/plain; charset=";
  part.append(ascii ? "us-ascii" : "utf-8").append("\r\nContent-Description: ");
  part.append(description).append("\r\n");
  if (ascii) return part.append("\r\n").append(lines);
  part.append("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
  std::string encoded;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find("\r\n"), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 2, lines.size()));
    if (line.starts_with('.')) line.remove_prefix(1);
    encoded.clear();
    smtp::AppendQuotedLine(line, &encoded);
    // A soft break may put a dot in front.
    for (std::string_view left = encoded; !left.empty();) {
      const size_t size = left.find("\r\n") + 2;
      if (left.front() == '.') part.push_back('.');
      part.append(left.substr(0, size));
      left.remove_prefix(size);
    }
  }
  return part;
}

}  // namespace outbox::queue
