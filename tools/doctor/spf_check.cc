#include "tools/doctor/spf_check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/domain_name.h"
#include "tools/doctor/reverse_name.h"
#include "tools/doctor/spf_macro.h"
#include "tools/doctor/spf_record.h"

namespace outbox::tools {
namespace {

using dns::AnswerKind;
using dns::AnswerPtr;
using dns::RecordType;

constexpr size_t kNameBytesMax = 253;
// RFC 7208 4.6.4: of one MX or PTR answer.
constexpr size_t kHostsMax = 10;

enum class Match : uint8_t { kNo, kYes, kTempError, kPermError };

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

bool SamePrefix(const core::IpAddress& one, const core::IpAddress& other, int bits) {
  if (one.is_v4() != other.is_v4()) return false;
  if (one.is_v4()) bits += 96;
  const size_t whole = static_cast<size_t>(bits / 8);
  if (!std::equal(one.octets().begin(), one.octets().begin() + static_cast<ptrdiff_t>(whole),
                  other.octets().begin())) {
    return false;
  }
  const int rest = bits % 8;
  return rest == 0 || ((one.octets()[whole] ^ other.octets()[whole]) >> (8 - rest)) == 0;
}

// RFC 7208 4.3 and 7.3: lower case, no final dot; a name that is too long loses labels on its left.
std::string Fitted(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  while (name.size() > kNameBytesMax) {
    const size_t dot = name.find('.');
    if (dot == std::string::npos) break;
    name.erase(0, dot + 1);
  }
  return core::ToLower(name);
}

bool IsBelow(std::string_view name, std::string_view domain) {
  return name.size() > domain.size() && name.ends_with(domain) &&
         name[name.size() - domain.size() - 1] == '.';
}

class SpfEvaluation {
 public:
  SpfEvaluation(const SpfQuestion& question, Names* names) : question_(question), names_(names) {}

  SpfVerdict Run() {
    verdict_.result = CheckHost(Fitted(question_.domain), true);
    verdict_.lookups = lookups_;
    return std::move(verdict_);
  }

 private:
  SpfResult CheckHost(const std::string& domain, bool outermost);
  SpfResult Evaluate(const std::string& domain, const SpfRecord& record);
  SpfResult Redirect(const std::string& domain, const SpfRecord& record);
  Match Matches(const std::string& domain, const SpfTerm& term);
  Match MatchInclude(const std::string& domain, const SpfTerm& term, const std::string& target);
  Match MatchAddresses(const SpfTerm& term, const std::string& host);
  Match MatchMx(const SpfTerm& term, const std::string& target);
  Match MatchPtr(const std::string& target);
  Match MatchExists(const std::string& target);

  // Null: too many of these had nothing to say.
  AnswerPtr Ask(const std::string& name, RecordType type);
  Match Unanswered(const AnswerPtr& answer, const std::string& name, RecordType type);
  bool CountLookup();
  const std::vector<std::string>& ValidatedNames();
  std::string Target(const std::string& domain, const std::string& spec);
  SpfResult Give(SpfResult result, std::string reason) {
    verdict_.reason = std::move(reason);
    return result;
  }
  RecordType family() const {
    return question_.address.is_v4() ? RecordType::kA : RecordType::kAaaa;
  }

  const SpfQuestion& question_;
  Names* const names_;
  SpfVerdict verdict_;
  uint32_t lookups_ = 0;
  uint32_t void_lookups_ = 0;
  bool validated_ = false;
  std::vector<std::string> validated_names_;
};

SpfResult SpfEvaluation::CheckHost(const std::string& domain, bool outermost) {
  if (!core::IsQualifiedDomainName(domain)) {
    return Give(SpfResult::kNone, Quoted(domain) + " is no domain that could have a record");
  }
  // Not counted as void: RFC 7208 has another result for it.
  const AnswerPtr answer = names_->Ask(domain, RecordType::kTxt);
  if (answer->kind == AnswerKind::kFailed || answer->kind == AnswerKind::kInvalid) {
    return Give(SpfResult::kTempError, "the DNS does not answer for the TXT records of " + domain +
                                           ": " + answer->failure);
  }
  std::vector<std::string_view> records;
  for (const std::string& text : answer->texts) {
    if (IsSpfRecord(text)) records.emplace_back(text);
  }
  if (records.empty()) {
    return Give(SpfResult::kNone, answer->kind == AnswerKind::kNoSuchName
                                      ? domain + " does not exist"
                                      : domain + " has no SPF record");
  }
  if (records.size() > 1) {
    return Give(SpfResult::kPermError, domain + " has " + std::to_string(records.size()) +
                                           " SPF records; exactly one is allowed");
  }
  if (outermost) verdict_.record = records[0];
  const core::Result<SpfRecord> record = ParseSpf(records[0]);
  if (!record.ok()) {
    return Give(SpfResult::kPermError,
                "the SPF record of " + domain + " is invalid: " + record.status().message());
  }
  if (outermost) verdict_.open_ended = !record->has_all && record->redirect.empty();
  return Evaluate(domain, *record);
}

SpfResult SpfEvaluation::Evaluate(const std::string& domain, const SpfRecord& record) {
  for (const SpfTerm& term : record.terms) {
    switch (Matches(domain, term)) {
      case Match::kNo:
        continue;
      case Match::kTempError:
        return SpfResult::kTempError;
      case Match::kPermError:
        return SpfResult::kPermError;
      case Match::kYes:
        break;
    }
    if (term.mechanism != SpfMechanism::kInclude) {
      verdict_.reason = Quoted(term.text) + " of " + domain + " matches";
    }
    switch (term.qualifier) {
      case '-':
        return SpfResult::kFail;
      case '~':
        return SpfResult::kSoftFail;
      case '?':
        return SpfResult::kNeutral;
      default:
        return SpfResult::kPass;
    }
  }
  if (!record.redirect.empty()) return Redirect(domain, record);
  return Give(SpfResult::kNeutral, "nothing in the record of " + domain + " matches");
}

SpfResult SpfEvaluation::Redirect(const std::string& domain, const SpfRecord& record) {
  if (!CountLookup()) return SpfResult::kPermError;
  const std::string target = Target(domain, record.redirect);
  const SpfResult result = CheckHost(target, false);
  if (result != SpfResult::kNone) return result;
  return Give(SpfResult::kPermError,
              "\"redirect=" + record.redirect + "\" of " + domain + ": " + verdict_.reason);
}

Match SpfEvaluation::Matches(const std::string& domain, const SpfTerm& term) {
  switch (term.mechanism) {
    case SpfMechanism::kAll:
      return Match::kYes;
    case SpfMechanism::kIp4:
    case SpfMechanism::kIp6: {
      const bool v4 = term.mechanism == SpfMechanism::kIp4;
      const bool same =
          SamePrefix(question_.address, term.address, v4 ? term.ip4_bits : term.ip6_bits);
      return same && !question_.match_nothing ? Match::kYes : Match::kNo;
    }
    default:
      break;
  }
  if (!CountLookup()) return Match::kPermError;
  const std::string target = Target(domain, term.domain);
  switch (term.mechanism) {
    case SpfMechanism::kInclude:
      return MatchInclude(domain, term, target);
    case SpfMechanism::kA:
      return MatchAddresses(term, target);
    case SpfMechanism::kMx:
      return MatchMx(term, target);
    case SpfMechanism::kPtr:
      return MatchPtr(target);
    default:
      return MatchExists(target);
  }
}

// RFC 7208 5.2.
Match SpfEvaluation::MatchInclude(const std::string& domain, const SpfTerm& term,
                                  const std::string& target) {
  const SpfResult result = CheckHost(target, false);
  const std::string at = Quoted(term.text) + " of " + domain;
  switch (result) {
    case SpfResult::kPass:
      verdict_.reason = at + " matches: " + verdict_.reason;
      return Match::kYes;
    case SpfResult::kTempError:
      return Match::kTempError;
    case SpfResult::kPermError:
      return Match::kPermError;
    case SpfResult::kNone:
      verdict_.reason = at + ": " + verdict_.reason;
      return Match::kPermError;
    default:
      return Match::kNo;
  }
}

Match SpfEvaluation::MatchAddresses(const SpfTerm& term, const std::string& host) {
  const AnswerPtr answer = Ask(host, family());
  if (answer == nullptr || answer->kind != AnswerKind::kRecords) {
    return Unanswered(answer, host, family());
  }
  const int bits = question_.address.is_v4() ? term.ip4_bits : term.ip6_bits;
  const bool found = std::any_of(
      answer->addresses.begin(), answer->addresses.end(),
      [&](const core::IpAddress& one) { return SamePrefix(question_.address, one, bits); });
  return found && !question_.match_nothing ? Match::kYes : Match::kNo;
}

Match SpfEvaluation::MatchMx(const SpfTerm& term, const std::string& target) {
  const AnswerPtr answer = Ask(target, RecordType::kMx);
  if (answer == nullptr || answer->kind != AnswerKind::kRecords) {
    return Unanswered(answer, target, RecordType::kMx);
  }
  if (answer->mx.size() > kHostsMax) {
    verdict_.reason = target + " has " + std::to_string(answer->mx.size()) +
                      " MX records; more than 10 are too many for \"mx\"";
    return Match::kPermError;
  }
  for (const dns::MxRecord& mx : answer->mx) {
    if (mx.name == ".") continue;
    const Match match = MatchAddresses(term, mx.name);
    if (match != Match::kNo) return match;
  }
  return Match::kNo;
}

// RFC 7208 5.5: an error means that it does not match.
Match SpfEvaluation::MatchPtr(const std::string& target) {
  verdict_.uses_ptr = true;
  const std::vector<std::string>& names = ValidatedNames();
  const bool found = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == target || IsBelow(name, target);
  });
  return found && !question_.match_nothing ? Match::kYes : Match::kNo;
}

// RFC 7208 5.7: always A, whatever the family of the address.
Match SpfEvaluation::MatchExists(const std::string& target) {
  const AnswerPtr answer = Ask(target, RecordType::kA);
  if (answer == nullptr || answer->kind != AnswerKind::kRecords) {
    return Unanswered(answer, target, RecordType::kA);
  }
  return question_.match_nothing ? Match::kNo : Match::kYes;
}

AnswerPtr SpfEvaluation::Ask(const std::string& name, RecordType type) {
  const AnswerPtr answer = names_->Ask(name, type);
  const bool is_void =
      answer->kind == AnswerKind::kNoData || answer->kind == AnswerKind::kNoSuchName;
  if (!is_void || ++void_lookups_ <= kSpfVoidLookupsMax) return answer;
  verdict_.reason = "more than two lookups find nothing, the last of them " + name + " (" +
                    dns::RecordTypeName(type) + ")";
  return nullptr;
}

Match SpfEvaluation::Unanswered(const AnswerPtr& answer, const std::string& name, RecordType type) {
  if (answer == nullptr) return Match::kPermError;
  if (answer->kind == AnswerKind::kNoData || answer->kind == AnswerKind::kNoSuchName) {
    return Match::kNo;
  }
  verdict_.reason = std::string("the DNS does not answer for the ") + dns::RecordTypeName(type) +
                    " records of " + name + ": " + answer->failure;
  return Match::kTempError;
}

bool SpfEvaluation::CountLookup() {
  if (++lookups_ <= kSpfLookupsMax) return true;
  verdict_.reason = "it takes more than 10 lookups to evaluate";
  return false;
}

// The names of the address whose addresses include it: at most ten are looked at.
const std::vector<std::string>& SpfEvaluation::ValidatedNames() {
  if (std::exchange(validated_, true)) return validated_names_;
  const AnswerPtr names = names_->Ask(ReverseName(question_.address), RecordType::kPtr);
  for (size_t i = 0; i < std::min(names->names.size(), kHostsMax); ++i) {
    const AnswerPtr addresses = names_->Ask(names->names[i], family());
    const std::vector<core::IpAddress>& all = addresses->addresses;
    if (std::find(all.begin(), all.end(), question_.address) != all.end()) {
      validated_names_.push_back(names->names[i]);
    }
  }
  return validated_names_;
}

std::string SpfEvaluation::Target(const std::string& domain, const std::string& spec) {
  if (spec.empty()) return domain;
  SpfMacroValues values;
  values.local_part = question_.local_part;
  values.sender_domain = question_.domain;
  values.domain = domain;
  values.helo = question_.helo;
  values.address = question_.address;
  values.validated = "unknown";
  if (SpfUsesValidatedName(spec)) {
    // The domain itself, else one below it, else any.
    const auto rank = [&](const std::string& name) {
      return name == domain ? 0 : IsBelow(name, domain) ? 1 : 2;
    };
    const std::vector<std::string>& names = ValidatedNames();
    const auto best = std::min_element(
        names.begin(), names.end(),
        [&](const std::string& one, const std::string& other) { return rank(one) < rank(other); });
    if (best != names.end()) values.validated = *best;
  }
  return Fitted(ExpandSpf(spec, values));
}

}  // namespace

const char* SpfResultName(SpfResult result) {
  switch (result) {
    case SpfResult::kNone:
      return "none";
    case SpfResult::kNeutral:
      return "neutral";
    case SpfResult::kPass:
      return "pass";
    case SpfResult::kFail:
      return "fail";
    case SpfResult::kSoftFail:
      return "softfail";
    case SpfResult::kTempError:
      return "temperror";
    case SpfResult::kPermError:
      return "permerror";
  }
  return "?";
}

SpfVerdict CheckSpf(const SpfQuestion& question, Names* names) {
  return SpfEvaluation(question, names).Run();
}

}  // namespace outbox::tools
