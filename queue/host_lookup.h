// HostLookup: asks the shard's resolver where the mail of a destination would go now, for somebody
// who only wants to know.
//
// Shard-local; kept by ShardOperator until done().
#ifndef OUTBOX_QUEUE_HOST_LOOKUP_H_
#define OUTBOX_QUEUE_HOST_LOOKUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"
#include "queue/destination_key.h"
#include "queue/host_finder.h"
#include "queue/host_plan.h"
#include "queue/operator_work.h"

namespace outbox::queue {

struct FoundHost {
  std::string name;
  uint16_t port = core::kSmtpPort;
  uint16_t preference = 0;
  std::vector<core::IpAddress> addresses;  // none: not known now, or of a family that is not used
};

struct FoundHosts {
  std::vector<FoundHost> hosts;  // in order
  bool implicit = false;         // the domain has no MX record and is its own host
  std::string trouble;           // why there are none
  SiteHosts site;                // what its limits belong to
};

class HostLookupSink {
 public:
  virtual ~HostLookupSink() = default;
  // Once, on the shard's thread.
  virtual void OnHosts(FoundHosts found) = 0;
};

class HostLookup : public OperatorWork {
 public:
  HostLookup(HostFinder* finder, std::string_view key, HostLookupSink* sink);

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override { return !started_ || stopping_; }
  bool done() const override { return done_; }
  void Stop() override { stopping_ = true; }

 private:
  void OnAnswer(const dns::MxPlanPtr& plan);
  void Finish(FoundHosts found);

  HostFinder* const finder_;
  const DestinationKey key_;
  HostLookupSink* const sink_;
  HostQuery query_;
  bool started_ = false;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HOST_LOOKUP_H_
