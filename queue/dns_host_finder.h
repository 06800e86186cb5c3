// DnsHostFinder: a HostFinder that asks the shard's resolver.
#ifndef OUTBOX_QUEUE_DNS_HOST_FINDER_H_
#define OUTBOX_QUEUE_DNS_HOST_FINDER_H_

#include "queue/host_finder.h"

namespace outbox::queue {

class DnsHostFinder : public HostFinder {
 public:
  explicit DnsHostFinder(dns::Resolver* resolver) : resolver_(resolver) {}

  dns::MxPlanPtr Find(const DestinationKey& key, HostQuery* query) override;
  void Cancel(HostQuery* query) override;

 private:
  dns::Resolver* const resolver_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DNS_HOST_FINDER_H_
