// DataHosts: hosts that offer CHUNKING and do not know BDAT: the next sessions with them use DATA
// at once. One per shard.
#ifndef OUTBOX_SMTP_DATA_HOSTS_H_
#define OUTBOX_SMTP_DATA_HOSTS_H_

#include "core/limits.h"
#include "smtp/remembered_hosts.h"

namespace outbox::smtp {

class DataHosts : public RememberedHosts {
 public:
  explicit DataHosts(size_t hosts_max = core::kDataHosts)
      : RememberedHosts(hosts_max, core::kDataHostNs) {}
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_DATA_HOSTS_H_
