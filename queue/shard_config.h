// ShardConfig: what a shard makes of a configuration, as one thing that a reload swaps.
//
// Built away from the shard's thread (a router over many routes takes its time), then given to one
// shard alone: the router has scratch memory. What is under way keeps the parts that it began with.
#ifndef OUTBOX_QUEUE_SHARD_CONFIG_H_
#define OUTBOX_QUEUE_SHARD_CONFIG_H_

#include <memory>
#include <utility>

#include "core/config.h"
#include "dkim/signing_table.h"
#include "queue/route_credentials.h"
#include "queue/router.h"
#include "queue/shard_tls.h"
#include "queue/site_rules.h"
#include "queue/source_table.h"

namespace outbox::queue {

struct ShardConfig {
  std::shared_ptr<const core::Config> config;
  std::shared_ptr<const Router> router;
  std::shared_ptr<const SiteRules> sites;
  std::shared_ptr<const SourceTable> sources;         // null: none
  std::shared_ptr<const dkim::SigningTable> signing;  // null: nothing is signed
  ShardTls tls;
  std::shared_ptr<const RouteCredentials> credentials;

  static ShardConfig Make(std::shared_ptr<const core::Config> config, ShardTls tls = {}) {
    ShardConfig made;
    made.tls = std::move(tls);
    made.router = std::make_shared<const Router>(*config);
    made.sites = std::make_shared<const SiteRules>(*config, made.router.get());
    made.credentials = RouteCredentials::Make(*config);
    made.sources = SourceTable::Make(*config);
    made.signing = dkim::SigningTable::Make(config);
    made.config = std::move(config);
    return made;
  }
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_CONFIG_H_
