// ShardTls: the certificates of a configuration, read and ready.
//
// Made away from the shards' threads (tools/tls_files.h), shared by all shards, and exchanged as a
// whole when the files have changed: connections that are open keep what they began with.
#ifndef OUTBOX_QUEUE_SHARD_TLS_H_
#define OUTBOX_QUEUE_SHARD_TLS_H_

#include <memory>
#include <vector>

#include "io/tls_context.h"

namespace outbox::queue {

struct ShardTls {
  // Of the configuration's listeners, in their order; null: it has none. Empty: none of them has.
  std::vector<std::shared_ptr<const io::TlsServerContext>> listeners;
  // Who may vouch for the hosts of routes that verify; null: nobody.
  std::shared_ptr<const io::TlsTrust> trust;

  std::shared_ptr<const io::TlsServerContext> Of(size_t listener) const {
    return listener < listeners.size() ? listeners[listener] : nullptr;
  }
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_TLS_H_
