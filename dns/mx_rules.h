// MxRules: how answers become a plan. Pure functions; RFC 5321 5.1, RFC 7505.
//
// In two steps, since the addresses of the hosts are known only after their names: ListHosts judges
// the MX records of a domain, FinishPlan what the addresses say. A list of hosts without a domain
// (those of `via`) enters at the second step.
#ifndef OUTBOX_DNS_MX_RULES_H_
#define OUTBOX_DNS_MX_RULES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "dns/answer.h"
#include "dns/mx_plan.h"

namespace outbox::dns {

// This machine, as MX records may name it.
struct Self {
  std::vector<std::string> names;  // lower case
  std::vector<core::Network> networks;

  bool Has(std::string_view name) const;
  bool Has(const core::IpAddress& address) const;
};

// The answers about one host. Null: not asked for, its address is known, or its family is off.
struct HostAnswers {
  AnswerPtr a;
  AnswerPtr aaaa;
};

// A plan on its way: `plan.hosts` are still without addresses. `done`: the plan is complete, nobody
// needs to be asked.
struct MxDraft {
  MxPlan plan;
  bool done = false;
  bool is_list = false;    // of hosts, not of a domain: nothing is cut
  int64_t expires_ns = 0;  // of the answers so far
  std::string source;      // ", says 192.0.2.53", or nothing
};

// What the MX answer alone says.
MxDraft ListHosts(std::string_view domain, const Answer& mx, const Self& self, int64_t now_ns);
// The plan of a name that cannot be asked for.
MxPlan ImpossibleName(std::string_view domain, int64_t now_ns);
// The plan of an address literal, RFC 5321 4.1.3: `domain` as it was written.
MxPlan PlanOfLiteral(std::string_view domain, const core::IpAddress& address, const Self& self,
                     int64_t now_ns);
// The draft of a list of hosts, before their addresses are known.
MxDraft ListOf(const std::vector<std::string>& names);

// The whole plan. `answers` are those about draft.plan.hosts, one each. REQUIRES: !draft.done.
MxPlan FinishPlan(MxDraft draft, const std::vector<HostAnswers>& answers, const Self& self,
                  int64_t now_ns);

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_MX_RULES_H_
