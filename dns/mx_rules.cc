#include "dns/mx_rules.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "dns/codec.h"

namespace outbox::dns {
namespace {

constexpr size_t kNamesShown = 6;        // of the hosts in a sentence
constexpr size_t kReasonBytesMax = 800;  // a longer one is cut

// A name that can be a host: not an address that somebody took for one.
bool IsHostName(std::string_view name) {
  return CanAskFor(name) && !core::IpAddress::Parse(name).ok();
}

// What one can connect to: no wildcard, no multicast, no broadcast, nothing of 0.0.0.0/8.
bool IsUsable(const core::IpAddress& address) {
  const std::array<uint8_t, 16>& octets = address.octets();
  if (address.is_any()) return false;
  if (address.is_v4()) return octets[12] != 0 && octets[12] < 224;
  return octets[0] != 0xff;
}

std::string Source(const Answer& answer) {
  return answer.server.empty() ? std::string() : ", says " + answer.server;
}

// When a plan without hosts is asked again.
int64_t AskAgain(int64_t expires_ns, int64_t now_ns) {
  if (expires_ns <= now_ns) return now_ns + core::kDnsRetryNominalNs;
  return std::clamp(expires_ns, now_ns + core::kDnsRetryMinNs, now_ns + core::kDnsRetryMaxNs);
}

void Conclude(MxPlan* plan, MxPlanKind kind, std::string reason, int64_t valid_until_ns) {
  plan->kind = kind;
  plan->reason = std::move(reason);
  if (plan->reason.size() > kReasonBytesMax) {
    plan->reason.resize(kReasonBytesMax);
    plan->reason += " ...";
  }
  plan->valid_until_ns = valid_until_ns;
  if (kind != MxPlanKind::kHosts) plan->hosts.clear();
}

// "10 a.example, 20 b.example and 3 more".
std::string Names(const std::vector<MxHost>& hosts, bool preferences) {
  std::string text;
  for (size_t i = 0; i < hosts.size() && i < kNamesShown; ++i) {
    if (i > 0) text += ", ";
    if (preferences) text += std::to_string(hosts[i].preference) + " ";
    text += hosts[i].name;
  }
  if (hosts.size() > kNamesShown) {
    text += " and " + std::to_string(hosts.size() - kNamesShown) + " more";
  }
  return text;
}

// The hosts that MX records name, by preference, each once.
std::vector<MxHost> SortedHosts(const std::vector<MxRecord>& records) {
  std::vector<MxHost> hosts;
  for (const MxRecord& record : records) {
    if (IsHostName(record.name)) hosts.push_back({record.name, record.preference, {}});
  }
  const auto key = [](const MxHost& host) { return std::pair(host.preference, host.name); };
  std::sort(hosts.begin(), hosts.end(),
            [&](const MxHost& a, const MxHost& b) { return key(a) < key(b); });
  std::vector<MxHost> unique;
  for (MxHost& host : hosts) {
    const bool known = std::any_of(unique.begin(), unique.end(),
                                   [&](const MxHost& other) { return other.name == host.name; });
    if (!known) unique.push_back(std::move(host));
  }
  return unique;
}

std::string InvalidNames(const std::vector<MxRecord>& records) {
  std::vector<MxHost> all;
  for (const MxRecord& record : records) all.push_back({record.name, record.preference, {}});
  return Names(all, true);
}

// RFC 5321 5.1: what is not better than ourselves is left out. `names` and `addresses` of the hosts
// are compared, so it serves both steps. Returns our name among the hosts, or nothing.
std::optional<std::string> CutAtSelf(const Self& self, std::vector<MxHost>* hosts) {
  std::optional<uint16_t> own;
  std::string name;
  for (const MxHost& host : *hosts) {
    const bool is_self =
        self.Has(host.name) || std::any_of(host.addresses.begin(), host.addresses.end(),
                                           [&](const core::IpAddress& a) { return self.Has(a); });
    if (!is_self || (own && *own <= host.preference)) continue;
    own = host.preference;
    name = host.name;
  }
  if (!own) return std::nullopt;
  std::erase_if(*hosts, [&](const MxHost& host) { return host.preference >= *own; });
  return name;
}

void ConcludeSelf(const std::string& name, int64_t now_ns, MxDraft* draft) {
  MxPlan* const plan = &draft->plan;
  std::string reason =
      plan->implicit
          ? plan->domain + " has no MX record and is this machine itself"
          : "the best mail host of " + plan->domain + ", " + name + ", is this machine itself";
  Conclude(plan, MxPlanKind::kSelf, reason + draft->source, AskAgain(draft->expires_ns, now_ns));
  draft->done = true;
}

void JudgeRecords(const Answer& mx, const Self& self, int64_t now_ns, MxDraft* draft) {
  MxPlan* const plan = &draft->plan;
  draft->done = true;
  const bool null_mx = std::all_of(mx.mx.begin(), mx.mx.end(),
                                   [](const MxRecord& record) { return record.name == "."; });
  const int64_t again_ns = AskAgain(mx.expires_ns, now_ns);
  if (null_mx) {
    return Conclude(plan, MxPlanKind::kNullMx,
                    plan->domain + " takes no mail: it has a null MX record" + draft->source,
                    again_ns);
  }
  plan->hosts = SortedHosts(mx.mx);
  if (plan->hosts.empty()) {
    return Conclude(plan, MxPlanKind::kInvalid,
                    "the MX records of " + plan->domain +
                        " name nothing that can be a host: " + InvalidNames(mx.mx) + draft->source,
                    again_ns);
  }
  const std::optional<std::string> own = CutAtSelf(self, &plan->hosts);
  if (plan->hosts.empty()) return ConcludeSelf(*own, now_ns, draft);
  if (plan->hosts.size() > core::kDnsHostsMax) plan->hosts.resize(core::kDnsHostsMax);
  draft->done = false;
}

// --- The second step -----------------------------------------------------------------------------

// What the hosts' answers amount to.
struct Summary {
  int64_t expires_ns = core::kNever;
  bool incomplete = false;  // something is not known now
  std::string failures;     // of the hosts without an address: "a.example (no such name)"
};

const char* WhyNoAddress(const Answer& answer) {
  switch (answer.kind) {
    case AnswerKind::kNoSuchName:
      return "no such name";
    case AnswerKind::kInvalid:
      return "its aliases lead nowhere";
    default:
      return "no usable address";
  }
}

void AddAnswer(const AnswerPtr& answer, int64_t now_ns, MxHost* host, Summary* summary,
               std::string* why) {
  if (answer == nullptr) return;
  if (answer->kind == AnswerKind::kFailed) {
    summary->incomplete = true;
    *why = answer->failure;
    return;
  }
  // A negative answer without a TTL: for the nominal time.
  const bool timeless = answer->kind != AnswerKind::kRecords && answer->expires_ns <= now_ns;
  const int64_t expires_ns = timeless ? now_ns + core::kDnsRetryNominalNs : answer->expires_ns;
  summary->expires_ns = std::min(summary->expires_ns, expires_ns);
  for (const core::IpAddress& address : answer->addresses) {
    if (IsUsable(address)) host->addresses.push_back(address);
  }
  if (why->empty()) *why = WhyNoAddress(*answer);
}

Summary AddAddresses(const std::vector<HostAnswers>& answers, int64_t now_ns, MxPlan* plan) {
  Summary summary;
  for (size_t i = 0; i < plan->hosts.size(); ++i) {
    MxHost* const host = &plan->hosts[i];
    std::string why;
    AddAnswer(answers[i].a, now_ns, host, &summary, &why);
    AddAnswer(answers[i].aaaa, now_ns, host, &summary, &why);
    std::vector<core::IpAddress>* const addresses = &host->addresses;
    std::sort(addresses->begin(), addresses->end());
    addresses->erase(std::unique(addresses->begin(), addresses->end()), addresses->end());
    if (addresses->size() > core::kDnsAddressesMax) addresses->resize(core::kDnsAddressesMax);
    if (!addresses->empty() || i >= kNamesShown) continue;
    if (!summary.failures.empty()) summary.failures += "; ";
    summary.failures += host->name + " (" + (why.empty() ? "no usable address" : why) + ")";
  }
  return summary;
}

bool AnyAddress(const MxPlan& plan) {
  return std::any_of(plan.hosts.begin(), plan.hosts.end(),
                     [](const MxHost& host) { return !host.addresses.empty(); });
}

void ConcludeHosts(const MxDraft& draft, const Summary& summary, int64_t now_ns, MxPlan* plan) {
  std::string reason;
  if (draft.is_list) {
    reason = "hosts of the route: " + Names(plan->hosts, false);
  } else if (plan->implicit) {
    reason = plan->domain + " has no MX record and is its own mail host";
  } else {
    reason = "mail hosts of " + plan->domain + ": " + Names(plan->hosts, true);
  }
  reason += draft.source;
  if (!summary.failures.empty()) reason += "; without an address: " + summary.failures;
  int64_t until_ns = std::min(draft.expires_ns, summary.expires_ns);
  if (summary.incomplete) until_ns = std::min(until_ns, now_ns + core::kDnsRetryMinNs);
  until_ns = std::clamp(until_ns, now_ns + core::kDnsPlanMinNs, now_ns + core::kDnsTtlMaxNs);
  Conclude(plan, MxPlanKind::kHosts, std::move(reason), until_ns);
}

void ConcludeNoHosts(const MxDraft& draft, const Summary& summary, int64_t now_ns, MxPlan* plan) {
  const std::string whose = draft.is_list    ? "the hosts of the route"
                            : plan->implicit ? plan->domain + ", which has no MX record,"
                                             : "the mail hosts of " + plan->domain;
  if (summary.incomplete) {
    return Conclude(plan, MxPlanKind::kTemporary,
                    "the addresses of " + whose + " cannot be found out now: " + summary.failures,
                    now_ns + core::kDnsRetryNominalNs);
  }
  std::string reason = !draft.is_list && plan->implicit
                           ? plan->domain + " has neither an MX record nor a usable address"
                           : "none of " + whose + " has a usable address: " + summary.failures;
  Conclude(plan, MxPlanKind::kNoAddress, reason + draft.source,
           AskAgain(std::min(draft.expires_ns, summary.expires_ns), now_ns));
}

}  // namespace

bool Self::Has(std::string_view name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool Self::Has(const core::IpAddress& address) const {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const core::Network& network) { return network.Contains(address); });
}

MxPlan ImpossibleName(std::string_view domain, int64_t now_ns) {
  MxPlan plan;
  plan.domain = domain;
  Conclude(&plan, MxPlanKind::kNoSuchDomain,
           "\"" + plan.domain + "\" cannot be the name of a domain", now_ns + core::kDnsRetryMaxNs);
  return plan;
}

MxPlan PlanOfLiteral(std::string_view domain, const core::IpAddress& address, const Self& self,
                     int64_t now_ns) {
  MxPlan plan;
  plan.domain = domain;
  plan.implicit = true;
  const int64_t until_ns = now_ns + core::kDnsTtlMaxNs;
  if (!IsUsable(address)) {
    Conclude(&plan, MxPlanKind::kNoAddress, plan.domain + " is no address that can be connected to",
             until_ns);
  } else if (self.Has(address)) {
    Conclude(&plan, MxPlanKind::kSelf, plan.domain + " is an address of this machine itself",
             until_ns);
  } else {
    plan.hosts = {{address.ToString(), 0, {address}}};
    Conclude(&plan, MxPlanKind::kHosts, plan.domain + " is the address itself", until_ns);
  }
  return plan;
}

MxDraft ListHosts(std::string_view domain, const Answer& mx, const Self& self, int64_t now_ns) {
  MxDraft draft;
  MxPlan* const plan = &draft.plan;
  plan->domain = domain;
  draft.expires_ns = mx.expires_ns;
  draft.source = Source(mx);
  draft.done = true;
  const int64_t again_ns = AskAgain(mx.expires_ns, now_ns);
  switch (mx.kind) {
    case AnswerKind::kRecords:
      JudgeRecords(mx, self, now_ns, &draft);
      break;
    case AnswerKind::kNoSuchName:
      Conclude(plan, MxPlanKind::kNoSuchDomain,
               "the domain " + plan->domain + " does not exist (NXDOMAIN)" + draft.source,
               again_ns);
      break;
    case AnswerKind::kNoData:
      plan->implicit = true;
      if (mx.expires_ns <= now_ns) draft.expires_ns = now_ns + core::kDnsRetryNominalNs;
      plan->hosts = {{plan->domain, 0, {}}};
      draft.done = false;
      if (self.Has(plan->domain)) ConcludeSelf(plan->domain, now_ns, &draft);
      break;
    case AnswerKind::kInvalid:
      Conclude(plan, MxPlanKind::kInvalid,
               "the MX of " + plan->domain + " cannot be found out: " + mx.failure, again_ns);
      break;
    case AnswerKind::kFailed:
      Conclude(plan, MxPlanKind::kTemporary,
               "the MX of " + plan->domain + " cannot be found out now: " + mx.failure,
               now_ns + core::kDnsRetryNominalNs);
      break;
  }
  return draft;
}

MxDraft ListOf(const std::vector<std::string>& names) {
  MxDraft draft;
  draft.is_list = true;
  draft.expires_ns = core::kNever;
  for (const std::string& name : names) {
    MxHost host;
    host.name = name;
    host.preference = static_cast<uint16_t>(draft.plan.hosts.size());
    if (const auto address = core::IpAddress::Parse(name); address.ok()) {
      host.addresses.push_back(*address);
    }
    draft.plan.hosts.push_back(std::move(host));
  }
  return draft;
}

MxPlan FinishPlan(MxDraft draft, const std::vector<HostAnswers>& answers, const Self& self,
                  int64_t now_ns) {
  MxPlan* const plan = &draft.plan;
  const Summary summary = AddAddresses(answers, now_ns, plan);
  if (!draft.is_list) {
    const std::optional<std::string> own = CutAtSelf(self, &plan->hosts);
    if (plan->hosts.empty()) {
      draft.expires_ns = std::min(draft.expires_ns, summary.expires_ns);
      ConcludeSelf(*own, now_ns, &draft);
      return std::move(draft.plan);
    }
  }
  if (AnyAddress(*plan)) {
    ConcludeHosts(draft, summary, now_ns, plan);
  } else {
    ConcludeNoHosts(draft, summary, now_ns, plan);
  }
  return std::move(draft.plan);
}

}  // namespace outbox::dns
