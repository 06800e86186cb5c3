// HostFinder: who a destination asks for its hosts.
//
// The seam between the queue and the DNS: the product's is queue/dns_host_finder.h, a test puts a
// script in its place. One per shard.
#ifndef OUTBOX_QUEUE_HOST_FINDER_H_
#define OUTBOX_QUEUE_HOST_FINDER_H_

#include "core/check.h"
#include "dns/mx_plan.h"
#include "dns/resolver.h"

namespace outbox::queue {

struct DestinationKey;

// One question of one destination. Embedded in its owner; not in flight when destroyed.
class HostQuery {
 public:
  HostQuery() = default;
  HostQuery(const HostQuery&) = delete;
  HostQuery& operator=(const HostQuery&) = delete;
  ~HostQuery() { CHECK(!in_flight); }

  // query.Bind<&DestinationHosts::OnAnswer>(this), with void OnAnswer(const dns::MxPlanPtr&).
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    done_ = [](void* target, const dns::MxPlanPtr& plan) {
      (static_cast<Owner*>(target)->*Method)(plan);
    };
  }

  // The finder's.
  void Complete(const dns::MxPlanPtr& plan) {
    in_flight = false;
    done_(owner_, plan);
  }
  bool in_flight = false;
  dns::Query dns;

 private:
  void* owner_ = nullptr;
  void (*done_)(void*, const dns::MxPlanPtr&) = nullptr;
};

class HostFinder {
 public:
  virtual ~HostFinder() = default;
  // The hosts of a destination that needs the DNS. The answer, or null when the query is in flight:
  // then it completes exactly once, from the loop. REQUIRES: !query->in_flight, key.valid().
  virtual dns::MxPlanPtr Find(const DestinationKey& key, HostQuery* query) = 0;
  // The query does not complete. No effect on one that is not in flight.
  virtual void Cancel(HostQuery* query) = 0;
  // What was answered before does not count for the next question.
  virtual void Forget() {}
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HOST_FINDER_H_
