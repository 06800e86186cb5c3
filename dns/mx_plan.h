// MxPlan: which hosts take the mail of a domain, in which order; or why none does.
//
// The outcome of a whole resolution (dns/resolver.h): a plain value that is never changed once it
// is made, so that everybody who asked the same question shares it. The rules are RFC 5321 5.1 and
// RFC 7505; building a plan is a pure function over answers (dns/mx_rules.h).
#ifndef OUTBOX_DNS_MX_PLAN_H_
#define OUTBOX_DNS_MX_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "core/random.h"

namespace outbox::dns {

enum class MxPlanKind : uint8_t {
  kHosts,         // `hosts` take the mail; at least one of them has an address
  kNullMx,        // the domain says that it takes no mail (RFC 7505): permanent, 5.1.10
  kNoSuchDomain,  // the name does not exist (NXDOMAIN), or cannot be one: permanent, 5.1.2
  kNoAddress,     // the domain exists, but no host that could take its mail has a usable address
  kSelf,          // the best host is this very machine: mail would loop, 5.4.6
  kInvalid,       // there are MX records, but what they name cannot be hosts
  kTemporary,     // no server gave an answer
};

// The lower-case name of a kind, for logs: "hosts", "null mx", "no such domain", ...
const char* MxPlanKindName(MxPlanKind kind);

struct MxHost {
  std::string name;  // lower case, without a final dot; an address literal's address as text
  uint16_t preference = 0;
  // Usable ones only, each once, sorted. Empty: the host has none, or they are not known now.
  std::vector<core::IpAddress> addresses;
};

struct MxPlan {
  std::string domain;  // that was asked about, lower case; "" for a list of hosts
  MxPlanKind kind = MxPlanKind::kTemporary;
  // There is no MX record: the domain itself is the host (RFC 5321 5.1).
  bool implicit = false;
  // Hosts of a domain: by preference, equal ones by name; each name once; what comes at or behind
  // our own preference is cut off. A list of hosts: all of them as they were given, preference 0,
  // 1, 2, ... Only with kHosts.
  std::vector<MxHost> hosts;
  // Steady time. When this has passed, ask again: what was found may have changed, what failed may
  // be repaired. From the TTLs, within the bounds of core/limits.h ("dns"). Also with kinds that
  // are permanent.
  int64_t valid_until_ns = 0;
  // For a person: what was asked, whom, and what came back. One sentence without a final full stop.
  std::string reason;

  // The set of host names, sorted and joined by commas: equal for two domains that are served by
  // the same hosts, whatever their preferences. For the site that limits belong to.
  std::string SiteKey() const;
};

using MxPlanPtr = std::shared_ptr<const MxPlan>;

// One address to try: the host's place in the plan, and where it is.
struct MxCandidate {
  uint32_t host = 0;  // index into MxPlan::hosts
  core::IpAddress address;
};

// The addresses of one attempt, in the order in which to try them, at most `max`: hosts by
// preference, equal ones shuffled (RFC 5321 5.1), of each host the addresses shuffled too, IPv6 and
// IPv4 in turn. When there are more than `max`, every host gets its first address in before any
// gets a second one. The plan itself stays as it is, so that each attempt can have an order of its
// own.
std::vector<MxCandidate> ChooseCandidates(const MxPlan& plan, size_t max, core::Random* random);

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_MX_PLAN_H_
