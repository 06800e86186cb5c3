#include "queue/shard_operator.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "queue/queue_sorter.h"

namespace outbox::queue {

bool ShardOperator::Add(std::unique_ptr<OperatorWork> work) {
  works_.push_back(std::move(work));
  if (stopping_) works_.back()->Stop();
  return true;
}

bool ShardOperator::List(QueueQuery query, QueueListSink* sink) {
  if (Full()) return false;
  query.filter.live = live_;
  if (query.sort.has_value()) {
    return Add(std::make_unique<QueueSorter>(io_, home_, stores_, std::move(query), sink));
  }
  return Add(std::make_unique<QueueLister>(io_, home_, stores_, std::move(query), sink));
}

bool ShardOperator::Count(const QueueFilter& filter, std::optional<QueueColumn> by,
                          QueueCensusSink* sink) {
  return !Full() &&
         Add(std::make_unique<QueueCounter>(io_, home_, stores_, WithLive(filter), by, sink));
}

bool ShardOperator::Command(QueueOrder order, const QueueFilter& filter, CommandSink* sink,
                            OrderDetails details) {
  return !Full() && Add(std::make_unique<QueueCommand>(io_, home_, stores_, order, WithLive(filter),
                                                       sink, std::move(details)));
}

bool ShardOperator::Preview(const QueueFilter& filter, PurgePreviewSink* sink) {
  return !Full() &&
         Add(std::make_unique<PurgePreview>(io_, home_, stores_, WithLive(filter), sink));
}

bool ShardOperator::Redirect(std::shared_ptr<const RouteOrder> order, const QueueFilter& filter,
                             CommandSink* sink) {
  return !Full() && Add(std::make_unique<RedirectCommand>(io_, home_, stores_, std::move(order),
                                                          WithLive(filter), sink));
}

bool ShardOperator::Explain(const QueueFilter& filter, MessageFactsSink* sink) {
  return !Full() && Add(std::make_unique<MessageExplainer>(io_, home_, stores_, &log_->trail(),
                                                           WithLive(filter), sink));
}

bool ShardOperator::FindHosts(std::string_view key, HostLookupSink* sink) {
  return !Full() && Add(std::make_unique<HostLookup>(finder_, key, sink));
}

bool ShardOperator::ListSites(SiteListSink* sink) {
  return !Full() && Add(std::make_unique<SiteLister>(destinations_, sink));
}

void ShardOperator::Reroute(RouteChanges changes) {
  Add(std::make_unique<RerouteWalk>(io_, home_, stores_, std::move(changes)));
}

DestinationFacts ShardOperator::LookAt(std::string_view key, std::string_view domain) const {
  DestinationFacts facts;
  facts.key = std::string(key);
  facts.tickets = home_->TicketsFor(key);
  facts.view = destinations_->Describe(key);
  facts.trail = log_->trail().OfDomain(domain, key);
  facts.forgotten = log_->trail().forgotten();
  return facts;
}

void ShardOperator::Tick() {
  if (works_.empty()) return;
  const int64_t began_ns = io_->ProcessorNs();
  for (const auto& work : works_) work->Tick();
  log_->metrics().command_time.Add(io_->ProcessorNs() - began_ns);
  std::erase_if(works_, [](const auto& work) { return work->done(); });
}

bool ShardOperator::wants_turn() const {
  return std::any_of(works_.begin(), works_.end(),
                     [](const auto& work) { return work->wants_turn(); });
}

void ShardOperator::Stop() {
  stopping_ = true;
  for (const auto& work : works_) work->Stop();
}

}  // namespace outbox::queue
