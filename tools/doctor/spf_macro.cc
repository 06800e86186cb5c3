#include "tools/doctor/spf_macro.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <vector>

#include "core/check.h"
#include "core/domain_name.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kLetters = "slodiphv";
constexpr std::string_view kDelimiters = ".-+,/_=";

// One piece of a macro-string.
struct Piece {
  char literal = '\0';  // or a macro:
  char letter = '\0';   // lower case
  bool escaped = false;
  int labels = 0;  // from the right; 0: all
  bool reversed = false;
  std::string_view delimiters = ".";
  const char* constant = nullptr;  // of "%%", "%_", "%-"
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (core::ToLower(c) >= 'a' && core::ToLower(c) <= 'z'); }

// Reads "{ir2.-}" behind a "%".
bool ReadBraces(std::string_view* rest, Piece* piece) {
  const size_t end = rest->find('}');
  if (end == std::string_view::npos || end < 2) return false;
  std::string_view inside = rest->substr(1, end - 1);
  rest->remove_prefix(end + 1);
  piece->letter = core::ToLower(inside[0]);
  piece->escaped = inside[0] != piece->letter;
  if (kLetters.find(piece->letter) == std::string_view::npos) return false;
  inside.remove_prefix(1);
  const size_t digits = std::min(inside.find_first_not_of("0123456789"), inside.size());
  if (digits > 0) {
    // A number that is too large for us is more labels than a name has.
    const auto [at, error] = std::from_chars(inside.data(), inside.data() + digits, piece->labels);
    if (error == std::errc::result_out_of_range) piece->labels = 255;
    if (piece->labels == 0) return false;
    inside.remove_prefix(digits);
  }
  if (!inside.empty() && core::ToLower(inside[0]) == 'r') {
    piece->reversed = true;
    inside.remove_prefix(1);
  }
  if (inside.find_first_not_of(kDelimiters) != std::string_view::npos) return false;
  if (!inside.empty()) piece->delimiters = inside;
  return true;
}

// Takes one piece off `rest`, which is not empty.
bool ReadPiece(std::string_view* rest, Piece* piece) {
  const char first = rest->front();
  rest->remove_prefix(1);
  if (first != '%') {
    piece->literal = first;
    return first >= 0x21 && first <= 0x7e;
  }
  if (rest->empty()) return false;
  switch (rest->front()) {
    case '{':
      return ReadBraces(rest, piece);
    case '%':
      piece->constant = "%";
      break;
    case '_':
      piece->constant = " ";
      break;
    case '-':
      piece->constant = "%20";
      break;
    default:
      return false;
  }
  rest->remove_prefix(1);
  return true;
}

core::Status WrongText(std::string_view text, const char* what) {
  return core::Status(core::StatusCode::kInvalidArgument, "\"" + std::string(text) + "\" " + what);
}

// RFC 7208 7.3: of an IPv6 address the 32 nibbles.
std::string AddressText(const core::IpAddress& address) {
  if (address.is_v4()) return address.ToString();
  std::string text;
  for (const uint8_t octet : address.octets()) {
    constexpr const char* kNibbles = "0123456789abcdef";
    for (const int nibble : {octet >> 4, octet & 15}) {
      if (!text.empty()) text += '.';
      text += kNibbles[nibble];
    }
  }
  return text;
}

std::string ValueOf(char letter, const SpfMacroValues& values) {
  switch (letter) {
    case 's':
      return values.local_part + "@" + values.sender_domain;
    case 'l':
      return values.local_part;
    case 'o':
      return values.sender_domain;
    case 'd':
      return values.domain;
    case 'i':
      return AddressText(values.address);
    case 'p':
      return values.validated;
    case 'h':
      return values.helo;
    case 'v':
      return values.address.is_v4() ? "in-addr" : "ip6";
    default:
      CHECK(false);
  }
}

// Everything but the unreserved characters of RFC 3986.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsAlpha(c) || IsDigit(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    std::array<char, 4> code;
    std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned char>(c));
    out += code.data();
  }
  return out;
}

std::string Expand(const Piece& piece, const SpfMacroValues& values) {
  const std::string value = ValueOf(piece.letter, values);
  std::vector<std::string_view> parts;
  std::string_view rest = value;
  for (;;) {
    const size_t end = rest.find_first_of(piece.delimiters);
    parts.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (piece.reversed) std::reverse(parts.begin(), parts.end());
  const size_t wanted = piece.labels == 0 ? parts.size() : static_cast<size_t>(piece.labels);
  std::string out;
  for (size_t i = parts.size() - std::min(wanted, parts.size()); i < parts.size(); ++i) {
    if (!out.empty()) out += '.';
    out += parts[i];
  }
  return piece.escaped ? Escaped(out) : out;
}

// "com", "xn--p1ai", "c0m"; not "123" (RFC 7208 section 7.1, toplabel).
bool IsTopLabel(std::string_view label) {
  const auto fine = [](char c) { return IsAlpha(c) || IsDigit(c) || c == '-'; };
  return !label.empty() && std::all_of(label.begin(), label.end(), fine) &&
         !std::all_of(label.begin(), label.end(), IsDigit) && label.front() != '-' &&
         label.back() != '-';
}

}  // namespace

core::Status CheckSpfMacros(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    Piece piece;
    if (ReadPiece(&rest, &piece)) continue;
    return WrongText(text, "has a macro that is none; expected %{i}, %{d2}, %% and the like");
  }
  return core::OkStatus();
}

core::Status CheckSpfDomain(std::string_view text) {
  if (text.empty()) return WrongText(text, "is no domain");
  std::string_view rest = text;
  bool macro_last = false;
  size_t literal_at = 0;  // where the literals at the end begin
  while (!rest.empty()) {
    Piece piece;
    if (!ReadPiece(&rest, &piece)) return CheckSpfMacros(text);
    macro_last = piece.letter != '\0';
    if (piece.literal == '\0') literal_at = text.size() - rest.size();
  }
  if (macro_last) return core::OkStatus();
  std::string_view end = text.substr(literal_at);
  if (end.ends_with('.')) end.remove_suffix(1);
  const size_t dot = end.rfind('.');
  if (dot == std::string_view::npos || !IsTopLabel(end.substr(dot + 1))) {
    return WrongText(text, "does not end in a domain; expected for example \"_spf.example.com\"");
  }
  return core::OkStatus();
}

bool SpfUsesValidatedName(std::string_view text) {
  while (!text.empty()) {
    Piece piece;
    CHECK(ReadPiece(&text, &piece));
    if (piece.letter == 'p') return true;
  }
  return false;
}

std::string ExpandSpf(std::string_view text, const SpfMacroValues& values) {
  std::string out;
  while (!text.empty()) {
    Piece piece;
    CHECK(ReadPiece(&text, &piece));
    if (piece.literal != '\0') {
      out += piece.literal;
    } else {
      out += piece.constant != nullptr ? piece.constant : Expand(piece, values);
    }
  }
  return out;
}

}  // namespace outbox::tools
