// ScriptedFinder: a DNS that says what a test has written down, after as long as that says.
//
// One for all shards of a ShardWorld. What is answered is decided when the answer is due, so that a
// test can change its mind while a question is on its way.
#ifndef OUTBOX_TESTS_QUEUE_SCRIPTED_FINDER_H_
#define OUTBOX_TESTS_QUEUE_SCRIPTED_FINDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/time.h"
#include "queue/destination_key.h"
#include "queue/host_finder.h"

namespace outbox::queue {

// What is answered about a domain; about a host in `via`, only its addresses count.
struct ScriptedAnswer {
  dns::MxPlanKind kind = dns::MxPlanKind::kHosts;
  std::vector<dns::MxHost> hosts = {};
  int64_t ttl_ns = core::kNsPerHour;
  int64_t delay_ns = core::kNsPerMs;  // 0: known already, answered within the call

  // "10 a.example 10.0.0.1 10.0.0.2"
  static dns::MxHost Host(uint16_t preference, const std::string& name,
                          const std::vector<std::string>& addresses);
};

class ScriptedFinder : public HostFinder {
 public:
  using At = std::function<void(int64_t time_ns, std::function<void()> event)>;
  ScriptedFinder(const int64_t* now_ns, At at) : now_ns_(now_ns), at_(std::move(at)) {}

  ScriptedAnswer& operator[](const std::string& name) { return answers_[name]; }
  // How often was asked about the domain, by all shards together.
  uint64_t asked(const std::string& domain) const {
    const auto found = asked_.find(domain);
    return found == asked_.end() ? 0 : found->second;
  }

  dns::MxPlanPtr Find(const DestinationKey& key, HostQuery* query) override;
  void Cancel(HostQuery* query) override;

 private:
  dns::MxPlanPtr Answer(const DestinationKey& key) const;

  const int64_t* const now_ns_;
  const At at_;
  std::map<std::string, ScriptedAnswer> answers_;
  std::map<std::string, uint64_t> asked_;
  std::map<HostQuery*, uint64_t> in_flight_;  // by a number of its own, for late events
  uint64_t questions_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_QUEUE_SCRIPTED_FINDER_H_
