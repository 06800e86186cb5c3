// RouteCredentials: whom the routes of a configuration say that we are, and the secrets of these.
//
// A destination's key names its user (queue/destination_key.h) and never the secret: that is found
// here, by the hosts and the user, when a session begins. So a secret that a reload has changed is
// what the next session says, and mail whose key names a user of no route any more is not sent.
// Immutable, made with the configuration, shared by all shards.
#ifndef OUTBOX_QUEUE_ROUTE_CREDENTIALS_H_
#define OUTBOX_QUEUE_ROUTE_CREDENTIALS_H_

#include <memory>
#include <string>

#include "core/config.h"
#include "core/string_map.h"
#include "queue/destination_key.h"
#include "smtp/auth_exchange.h"

namespace outbox::queue {

class RouteCredentials {
 public:
  static std::shared_ptr<const RouteCredentials> Make(const core::Config& config);

  // Those of `now`, and what only `next` has. Either may be null.
  static std::shared_ptr<const RouteCredentials> Both(
      const std::shared_ptr<const RouteCredentials>& now,
      const std::shared_ptr<const RouteCredentials>& next);

  // What the sessions of this destination say; nobody if its key names no user. Without a secret
  // when no route has that user at these hosts.
  smtp::ClientCredentials For(const DestinationKey& key) const;

 private:
  core::StringMap<smtp::ClientCredentials> known_;  // by hosts and user
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTE_CREDENTIALS_H_
