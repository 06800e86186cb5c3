// RedirectCommand: an operator's `clear` or `reroute`, carried out by one shard for its own mail.
//
// Walks the shard's mail a bounded piece a turn (queue/queue_walk.h). What is at home and keeps its
// envelope is routed at once; the rest goes through the Redirector, core::kRecallsMax messages at a
// time. Of a message that goes back to its original envelope all recipients go, also those that the
// filter does not mean: an envelope cannot be taken back by halves. Shard-local.
#ifndef OUTBOX_QUEUE_REDIRECT_COMMAND_H_
#define OUTBOX_QUEUE_REDIRECT_COMMAND_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "core/limits.h"
#include "io/io.h"
#include "queue/home.h"
#include "queue/operator_work.h"
#include "queue/queue_command.h"
#include "queue/queue_filter.h"
#include "queue/queue_walk.h"
#include "queue/redirector.h"
#include "queue/route_order.h"

namespace outbox::queue {

class RedirectCommand : public OperatorWork, private QueueWalker, private RedirectOwner {
 public:
  // Everything outlives the command.
  RedirectCommand(io::Io* io, Home* home, std::vector<Store*> stores,
                  std::shared_ptr<const RouteOrder> order, QueueFilter filter, CommandSink* sink);

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override;
  bool done() const override { return done_; }
  void Stop() override;

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override;
  bool acts() const override { return !order_->dry_run; }
  // RedirectOwner
  void OnRedirected(const RedirectCounts& counts) override;
  void OnDestination(const std::string& key, uint64_t hash) override;

  void Act(HomeTicket* ticket, uint64_t mask, const MetaView& meta);
  void Route(HomeTicket* ticket, uint64_t mask, const MetaView& meta);
  void Add(HomeTicket* ticket, uint64_t mask);
  void AddWhole(Message* message);
  Redirector::Redirection* Begin(const HomeTicket& ticket);
  // No more of the message comes.
  void CompleteLast();

  io::Io* const io_;
  Home* const home_;
  const std::shared_ptr<const RouteOrder> order_;
  const QueueFilter filter_;
  CommandSink* const sink_;
  QueueWalk walk_;
  CommandCounts counts_;
  uint32_t ordered_ = 0;                     // redirections that go on
  uint32_t acted_ = 0;                       // recipients, in this turn
  uint64_t last_id_ = 0;                     // the message that was visited last
  bool whole_ = false;                       // all of it is in last_
  Redirector::Redirection* last_ = nullptr;  // of it, if there is one that is not complete
  absl::flat_hash_set<uint64_t> lifted_;     // destinations, by the hash of their key
  bool walked_ = false;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REDIRECT_COMMAND_H_
