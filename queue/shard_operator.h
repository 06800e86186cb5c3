// ShardOperator: a shard's side of the operator's commands.
//
// Takes what is asked of the shard, keeps what takes more than a turn (core::kOperatorWalksMax at
// once) and gives each a piece of every turn. Nothing here stops the mail. Who asks calls it on the
// shard's thread (Shard::Post); the sinks are called there, too, and outlive what they asked for.
#ifndef OUTBOX_QUEUE_SHARD_OPERATOR_H_
#define OUTBOX_QUEUE_SHARD_OPERATOR_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/io.h"
#include "queue/destination_table.h"
#include "queue/explain.h"
#include "queue/home.h"
#include "queue/host_lookup.h"
#include "queue/operator_work.h"
#include "queue/purge_preview.h"
#include "queue/queue_command.h"
#include "queue/queue_counter.h"
#include "queue/queue_filter.h"
#include "queue/queue_lister.h"
#include "queue/redirect_command.h"
#include "queue/rerouter.h"
#include "queue/shard_log.h"
#include "queue/site_lister.h"

namespace outbox::queue {

class ShardOperator {
 public:
  // `live`: where the hosts are named that mail is being sent to.
  ShardOperator(io::Io* io, Home* home, const DestinationTable* destinations, ShardLog* log,
                const LiveHosts* live, HostFinder* finder)
      : io_(io),
        home_(home),
        destinations_(destinations),
        log_(log),
        live_(live),
        finder_(finder) {}
  ShardOperator(const ShardOperator&) = delete;
  ShardOperator& operator=(const ShardOperator&) = delete;

  // Before anything is asked.
  void SetStores(std::vector<Store*> stores) { stores_ = std::move(stores); }

  // Each returns false, and calls nobody, when too much is going on already.
  bool List(QueueQuery query, QueueListSink* sink);
  bool Count(const QueueFilter& filter, std::optional<QueueColumn> by, QueueCensusSink* sink);
  bool Command(QueueOrder order, const QueueFilter& filter, CommandSink* sink,
               OrderDetails details = {});
  bool Redirect(std::shared_ptr<const RouteOrder> order, const QueueFilter& filter,
                CommandSink* sink);
  bool Preview(const QueueFilter& filter, PurgePreviewSink* sink);
  bool Explain(const QueueFilter& filter, MessageFactsSink* sink);
  // Where mail for the destination with this key would go now.
  bool FindHosts(std::string_view key, HostLookupSink* sink);
  // The sites that mail of this shard goes to.
  bool ListSites(SiteListSink* sink);
  // Mail of routes that have changed is routed again.
  void Reroute(RouteChanges changes);
  // At once. `domain`: whose failed attempts are meant besides the destination's; "" for none.
  DestinationFacts LookAt(std::string_view key, std::string_view domain) const;

  // Once a turn.
  void Tick();
  bool wants_turn() const;
  bool idle() const { return works_.empty(); }
  // What is going on ends soon, and so does what is asked from now on.
  void Stop();

 private:
  QueueFilter WithLive(QueueFilter filter) const {
    filter.live = live_;
    return filter;
  }
  bool Add(std::unique_ptr<OperatorWork> work);
  bool Full() const { return works_.size() >= core::kOperatorWalksMax; }

  io::Io* const io_;
  Home* const home_;
  const DestinationTable* const destinations_;
  ShardLog* const log_;
  const LiveHosts* const live_;
  HostFinder* const finder_;
  std::vector<Store*> stores_;
  std::vector<std::unique_ptr<OperatorWork>> works_;
  bool stopping_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_OPERATOR_H_
