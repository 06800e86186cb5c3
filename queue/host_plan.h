// HostPlan: the hosts that a destination's mail goes to, in the order to try them, and their site.
//
// Made from a route's addresses or from what the DNS has answered. When an answer differs from the
// last one a new plan takes the place of the old one; what is under way ends with the plan that it
// began with, so deliveries and attempts count as its users. Lives on its destination's shard.
#ifndef OUTBOX_QUEUE_HOST_PLAN_H_
#define OUTBOX_QUEUE_HOST_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/random.h"
#include "dns/mx_plan.h"
#include "queue/destination_key.h"
#include "queue/site_policy.h"

namespace outbox::queue {

struct LocalSite;

// Why a host is tried after the others.
enum class HostTrouble : uint8_t {
  kNone,
  kNoAnswer,  // it could not be reached, or ended the session
  kInsecure,  // not by the TLS that the route asks for
  kUser,      // it did not take the route's user
  kSource,    // it was not tried: the address to send from is not here
};
// "no_answer", "tls", "user", "source"; empty.
std::string_view HostTroubleName(HostTrouble trouble);

struct PlannedHost {
  core::SocketAddress address;
  std::string tls_name;       // "mx1.example.net"; empty: it has but an address
  std::string name;           // for people: "10.1.2.3:25", "mx1.example.net[192.0.2.1]:25"
  uint32_t rank = 0;          // the lower goes first; equals share the work
  uint32_t connections = 0;   // open, or being opened
  int64_t down_until_ns = 0;  // tried last until then
  HostTrouble trouble = HostTrouble::kNone;  // why
};

struct HostPlan {
  // Hosts in the order of their rank; masks of hosts are one word.
  static constexpr size_t kHostsMax = 64;

  std::vector<PlannedHost> hosts;
  SiteHosts site_hosts;
  SitePolicy policy;
  LinkKind link = LinkKind::kSmtp;
  std::string place;  // DestinationKey::place; then there is one host, without an address
  LocalSite* site = nullptr;
  uint32_t users = 0;  // deliveries and attempts

  // The host to try next, of those not in `tried`: one that is not known to be down, of the best
  // rank, with the fewest connections, by chance among equals (RFC 5321 5.1); when all are down, as
  // if none were. REQUIRES: there is one that was not tried.
  uint8_t Next(uint64_t tried, int64_t now_ns, core::Random* random) const;
  // No host of a better rank is up.
  bool IsBest(uint8_t host, int64_t now_ns) const;
  // Hosts of the other family than this one's are left, of those not in `tried`.
  bool HasOtherFamily(uint64_t tried, const PlannedHost& host) const;
  // The index of an address, or -1.
  int Find(const core::SocketAddress& address) const;
  // The same addresses with the same ranks.
  bool SameHosts(const HostPlan& other) const;
};

// The hosts of a "via:" or "lmtp:" key that are addresses, or the key's place. Either plan leaves
// out the addresses of a family that the key has no address to send from for, and may have no hosts
// by that.
HostPlan PlanOfAddresses(const DestinationKey& key);
// The hosts of an answer of kind kHosts. Of an MX answer with many addresses limits.h
// kHostsPerAttempt are chosen, so that every host is among them (dns/mx_plan.h).
HostPlan PlanOfAnswer(const DestinationKey& key, const dns::MxPlan& answer, core::Random* random);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HOST_PLAN_H_
