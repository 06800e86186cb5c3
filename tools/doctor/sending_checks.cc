#include "tools/doctor/sending_checks.h"

#include <algorithm>

#include "core/domain_name.h"
#include "tools/doctor/reverse_name.h"

namespace outbox::tools {
namespace {

using core::IpAddress;
using dns::AnswerKind;
using dns::AnswerPtr;
using dns::RecordType;

// Of one address; more than one is odd already.
constexpr size_t kPointersMax = 10;

RecordType TypeOf(const IpAddress& address) {
  return address.is_v4() ? RecordType::kA : RecordType::kAaaa;
}

bool Unanswered(const AnswerPtr& answer) {
  return answer->kind == AnswerKind::kFailed || answer->kind == AnswerKind::kInvalid;
}

bool Includes(const AnswerPtr& answer, const IpAddress& address) {
  const std::vector<IpAddress>& all = answer->addresses;
  return std::find(all.begin(), all.end(), address) != all.end();
}

// "192.0.2.1, 192.0.2.2", or "no address".
std::string ListOf(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.ToString();
  }
  return text.empty() ? "no address" : text;
}

std::string RecordLine(const std::string& name, const IpAddress& address) {
  return name + ". " + dns::RecordTypeName(TypeOf(address)) + " " + address.ToString();
}

// "relay.example.com" when we may advise it.
std::string NameToAskFor(const std::string& hostname) {
  return core::IsQualifiedDomainName(hostname) ? hostname : "a full name in a domain of yours";
}

std::string AskProvider(const IpAddress& address, const std::string& hostname) {
  return "Ask the provider of the address (the hosting company, or the carrier of your line) to "
         "set the PTR record of " +
         address.ToString() + " to " + NameToAskFor(hostname) +
         "; most have a page for \"reverse DNS\". With a network of your own, whoever runs its "
         "zone below " +
         (address.is_v4() ? "in-addr.arpa" : "ip6.arpa") + " sets it.";
}

void CheckForward(const IpAddress& address, const std::vector<std::string>& pointers,
                  const std::string& hostname, Names* names, Report* report) {
  const std::string what = address.ToString();
  std::string others;
  for (const std::string& name : pointers) {
    const AnswerPtr answer = names->Ask(name, TypeOf(address));
    if (Includes(answer, address)) {
      report->Ok(what, "the name " + name + " leads back to the address");
      return;
    }
    if (!others.empty()) others += "; ";
    others += name + (Unanswered(answer) ? " cannot be looked up: " + answer->failure
                                         : " has " + ListOf(answer->addresses));
  }
  report->Fail(what, "the PTR name does not lead back to the address: " + others,
               "In the DNS of the name's domain, add the record " +
                   RecordLine(pointers[0], address) +
                   "; or, if that is not your domain: " + AskProvider(address, hostname));
}

}  // namespace

void CheckPointer(const IpAddress& address, const std::string& hostname, Names* names,
                  Report* report) {
  const std::string what = address.ToString();
  const AnswerPtr answer = names->Ask(ReverseName(address), RecordType::kPtr);
  if (Unanswered(answer)) {
    report->Fail(what, "its PTR record cannot be looked up: " + answer->failure,
                 "Try again; if that stays so, the name servers of " + ReverseName(address) +
                     " do not answer: tell the provider of the address.");
    return;
  }
  if (answer->names.empty()) {
    report->Fail(what, "no PTR record; many receivers refuse mail from such an address",
                 AskProvider(address, hostname));
    return;
  }
  std::vector<std::string> pointers = answer->names;
  if (pointers.size() > kPointersMax) pointers.resize(kPointersMax);
  if (answer->names.size() == 1) {
    report->Ok(what, "PTR " + pointers[0]);
  } else {
    report->Warn(what,
                 std::to_string(answer->names.size()) + " PTR records, " + pointers[0] + " and " +
                     pointers[1] + " among them; receivers look at one of them, whichever",
                 "Ask the provider of the address to leave only one of them, best " +
                     NameToAskFor(hostname) + ".");
  }
  CheckForward(address, pointers, hostname, names, report);
  for (const std::string& name : pointers) {
    const std::string reason = GenericNameReason(name, address);
    if (reason.empty()) continue;
    report->Warn(
        what,
        "the PTR name " + name + " looks like a customer's line, not like a mail server: " + reason,
        AskProvider(address, hostname));
    break;
  }
  const std::string helo = core::ToLower(hostname);
  if (!core::IsQualifiedDomainName(helo)) return;
  if (std::find(pointers.begin(), pointers.end(), helo) != pointers.end()) return;
  report->Note(what, "its PTR name is not the HELO name " + helo +
                         "; that is allowed, and a few receivers compare them");
}

void CheckHelo(const std::string& hostname, const std::string& key,
               const std::vector<IpAddress>& addresses, Names* names, Report* report) {
  const std::string what = "HELO " + hostname;
  if (core::IsAddressLiteral(hostname)) {
    report->Warn(what, "an address literal; many receivers want a name",
                 "Set " + key + " to a full name that has the sending address.");
    return;
  }
  if (!core::IsQualifiedDomainName(hostname)) {
    report->Fail(what, "not a full name; receivers refuse it",
                 "Set " + key +
                     " to a full name such as mail.example.com that "
                     "has the sending address.");
    return;
  }
  const AnswerPtr v4 = names->Ask(hostname, RecordType::kA);
  const AnswerPtr v6 = names->Ask(hostname, RecordType::kAaaa);
  const std::string domain_dns = "In the DNS of the domain of " + hostname + ", add ";
  if (v4->addresses.empty() && v6->addresses.empty()) {
    if (Unanswered(v4) || Unanswered(v6)) {
      report->Fail(what, "cannot be looked up: " + (Unanswered(v4) ? v4->failure : v6->failure),
                   "Try again; if that stays so, the name servers of its domain do not answer: "
                   "tell whoever runs them.");
      return;
    }
    report->Fail(
        what,
        v4->kind == AnswerKind::kNoSuchName ? "the name does not exist" : "the name has no address",
        domain_dns +
            (addresses.empty() ? "a record for the sending address"
                               : "the record " + RecordLine(hostname, addresses[0])) +
            "; or set " + key + " to a name that has it.");
    return;
  }
  bool all = true;
  for (const IpAddress& address : addresses) {
    const AnswerPtr& answer = address.is_v4() ? v4 : v6;
    if (Includes(answer, address)) continue;
    all = false;
    if (Unanswered(answer)) {
      report->Fail(
          what, "whether it has " + address.ToString() + " cannot be looked up: " + answer->failure,
          "Try again; if that stays so, the name servers of its domain do not answer: "
          "tell whoever runs them.");
      continue;
    }
    report->Warn(what,
                 "is not the name of " + address.ToString() + ": it has " +
                     ListOf(answer->addresses) + " of that family",
                 domain_dns + "the record " + RecordLine(hostname, address) + ".");
  }
  if (!all) return;
  std::vector<IpAddress> both = v4->addresses;
  both.insert(both.end(), v6->addresses.begin(), v6->addresses.end());
  report->Ok(what, "resolves to " + ListOf(both));
}

}  // namespace outbox::tools
