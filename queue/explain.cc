#include "queue/explain.h"

#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "queue/directory.h"
#include "queue/home_ticket.h"
#include "queue/retry_policy.h"

namespace outbox::queue {
namespace {

// Recipients of an original envelope that are named.
constexpr size_t kOriginalShown = 10;

}  // namespace

MessageExplainer::MessageExplainer(io::Io* io, Home* home, std::vector<Store*> stores,
                                   const AttemptTrail* trail, QueueFilter filter,
                                   MessageFactsSink* sink)
    : io_(io),
      trail_(trail),
      filter_(std::move(filter)),
      sink_(sink),
      walk_(io, home, std::move(stores), this, filter_.id) {}

void MessageExplainer::Tick() {
  if (walk_.done()) return;
  walk_.Tick();
  if (!walk_.done()) return;
  if (filter_.id != 0) facts_.trail = trail_->OfMessage(filter_.id);
  facts_.forgotten = trail_->forgotten();
  sink_->OnMessageFacts(std::move(facts_));
}

QueueWalker::Interest MessageExplainer::Look(const Message& message) {
  return LookFor(message, filter_, kAllQueueColumns, io_->now_ns());
}

void MessageExplainer::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  ForEachMatch(*message, meta, part, filter_, io_->now_ns(),
               [this](const QueueItem& item) { Add(item); });
}

void MessageExplainer::Add(const QueueItem& item) {
  if (facts_.recipients.size() == core::kExplainedRecipients) {
    ++facts_.more;
    return;
  }
  const auto wall = [this](int64_t steady_ns) {
    return steady_ns == core::kNever ? 0 : io_->wall_ns() + (steady_ns - io_->now_ns());
  };
  const HomeTicket& ticket = *item.ticket;
  const PeriodSet& periods = *ticket.periods;
  RecipientFacts facts;
  facts.line = MakeQueueLine(item, *io_, filter_.live);
  facts.route = facts.line.route;
  facts.destination = ticket.destination->key;
  facts.place = ticket.where;
  facts.accepted_wall_ns = item.meta->accepted_wall_ns();
  facts.since_wall_ns = wall(ticket.since_ns);
  facts.notified = ticket.notified;
  facts.rerouted = ticket.diverted;
  const smtp::RecipientDsn dsn = item.meta->dsn().Of(item.index);
  facts.notify = smtp::NotifyText(dsn.notify);
  facts.orcpt = dsn.orcpt;
  facts.envid = item.meta->dsn().envid();
  facts.ret = smtp::ReturnText(item.meta->dsn().ret());
  if (item.meta->has_original()) {
    facts.original_id = item.meta->original_id();
    facts.original_sender = std::string(item.meta->original_reverse_path());
    facts.original_count = item.meta->original_count();
    item.meta->ForEachOriginal([&facts](std::string_view address) {
      if (facts.original_recipients.size() == kOriginalShown) return;
      facts.original_recipients.emplace_back(address);
    });
  }
  if (ticket.purged) {
    facts.final_wall_ns = wall(ticket.final_ns);
  } else if (ticket.held()) {
    facts.held_by_route = ticket.destination->action == core::RouteAction::kHold;
    facts.held_by_operator = !facts.held_by_route;
  } else {  // held mail has all its periods before it
    const int64_t notify_ns = NotifyTime(ticket.periods_begin_ns(), periods.notify_after_ns,
                                         periods.retry_until_ns, ticket.notified);
    facts.notify_wall_ns = smtp::Wants(dsn.notify, smtp::kNotifyDelay) ? wall(notify_ns) : 0;
    facts.expire_wall_ns = wall(ExpiryTime(ticket.periods_begin_ns(), periods.retry_until_ns));
  }
  facts_.recipients.push_back(std::move(facts));
}

}  // namespace outbox::queue
