#include "queue/explain.h"

#include <bit>
#include <utility>

#include "core/time.h"
#include "queue/directory.h"
#include "queue/retry_policy.h"

namespace outbox::queue {

MessageExplainer::MessageExplainer(io::Io* io, Home* home, std::vector<Store*> stores,
                                   const AttemptTrail* trail, const LiveHosts* live, uint64_t id,
                                   MessageFactsSink* sink)
    : io_(io),
      trail_(trail),
      live_(live),
      id_(id),
      sink_(sink),
      walk_(home, std::move(stores), this, id) {}

void MessageExplainer::Tick() {
  if (walk_.done()) return;
  walk_.Tick();
  if (!walk_.done()) return;
  facts_.trail = trail_->OfMessage(id_);
  facts_.forgotten = trail_->forgotten();
  sink_->OnMessageFacts(std::move(facts_));
}

void MessageExplainer::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  const auto wall = [this](int64_t steady_ns) {
    return steady_ns == core::kNever ? 0 : io_->wall_ns() + (steady_ns - io_->now_ns());
  };
  for (const HomeTicket* ticket = FirstTicket(message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!part.Has(*ticket)) continue;
    RecipientFacts facts;
    facts.destination = ticket->destination->key;
    facts.place = ticket->where;
    facts.accepted_wall_ns = meta->accepted_wall_ns();
    facts.since_wall_ns = wall(ticket->since_ns);
    const PeriodSet& periods = *ticket->periods;
    facts.notify_wall_ns = wall(NotifyTime(ticket->periods_begin_ns(), periods.notify_after_ns,
                                           periods.retry_until_ns, ticket->notified));
    facts.expire_wall_ns = wall(ExpiryTime(ticket->periods_begin_ns(), periods.retry_until_ns));
    facts.notified = ticket->notified;
    if (ticket->held()) {
      facts.held_by_route = ticket->destination->action == core::RouteAction::kHold;
      facts.held_by_operator = !facts.held_by_route;
      facts.notify_wall_ns = 0;
      facts.expire_wall_ns = 0;
    }
    for (uint64_t mask = ticket->pending_mask(); mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      const WalkPart::Recipient* recipient = part.Find(index);
      if (recipient == nullptr) continue;
      facts.route = std::string(recipient->route);
      facts.line = MakeQueueLine(*ticket, *meta, recipient->address, *io_, live_);
      facts_.recipients.push_back(facts);
    }
  }
}

}  // namespace outbox::queue
