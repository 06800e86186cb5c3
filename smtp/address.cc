#include "smtp/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include "core/check.h"
#include "core/domain_name.h"

namespace outbox::smtp {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

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

// For an octet that cannot stand where it is.
AddressError UnexpectedAt(std::string_view text, size_t offset, const char* what) {
  if (offset < text.size() && !IsAscii(text[offset])) {
    return ErrorAt(offset, "the address is not ASCII, and SMTPUTF8 is not offered",
                   AddressErrorKind::kNonAscii);
  }
  return ErrorAt(offset, what);
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

  bool ReadQuotedString() {
    ++pos;  // the opening quote
    for (; pos < text.size() && text[pos] != '"'; ++pos) {
      if (text[pos] == '\\') ++pos;
      if (pos == text.size()) break;
      if (text[pos] < ' ' || text[pos] == 0x7f) {
        return Fail(UnexpectedAt(text, pos, "a control character in a quoted local part"));
      }
    }
    if (pos == text.size()) return Fail(ErrorAt(pos, "the quoted local part has no closing quote"));
    ++pos;
    return true;
  }

  bool ReadDotString() {
    bool need_atom = true;
    for (; pos < text.size(); ++pos) {
      if (IsAtext(text[pos])) {
        need_atom = false;
      } else if (text[pos] == '.' && !need_atom) {
        need_atom = true;
      } else {
        break;
      }
    }
    if (!need_atom) return true;
    if (at('.')) return Fail(ErrorAt(pos, "a dot where the local part needs a character"));
    return Fail(UnexpectedAt(text, pos, "the local part is missing or ends in a dot"));
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
      if (!at('@')) return Fail(UnexpectedAt(text, pos, "'@' expected in the source route"));
      ++pos;
      std::string_view ignored;
      if (!ReadDomain(&ignored)) return false;
      if (at(':')) break;
      if (!at(',')) return Fail(UnexpectedAt(text, pos, "':' expected behind the source route"));
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
    return true;
  }
};

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
    reader.error = UnexpectedAt(text, 0, "an address in angle brackets is expected");
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
    reader.error = UnexpectedAt(text, reader.pos,
                                result.path.domain.empty() ? "'@' and a domain are expected"
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
    reader.error = UnexpectedAt(text, reader.pos, "unexpected character behind the address");
    return Failure(reader);
  }
  if (result.path.domain.empty()) {
    reader.error = ErrorAt(reader.pos, "the address has no domain");
    return Failure(reader);
  }
  result.length = text.size();
  return result;
}

AddressError CheckDomain(std::string_view domain) {
  size_t label = 0;  // where the current label begins
  for (size_t i = 0; i <= domain.size(); ++i) {
    if (i < domain.size() && domain[i] != '.') {
      const char c = domain[i];
      if (!IsAlphanumeric(c) && c != '-' && c != '_') {
        return UnexpectedAt(domain, i, "a character that a domain cannot have");
      }
      if (c == '-' && i == label) return ErrorAt(i, "a domain label cannot begin with a hyphen");
      continue;
    }
    if (i == label) {
      return ErrorAt(i, domain.empty() ? "the domain is missing" : "an empty label in the domain");
    }
    if (domain[i - 1] == '-') return ErrorAt(i - 1, "a domain label cannot end with a hyphen");
    if (i - label > kDomainLabelOctetsMax) {
      return ErrorAt(label + kDomainLabelOctetsMax, "a domain label is longer than 63 octets",
                     AddressErrorKind::kTooLong);
    }
    label = i + 1;
  }
  if (domain.size() > kDomainOctetsMax) {
    return ErrorAt(kDomainOctetsMax, "the domain is longer than 255 octets",
                   AddressErrorKind::kTooLong);
  }
  return {};
}

AddressError CheckAddressLiteral(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != '[' || literal.back() != ']') {
    return ErrorAt(0, "an address literal stands in square brackets");
  }
  for (size_t i = 0; i < literal.size(); ++i) {
    if (!IsAscii(literal[i])) return UnexpectedAt(literal, i, "");
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
