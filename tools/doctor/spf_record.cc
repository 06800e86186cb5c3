#include "tools/doctor/spf_record.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/check.h"
#include "core/domain_name.h"
#include "tools/doctor/spf_macro.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kVersion = "v=spf1";

core::Status WrongTerm(std::string_view term, std::string_view what) {
  return core::Status(core::StatusCode::kInvalidArgument,
                      "\"" + std::string(term) + "\": " + std::string(what));
}

bool StartsWithName(std::string_view text, std::string_view name) {
  return core::ToLower(text.substr(0, name.size())) == name;
}

// Decimal without superfluous zeros, at most `max`.
bool ReadBits(std::string_view text, int max, int* bits) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *bits);
  return error == std::errc() && end == text.data() + text.size() && *bits >= 0 && *bits <= max;
}

// Takes "/24//64", "/24" or "//64" off the end of `rest`. False: such a thing is there, and wrong.
bool TakeBits(std::string_view* rest, SpfTerm* term) {
  const size_t last = rest->find_last_not_of("0123456789");
  if (last == std::string_view::npos || (*rest)[last] != '/') return true;
  std::string_view digits = rest->substr(last + 1);
  rest->remove_suffix(digits.size() + 1);
  if (rest->ends_with('/')) {
    rest->remove_suffix(1);
    if (!ReadBits(digits, 128, &term->ip6_bits)) return false;
    const size_t slash = rest->find_last_not_of("0123456789");
    if (slash == std::string_view::npos || (*rest)[slash] != '/') return true;
    digits = rest->substr(slash + 1);
    rest->remove_suffix(digits.size() + 1);
  }
  return ReadBits(digits, 32, &term->ip4_bits);
}

core::Status ReadNetwork(std::string_view text, SpfTerm* term) {
  const bool v4 = term->mechanism == SpfMechanism::kIp4;
  const char* const expected = v4 ? "expected a network such as ip4:192.0.2.0/24"
                                  : "expected a network such as ip6:2001:db8::/32";
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const core::Result<core::IpAddress> address = core::IpAddress::Parse(host);
  const bool colons = host.find(':') != std::string_view::npos;
  if (!address.ok() || colons == v4) return WrongTerm(term->text, expected);
  term->address = *address;
  if (slash == std::string_view::npos) return core::OkStatus();
  int* const bits = v4 ? &term->ip4_bits : &term->ip6_bits;
  if (!ReadBits(text.substr(slash + 1), v4 ? 32 : 128, bits)) {
    return WrongTerm(term->text, expected);
  }
  return core::OkStatus();
}

// What stands behind the mechanism's name.
core::Status ReadArgument(std::string_view rest, SpfTerm* term) {
  const SpfMechanism mechanism = term->mechanism;
  if (mechanism == SpfMechanism::kAll) {
    return rest.empty() ? core::OkStatus() : WrongTerm(term->text, "\"all\" takes no argument");
  }
  if (mechanism == SpfMechanism::kIp4 || mechanism == SpfMechanism::kIp6) {
    if (!rest.starts_with(':')) return WrongTerm(term->text, "expected a colon and a network");
    return ReadNetwork(rest.substr(1), term);
  }
  if (mechanism == SpfMechanism::kA || mechanism == SpfMechanism::kMx) {
    if (!TakeBits(&rest, term)) {
      return WrongTerm(term->text, "expected a prefix length such as /24 or /24//64");
    }
  }
  if (rest.empty()) {
    const bool needed = mechanism == SpfMechanism::kInclude || mechanism == SpfMechanism::kExists;
    return needed ? WrongTerm(term->text, "expected a colon and a domain") : core::OkStatus();
  }
  if (rest[0] != ':') return WrongTerm(term->text, "expected a colon and a domain");
  term->domain = rest.substr(1);
  if (const core::Status status = CheckSpfDomain(term->domain); !status.ok()) {
    return WrongTerm(term->text, status.message());
  }
  return core::OkStatus();
}

core::Result<SpfTerm> ReadDirective(std::string_view text) {
  static constexpr std::pair<std::string_view, SpfMechanism> kMechanisms[] = {
      {"all", SpfMechanism::kAll}, {"include", SpfMechanism::kInclude}, {"a", SpfMechanism::kA},
      {"mx", SpfMechanism::kMx},   {"ptr", SpfMechanism::kPtr},         {"ip4", SpfMechanism::kIp4},
      {"ip6", SpfMechanism::kIp6}, {"exists", SpfMechanism::kExists}};
  SpfTerm term;
  term.text = text;
  if (std::string_view("+-~?").find(text[0]) != std::string_view::npos) {
    term.qualifier = text[0];
    text.remove_prefix(1);
  }
  const size_t end = std::min(text.find_first_of(":/"), text.size());
  const std::string name = core::ToLower(text.substr(0, end));
  const auto* const found = std::find_if(std::begin(kMechanisms), std::end(kMechanisms),
                                         [&](const auto& one) { return one.first == name; });
  if (found == std::end(kMechanisms)) {
    return WrongTerm(term.text, "\"" + name +
                                    "\" is no mechanism; expected all, include, a, mx, "
                                    "ptr, ip4, ip6 or exists");
  }
  term.mechanism = found->second;
  if (core::Status status = ReadArgument(text.substr(end), &term); !status.ok()) return status;
  return term;
}

// "name=value", with a name of letters, digits, '-', '_' and '.': not "a:x=y.example.com".
bool IsModifier(std::string_view term, size_t* equals) {
  *equals = term.find_first_of(":/=%");
  if (*equals == std::string_view::npos || *equals == 0 || term[*equals] != '=') return false;
  const char first = core::ToLower(term[0]);
  return first >= 'a' && first <= 'z';
}

core::Status ReadModifier(std::string_view term, size_t equals, SpfRecord* record,
                          bool* has_explanation) {
  const std::string name = core::ToLower(term.substr(0, equals));
  const std::string_view value = term.substr(equals + 1);
  const bool redirect = name == "redirect";
  if (!redirect && name != "exp") {
    const core::Status status = CheckSpfMacros(value);
    return status.ok() ? status : WrongTerm(term, status.message());
  }
  if (redirect ? !record->redirect.empty() : *has_explanation) {
    return WrongTerm(term, "\"" + name + "=\" stands there twice");
  }
  if (const core::Status status = CheckSpfDomain(value); !status.ok()) {
    return WrongTerm(term, status.message());
  }
  if (redirect) {
    record->redirect = value;
  } else {
    *has_explanation = true;
  }
  return core::OkStatus();
}

}  // namespace

bool IsSpfRecord(std::string_view text) {
  if (!StartsWithName(text, kVersion)) return false;
  return text.size() == kVersion.size() || text[kVersion.size()] == ' ';
}

core::Result<SpfRecord> ParseSpf(std::string_view text) {
  CHECK(IsSpfRecord(text));
  text.remove_prefix(kVersion.size());
  SpfRecord record;
  bool has_explanation = false;
  while (!text.empty()) {
    if (text[0] == ' ') {
      text.remove_prefix(1);
      continue;
    }
    const std::string_view term = text.substr(0, text.find(' '));
    text.remove_prefix(term.size());
    size_t equals = 0;
    if (IsModifier(term, &equals)) {
      core::Status status = ReadModifier(term, equals, &record, &has_explanation);
      if (!status.ok()) return status;
      continue;
    }
    core::Result<SpfTerm> read = ReadDirective(term);
    if (!read.ok()) return read.status();
    record.has_all = record.has_all || read->mechanism == SpfMechanism::kAll;
    record.terms.push_back(std::move(*read));
  }
  return record;
}

std::string WithSpfMechanism(std::string_view record, std::string_view mechanism) {
  size_t at = record.size();
  for (size_t begin = 0; begin < record.size();) {
    const size_t end = std::min(record.find(' ', begin), record.size());
    std::string_view term = record.substr(begin, end - begin);
    if (!term.empty() && std::string_view("+-~?").find(term[0]) != std::string_view::npos) {
      term.remove_prefix(1);
    }
    if (core::ToLower(term) == "all" || StartsWithName(term, "redirect=")) {
      at = begin;
      break;
    }
    begin = end + 1;
  }
  std::string result(record.substr(0, at));
  if (!result.empty() && result.back() != ' ') result += ' ';
  result += mechanism;
  if (at < record.size()) result += " " + std::string(record.substr(at));
  return result;
}

}  // namespace outbox::tools
