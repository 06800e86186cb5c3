// PlainHosts: hosts with which a TLS handshake has failed lately, where a failure does not matter
// (opportunistic TLS): the next sessions with them go in plain text at once. One per shard.
#ifndef OUTBOX_SMTP_PLAIN_HOSTS_H_
#define OUTBOX_SMTP_PLAIN_HOSTS_H_

#include "core/limits.h"
#include "smtp/remembered_hosts.h"

namespace outbox::smtp {

class PlainHosts : public RememberedHosts {
 public:
  explicit PlainHosts(size_t hosts_max = core::kTlsPlainHosts)
      : RememberedHosts(hosts_max, core::kTlsPlainNs) {}
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_PLAIN_HOSTS_H_
