// SitePolicy: which site mail goes to, and its limits.
//
// A site is what limits belong to: a [[site]] of the configuration (queue/site_rules.h), else the
// set of hosts that mail goes to.
#ifndef OUTBOX_QUEUE_SITE_POLICY_H_
#define OUTBOX_QUEUE_SITE_POLICY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "core/rate.h"
#include "queue/reply_rules.h"

namespace outbox::queue {

struct SitePolicy {
  std::string name;   // for people: a [[site]]'s, else "mx1.example.net,mx2.example.net"
  std::string source;  // that it is seen from (core::SourceConfig); empty: none
  uint64_t hash = 0;  // the same site has the same one on every shard; never 0
  uint32_t max_connections = core::kDefaultConnectionsPerSite;
  uint32_t messages_per_connection = 0;  // 0: no limit
  core::Rate rate;
  std::shared_ptr<const ReplyRules> on_reply;  // null: none

  bool operator==(const SitePolicy& other) const;
  // Hosts count by the address that they see: the same site is another one for another source.
  void SetSource(std::string_view name);
};

// "gmail", "gmail@news-1": a site, from where.
std::string SiteText(std::string_view name, std::string_view source);
// The site's hash, by the name of its [[site]]; and that of the same as a source sees it.
uint64_t HashOfSite(std::string_view name);
uint64_t HashFromSource(uint64_t site, std::string_view source);

// What decides about a site: where mail goes, as the destination knows it.
struct SiteHosts {
  std::string domain;             // of an "mx:" key, else empty
  std::vector<std::string> best;  // names of the hosts of the best preference; all of a "via:" key
  std::vector<std::string> places;  // "name:port" of all hosts: the set that is the site
};

// The site of a set of hosts that no [[site]] names, with default limits.
SitePolicy SiteOfHosts(const SiteHosts& hosts);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_POLICY_H_
