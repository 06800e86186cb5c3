// DnsHostFinder: a HostFinder that asks the shard's resolver.
#ifndef OUTBOX_QUEUE_DNS_HOST_FINDER_H_
#define OUTBOX_QUEUE_DNS_HOST_FINDER_H_

#include <vector>

#include "core/config.h"
#include "core/ip_address.h"
#include "queue/host_finder.h"

namespace outbox::queue {

// What the configuration says about the DNS. `own_addresses`: this machine's, if a listener is on
// all of them. MX records that name us are a loop only where we listen ourselves at the port that
// mail goes to; another server on this machine is a host like any other.
dns::ResolverOptions ResolverOptionsOf(const core::Config& config,
                                       const std::vector<core::IpAddress>& own_addresses);

class DnsHostFinder : public HostFinder {
 public:
  explicit DnsHostFinder(dns::Resolver* resolver) : resolver_(resolver) {}

  dns::MxPlanPtr Find(const DestinationKey& key, HostQuery* query) override;
  void Cancel(HostQuery* query) override;
  void Forget() override { resolver_->Forget(); }

 private:
  dns::Resolver* const resolver_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DNS_HOST_FINDER_H_
