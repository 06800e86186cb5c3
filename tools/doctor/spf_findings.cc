// What the doctor makes of SPF verdicts: apart from policy_checks.cc, which has the other policies.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tools/doctor/policy_checks.h"
#include "tools/doctor/spf_check.h"
#include "tools/doctor/spf_record.h"

namespace outbox::tools {
namespace {

std::string MechanismFor(const core::IpAddress& address) {
  return (address.is_v4() ? "ip4:" : "ip6:") + address.ToString();
}

std::string NewRecord(const std::vector<core::IpAddress>& addresses) {
  std::string record = "v=spf1";
  for (const core::IpAddress& address : addresses) record += " " + MechanismFor(address);
  return record + (addresses.empty() ? " mx ~all" : " ~all");
}

// What to do about a record that does not give the address a pass.
std::string FixOf(const SpfVerdict& verdict, const std::string& domain,
                  const std::optional<core::IpAddress>& address) {
  const std::string in_dns = "In the DNS of " + domain + ", ";
  switch (verdict.result) {
    case SpfResult::kNone:
      return in_dns + "add the TXT record " + domain + ". \"" +
             NewRecord(address ? std::vector{*address} : std::vector<core::IpAddress>()) + "\".";
    case SpfResult::kTempError:
      return "Try again; if that stays so, the name servers that are named do not answer: tell "
             "whoever runs them.";
    case SpfResult::kPermError:
      return verdict.record.empty()
                 ? in_dns + "leave only one TXT record that begins with v=spf1, with what both say."
                 : in_dns + "correct the TXT record \"" + verdict.record +
                       "\"; of an included record, tell whoever publishes it.";
    default:
      return in_dns + "change the TXT record to \"" +
             WithSpfMechanism(verdict.record, MechanismFor(*address)) + "\".";
  }
}

std::string Sentence(const SpfVerdict& verdict, const core::IpAddress& address) {
  return std::string(SpfResultName(verdict.result)) + " for " + address.ToString() + ": " +
         verdict.reason;
}

// What does not depend on the address: what strangers of its family get, and what it takes. An
// error that `said` has is known already.
void CheckRecord(const std::string& domain, const std::string& hostname,
                 const core::IpAddress& address, const std::vector<std::string>& said, Names* names,
                 Report* report) {
  SpfQuestion question;
  question.address = address;
  question.domain = domain;
  question.helo = hostname;
  question.match_nothing = true;
  const SpfVerdict verdict = CheckSpf(question, names);
  const std::string in_dns = "In the DNS of " + domain + ", ";
  if (verdict.result == SpfResult::kPass) {
    report->Fail(domain, "everybody passes: " + verdict.reason,
                 in_dns + "let the record end in ~all or -all.");
  } else if (verdict.result == SpfResult::kNeutral) {
    report->Warn(domain, "it says nothing about strangers: " + verdict.reason,
                 in_dns + "let the record end in ~all, or -all when all senders are listed.");
  } else if (verdict.result == SpfResult::kPermError && verdict.lookups > kSpfLookupsMax) {
    report->Warn(domain,
                 "takes more than the 10 lookups that are allowed, for an address that none of "
                 "the first terms matches: receivers then take the record for an error",
                 in_dns +
                     "replace include, a and mx by the networks that they stand for (ip4, "
                     "ip6), or take away those that are not needed.");
  } else if (verdict.result == SpfResult::kFail || verdict.result == SpfResult::kSoftFail) {
    report->Ok(domain, "strangers get " + std::string(SpfResultName(verdict.result)) + ", after " +
                           std::to_string(verdict.lookups) + " of 10 lookups");
  } else if (std::find(said.begin(), said.end(), verdict.reason) == said.end()) {
    report->Fail(
        domain,
        "strangers get " + std::string(SpfResultName(verdict.result)) + ": " + verdict.reason,
        FixOf(verdict, domain, {}));
  }
  if (verdict.uses_ptr) {
    report->Note(domain,
                 "it uses \"ptr\", which is slow, and which some receivers ignore (RFC "
                 "7208 5.5)");
  }
}

SpfVerdict VerdictOf(const std::string& domain, const std::string& hostname,
                     const core::IpAddress& address, Names* names) {
  SpfQuestion question;
  question.address = address;
  question.domain = domain;
  question.helo = hostname;
  return CheckSpf(question, names);
}

}  // namespace

void CheckSenderPolicy(const std::string& domain, const std::string& hostname,
                       const std::vector<core::IpAddress>& addresses, Names* names,
                       Report* report) {
  std::vector<std::string> said;
  for (const core::IpAddress& address : addresses) {
    const SpfVerdict verdict = VerdictOf(domain, hostname, address, names);
    said.push_back(verdict.reason);
    if (verdict.result == SpfResult::kPass) {
      report->Ok(domain, Sentence(verdict, address));
    } else if (verdict.result == SpfResult::kNone) {
      report->Fail(domain, verdict.reason + "; many receivers distrust mail without one",
                   "In the DNS of " + domain + ", add the TXT record " + domain + ". \"" +
                       NewRecord(addresses) + "\".");
      return;
    } else if (verdict.result == SpfResult::kNeutral) {
      report->Warn(domain, Sentence(verdict, address), FixOf(verdict, domain, address));
    } else {
      report->Fail(domain, Sentence(verdict, address), FixOf(verdict, domain, address));
    }
  }
  const core::IpAddress family =
      addresses.empty() ? core::IpAddress::V4(192, 0, 2, 1) : addresses[0];
  CheckRecord(domain, hostname, family, said, names, report);
}

void CheckHeloPolicy(const std::string& hostname, const std::vector<core::IpAddress>& addresses,
                     Names* names, Report* report) {
  for (const core::IpAddress& address : addresses) {
    const SpfVerdict verdict = VerdictOf(hostname, hostname, address, names);
    if (verdict.result == SpfResult::kPass) {
      report->Ok(hostname, "of the HELO name, for bounces: " + Sentence(verdict, address));
    } else if (verdict.result == SpfResult::kNone) {
      report->Note(hostname, "of the HELO name, for bounces: " + verdict.reason,
                   "TXT \"v=spf1 a -all\" there would let bounces pass.");
      return;
    } else {
      report->Warn(hostname, "of the HELO name, for bounces: " + Sentence(verdict, address),
                   FixOf(verdict, hostname, address));
    }
  }
}

}  // namespace outbox::tools
