#include "smtp/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "core/check.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/utf8.h"

namespace outbox::smtp {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 5322 atext.
constexpr std::array<bool, 256> MakeAtext() {
  std::array<bool, 256> table = {};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-/=?^_`{|}~")) table[static_cast<size_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kAtext = MakeAtext();

bool IsAtext(char c) { return kAtext[static_cast<unsigned char>(c)]; }

AddressError ErrorAt(size_t offset, const char* what,
                     AddressErrorKind kind = AddressErrorKind::kSyntax) {
  // A line is far shorter than 64 Ki; a longer text from elsewhere saturates.
  const size_t column = offset + 1 < UINT16_MAX ? offset + 1 : UINT16_MAX;
  return {kind, what, static_cast<uint16_t>(column)};
}

// The octets of the character above 127 that begins at `offset`; 0: none does that an address may
// have, and `*error` says why.
size_t CharacterAt(std::string_view text, size_t offset, AddressError* error) {
  const size_t octets = core::Utf8Octets(text.substr(offset));
  if (octets == 0) {
    *error = ErrorAt(offset, "octets that are not UTF-8");
  } else if (core::IsUtf8Control(core::Utf8Character(text.substr(offset, octets)))) {
    *error = ErrorAt(offset, "a control character in the address");
    return 0;
  }
  return octets;
}

AddressError Shifted(AddressError error, size_t offset) {
  if (!error.ok()) error = ErrorAt(offset + error.column - 1, error.what, error.kind);
  return error;
}

// One pass over a text; every Read* moves `pos` behind what it read or sets `error`.
struct Reader {
  std::string_view text;
  size_t pos = 0;
  AddressError error;

  bool at(char c) const { return pos < text.size() && text[pos] == c; }
  bool Fail(AddressError e) {
    error = e;
    return false;
  }

  bool ReadCharacter() {
    const size_t octets = CharacterAt(text, pos, &error);
    pos += octets;
    return octets > 0;
  }

  bool ReadQuotedString() {
    ++pos;  // the opening quote
    while (pos < text.size() && text[pos] != '"') {
      if (text[pos] == '\\') ++pos;
      if (pos == text.size()) break;
      if (!core::IsAscii(text[pos])) {
        if (!ReadCharacter()) return false;
        continue;
      }
      if (text[pos] < ' ' || text[pos] == 0x7f) {
        return Fail(ErrorAt(pos, "a control character in a quoted local part"));
      }
      ++pos;
    }
    if (pos == text.size()) return Fail(ErrorAt(pos, "the quoted local part has no closing quote"));
    ++pos;
    return true;
  }

  bool ReadDotString() {
    bool need_atom = true;
    while (pos < text.size()) {
      if (!core::IsAscii(text[pos])) {
        if (!ReadCharacter()) return false;
        need_atom = false;
        continue;
      }
      if (IsAtext(text[pos])) {
        need_atom = false;
      } else if (text[pos] == '.' && !need_atom) {
        need_atom = true;
      } else {
        break;
      }
      ++pos;
    }
    if (!need_atom) return true;
    if (at('.')) return Fail(ErrorAt(pos, "a dot where the local part needs a character"));
    return Fail(ErrorAt(pos, "the local part is missing or ends in a dot"));
  }

  bool ReadLocalPart(std::string_view* local) {
    const size_t start = pos;
    if (!(at('"') ? ReadQuotedString() : ReadDotString())) return false;
    *local = text.substr(start, pos - start);
    if (local->size() > kLocalPartOctetsMax) {
      return Fail(ErrorAt(start + kLocalPartOctetsMax, "the local part is longer than 64 octets",
                          AddressErrorKind::kTooLong));
    }
    return true;
  }

  bool ReadDomain(std::string_view* domain) {
    const size_t start = pos;
    if (at('[')) {
      const size_t close = text.find(']', pos);
      if (close == std::string_view::npos) {
        return Fail(ErrorAt(text.size(), "the address literal has no closing bracket"));
      }
      pos = close + 1;
      *domain = text.substr(start, pos - start);
      error = Shifted(CheckAddressLiteral(*domain), start);
    } else {
      while (pos < text.size() && text[pos] != '>' && text[pos] != ',' && text[pos] != ':') ++pos;
      *domain = text.substr(start, pos - start);
      error = Shifted(CheckDomain(*domain), start);
    }
    return error.ok();
  }

  // "@a,@b:" (RFC 5321 appendix C).
  bool ReadSourceRoute() {
    while (true) {
      if (!at('@')) return Fail(ErrorAt(pos, "'@' expected in the source route"));
      ++pos;
      std::string_view ignored;
      if (!ReadDomain(&ignored)) return false;
      if (at(':')) break;
      if (!at(',')) return Fail(ErrorAt(pos, "':' expected behind the source route"));
      ++pos;
    }
    ++pos;
    return true;
  }

  bool ReadMailbox(Path* path) {
    const size_t start = pos;
    if (!ReadLocalPart(&path->local)) return false;
    if (!at('@')) {
      path->mailbox = path->local;
      return true;  // the caller knows whether a domain may be missing
    }
    ++pos;
    if (!ReadDomain(&path->domain)) return false;
    path->mailbox = text.substr(start, pos - start);
    if (path->mailbox.size() + 2 > kPathOctetsMax) {
      return Fail(ErrorAt(start + kPathOctetsMax - 2, "the path is longer than 256 octets",
                          AddressErrorKind::kTooLong));
    }
    if (core::IsAscii(path->domain)) return true;
    std::string domain;
    core::ToALabels(path->domain, &domain);
    if (path->local.size() + 1 + domain.size() + 2 > kPathOctetsMax) {
      return Fail(ErrorAt(pos, "the path is longer than 256 octets in its ASCII form",
                          AddressErrorKind::kTooLong));
    }
    return true;
  }
};

uint16_t ColumnOfUtf8(std::string_view text) {
  const auto* const found =
      std::find_if(text.begin(), text.end(), [](char c) { return !core::IsAscii(c); });
  return found == text.end() ? uint16_t{0}
                             : ErrorAt(static_cast<size_t>(found - text.begin()), "").column;
}

enum class Direction { kReverse, kForward };

ParsedPath Failure(const Reader& reader) {
  ParsedPath result;
  result.error = reader.error;
  return result;
}

ParsedPath ParsePath(std::string_view text, Direction direction) {
  Reader reader{text, 0, {}};
  ParsedPath result;
  if (!reader.at('<')) {
    reader.error = ErrorAt(0, "an address in angle brackets is expected");
    return Failure(reader);
  }
  ++reader.pos;
  if (reader.at('>')) {
    if (direction == Direction::kForward) {
      reader.error = ErrorAt(1, "a recipient cannot be empty", AddressErrorKind::kNullPath);
      return Failure(reader);
    }
    result.length = 2;
    return result;
  }
  if (reader.at('@') && !reader.ReadSourceRoute()) return Failure(reader);
  if (!reader.ReadMailbox(&result.path)) return Failure(reader);
  if (!reader.at('>')) {
    reader.error =
        ErrorAt(reader.pos, result.path.domain.empty() ? "'@' and a domain are expected"
                                                       : "'>' is expected behind the address");
    return Failure(reader);
  }
  const bool postmaster =
      direction == Direction::kForward && EqualsIgnoringCase(result.path.mailbox, "postmaster");
  if (result.path.domain.empty() && !postmaster) {
    reader.error = ErrorAt(reader.pos, "the address has no domain");
    return Failure(reader);
  }
  result.length = reader.pos + 1;
  result.utf8_column = ColumnOfUtf8(text.substr(0, result.length));
  return result;
}

}  // namespace

ParsedPath ParseReversePath(std::string_view text) { return ParsePath(text, Direction::kReverse); }

ParsedPath ParseForwardPath(std::string_view text) { return ParsePath(text, Direction::kForward); }

ParsedPath ParseMailbox(std::string_view text) {
  Reader reader{text, 0, {}};
  ParsedPath result;
  if (!reader.ReadMailbox(&result.path)) return Failure(reader);
  if (reader.pos != text.size()) {
    reader.error = ErrorAt(reader.pos, "unexpected character behind the address");
    return Failure(reader);
  }
  if (result.path.domain.empty()) {
    reader.error = ErrorAt(reader.pos, "the address has no domain");
    return Failure(reader);
  }
  result.length = text.size();
  result.utf8_column = ColumnOfUtf8(text);
  return result;
}

AddressError CheckDomain(std::string_view domain) {
  size_t label = 0;                // where the current label begins
  size_t unicode = domain.size();  // where the first character above 127 does
  bool is_ascii = true;            // the current label
  for (size_t i = 0; i <= domain.size(); ++i) {
    if (i < domain.size() && !core::IsAscii(domain[i])) {
      AddressError error;
      const size_t octets = CharacterAt(domain, i, &error);
      if (octets == 0) return error;
      unicode = std::min(unicode, i);
      is_ascii = false;
      i += octets - 1;
      continue;
    }
    if (i < domain.size() && domain[i] != '.') {
      const char c = domain[i];
      if (!IsAlphanumeric(c) && c != '-' && c != '_') {
        return ErrorAt(i, "a character that a domain cannot have");
      }
      if (c == '-' && i == label) return ErrorAt(i, "a domain label cannot begin with a hyphen");
      continue;
    }
    if (i == label) {
      return ErrorAt(i, domain.empty() ? "the domain is missing" : "an empty label in the domain");
    }
    if (domain[i - 1] == '-') return ErrorAt(i - 1, "a domain label cannot end with a hyphen");
    if (is_ascii && i - label > kDomainLabelOctetsMax) {
      return ErrorAt(label + kDomainLabelOctetsMax, "a domain label is longer than 63 octets",
                     AddressErrorKind::kTooLong);
    }
    label = i + 1;
    is_ascii = true;
  }
  if (domain.size() > kDomainOctetsMax) {
    return ErrorAt(kDomainOctetsMax, "the domain is longer than 255 octets",
                   AddressErrorKind::kTooLong);
  }
  if (unicode == domain.size()) return {};
  std::string ascii;
  const char* const why = core::ToALabels(domain, &ascii);
  return why == nullptr ? AddressError() : ErrorAt(unicode, why);
}

AddressError CheckAddressLiteral(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != '[' || literal.back() != ']') {
    return ErrorAt(0, "an address literal stands in square brackets");
  }
  for (size_t i = 0; i < literal.size(); ++i) {
    if (!core::IsAscii(literal[i])) return ErrorAt(i, "an address literal is ASCII");
  }
  constexpr std::string_view kTag = "IPv6:";
  std::string_view address = literal.substr(1, literal.size() - 2);
  const bool v6 = EqualsIgnoringCase(address.substr(0, kTag.size()), kTag);
  if (v6) address.remove_prefix(kTag.size());
  char text[INET6_ADDRSTRLEN];
  if (address.size() < sizeof(text) && address.find('\0') == std::string_view::npos) {
    std::memcpy(text, address.data(), address.size());
    text[address.size()] = '\0';
    in6_addr octets;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, text, &octets) == 1) return {};
  }
  return ErrorAt(1, v6 ? "not an IPv6 address" : "neither an IPv4 address nor IPv6: and one");
}

std::string_view LowerCaseInto(std::string_view text, std::span<char> into) {
  CHECK(into.size() >= text.size());
  for (size_t i = 0; i < text.size(); ++i) into[i] = core::ToLower(text[i]);
  return {into.data(), text.size()};
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (core::ToLower(a[i]) != core::ToLower(b[i])) return false;
  }
  return true;
}

}  // namespace outbox::smtp
