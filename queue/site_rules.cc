#include "queue/site_rules.h"

#include <algorithm>
#include <string>
#include <utility>

#include "queue/router.h"

namespace outbox::queue {

SiteRules::SiteRules(const core::Config& config, const Router* router)
    : router_(router), max_messages_(config.delivery.messages_per_connection) {
  for (uint32_t i = 0; i < config.sites.size(); ++i) {
    sites_.push_back(config.sites[i]);
    for (const std::string& pattern : sites_[i].hosts) hosts_.Add(pattern, i);
    for (const std::string& pattern : sites_[i].domains) domains_.Add(pattern, i);
    sites_[i].hosts.clear();
    sites_[i].domains.clear();
    replies_.push_back(ReplyRules::Make(std::move(sites_[i].on_reply)));
    sites_[i].on_reply.clear();
  }
}

uint32_t SiteRules::Match(const SiteHosts& hosts) const {
  const uint32_t by_domain =
      hosts.domain.empty() ? PatternIndex::kNone : domains_.Find(hosts.domain);
  if (hosts_.empty() || hosts.best.empty()) return by_domain;
  const uint32_t by_host = hosts_.Find(hosts.best[0]);
  const bool all = std::all_of(hosts.best.begin(), hosts.best.end(), [&](const std::string& host) {
    return hosts_.Find(host) == by_host;
  });
  return all ? std::min(by_host, by_domain) : by_domain;
}

SitePolicy SiteRules::For(std::string_view key, const SiteHosts& hosts) const {
  const uint32_t index = Match(hosts);
  SitePolicy policy;
  if (index == PatternIndex::kNone) {
    policy = SiteOfHosts(hosts);
    policy.max_connections = router_->ConnectionsFor(key);
    policy.messages_per_connection = max_messages_;
    return policy;
  }
  const core::SiteConfig& site = sites_[index];
  policy.name = site.name;
  policy.hash = HashOfSite(site.name);
  policy.max_connections = site.max_connections;
  policy.messages_per_connection = site.messages_per_connection;
  policy.rate = site.max_rate;
  policy.on_reply = replies_[index];
  return policy;
}

}  // namespace outbox::queue
