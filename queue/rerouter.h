// Rerouter: gives queued mail a new route when the one it had is gone.
//
// A message keeps the name of the route it was accepted by, and its periods. After a reload the
// mail of routes that vanished, or whose hosts changed, is routed again: RerouteWalk finds it (only
// routes that changed make it look, and only mail for their hosts is read), home recalls what is
// out, and each message is then read once more and its tickets get the destinations of today, split
// where its recipients part ways. When mail is tried next does not change by that.
//
// Home's; shard-local.
#ifndef OUTBOX_QUEUE_REROUTER_H_
#define OUTBOX_QUEUE_REROUTER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "queue/home_ticket.h"
#include "queue/message_meta.h"
#include "queue/operator_work.h"
#include "queue/queue_walk.h"
#include "queue/router.h"
#include "queue/store.h"

namespace outbox::queue {

class Home;

// Reads the messages whose tickets are at home and want a new route, one after the other.
class Rerouter {
 public:
  explicit Rerouter(Home* home);
  Rerouter(const Rerouter&) = delete;
  Rerouter& operator=(const Rerouter&) = delete;

  // Some tickets of the message wait for their new route.
  void Add(Store* store, uint64_t id) { waiting_.push_back({store, id, 0}); }
  // Once a turn: a few messages.
  void Tick();
  // Nothing is being read.
  bool idle() const { return !fetch_.in_flight; }
  bool wants_turn() const { return !waiting_.empty() && idle(); }

 private:
  struct Waiting {
    Store* store;
    uint64_t id;  // the message may be finished since
    int tries = 0;
  };

  // `part`: as FetchOp has it.
  void Fetch(Message* message, uint32_t part);
  void OnFetched(const core::Status& status, Window window);
  // The record is here. False: the first piece of the body, which lies apart, must be read as well.
  bool Route(Message* message, const Window& window);

  Home* const home_;
  std::string record_;           // the meta, while the body is read
  std::deque<Waiting> waiting_;  // bounded by the tickets
  Waiting reading_ = {};
  FetchOp fetch_;
};

// Finds the mail of changed routes in all the shard's stores.
class RerouteWalk : public OperatorWork, private QueueWalker {
 public:
  RerouteWalk(const io::Io* io, Home* home, std::vector<Store*> stores, RouteChanges changes)
      : home_(home), changes_(std::move(changes)), walk_(io, home, std::move(stores), this, 0) {}

  // OperatorWork
  void Tick() override { walk_.Tick(); }
  bool wants_turn() const override { return walk_.wants_turn(); }
  bool done() const override { return walk_.done(); }
  void Stop() override { walk_.Stop(); }

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override;
  bool acts() const override { return true; }

  Home* const home_;
  const RouteChanges changes_;
  QueueWalk walk_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REROUTER_H_
