#include "tools/doctor/policy_checks.h"

#include <algorithm>
#include <optional>

#include "core/domain_name.h"
#include "tools/doctor/dkim_key.h"
#include "tools/doctor/dmarc_record.h"

namespace outbox::tools {
namespace {

using dns::AnswerKind;
using dns::AnswerPtr;
using dns::RecordType;

constexpr uint32_t kRsaBitsMin = 1024;   // RFC 8301 3.2: verifiers must not take less
constexpr uint32_t kRsaBitsGood = 2048;  // likewise: signers should have
constexpr uint32_t kRsaBitsMax = 4096;   // what verifiers must be able to handle
// Labels that a name may have above it: so often is a DMARC record looked for.
constexpr size_t kDmarcSteps = 5;

bool NotAnswered(const AnswerPtr& answer) {
  return answer->kind == AnswerKind::kFailed || answer->kind == AnswerKind::kInvalid;
}

std::string InDnsOf(const std::string& domain) { return "In the DNS of " + domain; }

std::string TryAgain(const std::string& domain) {
  return "Try again; if that stays so, the name servers of " + domain +
         " do not answer: tell whoever runs them.";
}

// The labels behind the first one; "" when fewer than two are left.
std::string ParentOf(const std::string& domain) {
  const size_t dot = domain.find('.');
  if (dot == std::string::npos) return "";
  std::string parent = domain.substr(dot + 1);
  return parent.find('.') == std::string::npos ? "" : parent;
}

bool SameOrBelow(const std::string& name, const std::string& domain) {
  return name == domain || name.ends_with("." + domain);
}

// The one DMARC record of a domain. False: there is none, or more than one (RFC 7489 6.6.3: that is
// none), or no answer; the last two are reported.
bool FindDmarc(const std::string& domain, Names* names, Report* report, std::string* record,
               bool* reported) {
  const AnswerPtr answer = names->Ask("_dmarc." + domain, RecordType::kTxt);
  if (NotAnswered(answer)) {
    report->Fail(domain, "the DMARC record cannot be looked up: " + answer->failure,
                 TryAgain(domain));
    *reported = true;
    return false;
  }
  size_t found = 0;
  for (const std::string& text : answer->texts) {
    if (!IsDmarcRecord(text)) continue;
    ++found;
    *record = text;
  }
  if (found > 1) {
    report->Fail(domain,
                 std::to_string(found) + " DMARC records at _dmarc." + domain +
                     "; receivers take that for none",
                 InDnsOf(domain) + ", leave only one of them.");
    *reported = true;
  }
  return found == 1;
}

// RFC 7489 7.1: another domain must agree to get reports.
void CheckReportDomains(const std::string& domain, const DmarcRecord& record, Names* names,
                        Report* report) {
  for (const std::string& other : record.report_domains) {
    if (SameOrBelow(other, domain) || SameOrBelow(domain, other)) continue;
    const AnswerPtr answer = names->Ask(domain + "._report._dmarc." + other, RecordType::kTxt);
    const bool agrees = std::any_of(answer->texts.begin(), answer->texts.end(), IsDmarcRecord);
    if (agrees) continue;
    report->Warn(
        domain,
        NotAnswered(answer)
            ? "whether " + other + " takes its reports cannot be looked up: " + answer->failure
            : other + " has not said that it takes reports about " + domain +
                  ", so none are sent there",
        InDnsOf(other) + ", add the TXT record " + domain + "._report._dmarc." + other +
            ". \"v=DMARC1\"; or have the reports sent to an address in " + domain + ".");
  }
}

// Whether what is published is what signs. A bare RSAPublicKey is the end of the whole.
bool IsOurs(const DkimKey& key, const OurKey& ours) {
  return key.bare ? ours.public_key.ends_with(key.bytes) : ours.public_key == key.bytes;
}

void JudgeKey(const std::string& what, const DkimKey& key, const std::string& domain,
              const OurKey* ours, Report* report) {
  const std::string publish = InDnsOf(domain) +
                              ", publish a new key under another selector, sign "
                              "with it, and take this one away a week later.";
  const std::string size = std::to_string(key.bits) + " bits";
  if (key.type == "ed25519") {
    report->Ok(what, "an ed25519 key");
    if (ours == nullptr || !ours->with_rsa) {
      report->Note(what, "many receivers cannot check ed25519 yet: sign with an RSA key as well");
    }
  } else if (key.bits < kRsaBitsMin) {
    report->Fail(what, "an RSA key of " + size + "; receivers ignore keys of less than 1024",
                 publish + " 2048 bits are right.");
  } else if (key.bits < kRsaBitsGood) {
    report->Warn(what, "an RSA key of " + size + "; less than 2048 are too few for some receivers",
                 publish + " 2048 bits are right.");
  } else if (key.bits > kRsaBitsMax) {
    report->Warn(what, "an RSA key of " + size + "; receivers need not take more than 4096",
                 publish + " 2048 bits are right.");
  } else {
    report->Ok(what, "an RSA key of " + size);
  }
  if (key.bare) {
    report->Warn(what, "the key is a bare RSAPublicKey, which many verifiers cannot read",
                 InDnsOf(domain) +
                     ", publish it as SubjectPublicKeyInfo: what `openssl rsa "
                     "-pubout` prints, without its first and last line.");
  }
  if (key.testing) {
    report->Note(what,
                 "t=y: receivers may treat its signatures as if they were not there; take "
                 "that away when all is tried");
  }
}

}  // namespace

void CheckDomain(const std::string& domain, Names* names, Report* report) {
  const AnswerPtr mx = names->Ask(domain, RecordType::kMx);
  const std::string add_mx = InDnsOf(domain) +
                             ", add an MX record for the host that takes its "
                             "mail, or send with a domain that has one.";
  if (NotAnswered(mx)) {
    report->Fail(domain, "its MX records cannot be looked up: " + mx->failure, TryAgain(domain));
    return;
  }
  if (mx->kind == AnswerKind::kNoSuchName) {
    report->Fail(domain, "the domain does not exist; receivers refuse such a sender",
                 "Send with a domain that exists, or register it; look for a typing error first.");
    return;
  }
  if (!mx->mx.empty()) {
    const bool null_mx = std::all_of(mx->mx.begin(), mx->mx.end(),
                                     [](const dns::MxRecord& one) { return one.name == "."; });
    if (null_mx) {
      report->Fail(domain,
                   "the null MX: the domain takes no mail, and receivers refuse it as a "
                   "sender (RFC 7505)",
                   add_mx);
    } else {
      report->Ok(domain, "takes mail: MX " + mx->mx[0].name);
    }
    return;
  }
  const bool address = !names->Ask(domain, RecordType::kA)->addresses.empty() ||
                       !names->Ask(domain, RecordType::kAaaa)->addresses.empty();
  if (address) {
    report->Note(domain, "no MX record: its mail goes to the address of the name itself");
  } else {
    report->Fail(domain,
                 "neither an MX record nor an address: replies and bounces get nowhere, "
                 "and receivers refuse such a sender",
                 add_mx);
  }
}

void CheckDkim(const std::string& domain, const std::string& selector, const OurKey* ours,
               Names* names, Report* report) {
  const std::string name = selector + "._domainkey." + domain;
  const std::string publish =
      ours != nullptr
          ? InDnsOf(domain) + ", add (or change) " + ours->zone_line + "."
          : InDnsOf(domain) + ", add a TXT record " + name +
                ". \"v=DKIM1; k=rsa; p=...\" with the public key of the pair that signs.";
  if (!core::IsDomainName(name)) {
    report->Fail(name, "no name of the DNS", "Give the selector as it stands in s= of signatures.");
    return;
  }
  const AnswerPtr answer = names->Ask(name, RecordType::kTxt);
  if (NotAnswered(answer)) {
    report->Fail(name, "cannot be looked up: " + answer->failure, TryAgain(domain));
    return;
  }
  if (answer->texts.empty()) {
    report->Fail(name, "no TXT record: what is signed with this selector cannot be verified",
                 publish);
    return;
  }
  if (answer->texts.size() > 1) {
    report->Fail(name,
                 std::to_string(answer->texts.size()) +
                     " TXT records; which of them receivers take is chance",
                 InDnsOf(domain) + ", leave only the one with the key.");
    return;
  }
  const core::Result<DkimKey> key = ParseDkimKey(answer->texts[0]);
  if (!key.ok()) {
    report->Fail(name, "no usable key: " + key.status().message(), publish);
    return;
  }
  if (key->revoked) {
    report->Fail(name, "the key is revoked (p= is empty): signatures with it fail",
                 "Sign with another selector whose key is published.");
    return;
  }
  if (ours != nullptr && !IsOurs(*key, *ours)) {
    report->Fail(name, "another key than the one that signs: receivers find the signatures false",
                 publish);
    return;
  }
  JudgeKey(name, *key, domain, ours, report);
}

void CheckDmarc(const std::string& domain, Names* names, Report* report) {
  std::string at = domain;
  std::string text;
  bool reported = false;
  for (size_t step = 0; step < kDmarcSteps && !at.empty(); ++step, at = ParentOf(at)) {
    if (FindDmarc(at, names, report, &text, &reported)) break;
    if (reported) return;
  }
  if (text.empty()) {
    report->Warn(domain,
                 "no DMARC record; the largest mailbox providers want one from whoever sends much",
                 InDnsOf(domain) + ", add the TXT record _dmarc." + domain +
                     ". \"v=DMARC1; p=none; rua=mailto:dmarc@" + domain +
                     "\" and read the reports before you choose quarantine or reject.");
    return;
  }
  const core::Result<DmarcRecord> record = ParseDmarc(text);
  if (!record.ok()) {
    report->Fail(domain, "the DMARC record of " + at + " is invalid: " + record.status().message(),
                 InDnsOf(at) + ", correct the TXT record _dmarc." + at + ".");
    return;
  }
  const bool own = at == domain;
  const std::string& policy = own ? record->policy : record->subdomain_policy;
  std::string found = own ? "policy " : "the policy of " + at + " holds: ";
  found += policy;
  if (policy != "none" && record->percent < 100) {
    found += " for " + std::to_string(record->percent) + " of 100 messages";
  }
  if (policy == "none") {
    report->Note(domain, found + ": receivers report forgeries and deliver them");
  } else {
    report->Ok(domain, found);
  }
  if (record->report_domains.empty()) {
    report->Note(domain,
                 "no reports are asked for (rua): forgeries, and mail of yours that fails, "
                 "go unseen");
  }
  CheckReportDomains(at, *record, names, report);
}

}  // namespace outbox::tools
