// SiteLister: the sites that mail of one shard goes to, and how much waits for each.
//
// Looks at the shard's destinations, a bounded number a turn. What the shards share about a site is
// not asked here: who puts their parts together reads it in the site table (queue/site_state.h).
#ifndef OUTBOX_QUEUE_SITE_LISTER_H_
#define OUTBOX_QUEUE_SITE_LISTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/rate.h"
#include "queue/destination_table.h"
#include "queue/operator_work.h"

namespace outbox::queue {

struct SitePart {
  std::string name;
  std::string source;  // that it is seen from; empty: none
  uint64_t hash = 0;
  core::Rate rate;             // as configured, and
  uint32_t limit = 0;          // connections
  uint64_t destinations = 0;   // that mail of this shard waits for, or that have a connection
  uint64_t suspended = 0;      // of them, by an operator
  uint64_t ready = 0;          // tickets
  uint64_t sending = 0;
};

class SiteListSink {
 public:
  virtual ~SiteListSink() = default;
  // Once, on the shard's thread; in the order in which they were met.
  virtual void OnSites(std::vector<SitePart> sites) = 0;
};

class SiteLister : public OperatorWork {
 public:
  SiteLister(const DestinationTable* destinations, SiteListSink* sink)
      : destinations_(destinations), sink_(sink) {}
  ~SiteLister() override;

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override { return !done_; }
  bool done() const override { return done_; }
  void Stop() override;

 private:
  void Look(const Destination& destination);
  void End();

  const DestinationTable* const destinations_;
  SiteListSink* const sink_;
  DestinationCursor cursor_;
  std::vector<SitePart> sites_;
  absl::flat_hash_map<uint64_t, size_t> by_hash_;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_LISTER_H_
