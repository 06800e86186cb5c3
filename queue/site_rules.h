// SiteRules: the [[site]] tables of the configuration, looked up.
//
// Built once from the configuration; then only asked, on one shard.
#ifndef OUTBOX_QUEUE_SITE_RULES_H_
#define OUTBOX_QUEUE_SITE_RULES_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "queue/pattern_index.h"
#include "queue/site_policy.h"

namespace outbox::queue {

class Router;

class SiteRules {
 public:
  // `router` knows the connections that a route allows; both outlive the rules.
  SiteRules(const core::Config& config, const Router* router);

  // `key`: the destination's key as it is written.
  SitePolicy For(std::string_view key, const SiteHosts& hosts) const;

 private:
  uint32_t Match(const SiteHosts& hosts) const;

  const Router* const router_;
  std::vector<core::SiteConfig> sites_;  // without their patterns and rules
  std::vector<std::shared_ptr<const ReplyRules>> replies_;  // theirs; null: none
  uint32_t max_messages_;                // of [delivery]
  PatternIndex hosts_;
  PatternIndex domains_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_RULES_H_
