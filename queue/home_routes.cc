// Home's side of a reload: tickets whose route is gone get another destination (queue/rerouter.h).
#include <bit>

#include "core/check.h"
#include "core/hash.h"
#include "queue/home.h"
#include "queue/route_order.h"
#include "queue/router.h"
#include "queue/shard_log.h"

namespace outbox::queue {

void Home::SetRouter(const Router* router) {
  context_.router = router;
  ++routers_;
  notifier_.SetRouter(router);
}

// A backlog asks the same of the same destinations again and again.
bool Home::StillRoutes(DirectoryEntry* entry, std::string_view route,
                       std::string_view sender) const {
  const uint64_t seen =
      core::Hash64(route, core::HashCombine(routers_, context_.router->sources().SenderOf(sender)));
  if (entry->route_seen == seen) return true;
  if (!context_.router->StillRoutes(route, entry->key, sender)) return false;
  entry->route_seen = seen;
  return true;
}

bool Home::NeedsBody() const { return context_.router->needs_header(); }

bool Home::HasRoute(const HomeTicket& ticket, const MetaView& meta) const {
  const core::RouteAction action = ticket.destination->action;
  // What a route holds stays held, also when the route is gone.
  if (action == core::RouteAction::kHold) return !ticket.released;
  if (action != core::RouteAction::kSend) return true;
  const std::string_view sender = meta.reverse_path();
  if (ticket.routing != nullptr && ticket.routing->pinned) {
    return context_.router->StillSends(ticket.destination->key, sender);
  }
  if (ticket.routing != nullptr) {
    return StillRoutes(ticket.destination, ticket.routing->route, sender);
  }
  return ticket.group >= meta.group_count() ||
         StillRoutes(ticket.destination, meta.Group(ticket.group).route(), sender);
}

void Home::MaybeReroute(HomeTicket* ticket, const MetaView& meta) {
  if (closing_ || ticket->rerouting || HasRoute(*ticket, meta)) return;
  if (ticket->where == TicketPlace::kWaiting) {
    CancelTimer(ticket);
    RouteTicket(ticket, meta, nullptr);
    return;
  }
  ticket->rerouting = true;  // OfferOrWait sees it when the ticket is back
  ++rerouting_;
  if (ticket->where == TicketPlace::kOut && !ticket->recall_pending) context_.post->Recall(ticket);
}

void Home::RouteAgain(Message* message, const MetaView* meta, const std::string_view* body) {
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;
    if (!ticket->rerouting || ticket->where != TicketPlace::kWaiting) continue;
    ticket->rerouting = false;
    --rerouting_;
    if (meta == nullptr || HasRoute(*ticket, *meta)) {
      OfferOrWait(ticket);  // damaged on disk: it stays where it was
    } else {
      RouteTicket(ticket, *meta, body);
    }
  }
}

// The recipients that share a destination of today stay together.
void Home::RouteTicket(HomeTicket* ticket, const MetaView& meta, const std::string_view* body) {
  CHECK(ticket->where == TicketPlace::kWaiting && ticket->mask != 0);
  if (body == nullptr && NeedsBody() && !ticket->archive) {
    ticket->rerouting = true;
    ++rerouting_;
    rerouter_.Add(ticket->store, ticket->message_id);
    return;
  }
  StoredFacts stored(meta, body == nullptr ? std::string_view() : *body, &header_,
                     ticket->released);
  const std::string before = ticket->destination->key;
  stored->source = SourceOf(before);
  const RouteFacts& facts = *stored;
  const auto route = [&](uint32_t index) {
    const std::string_view recipient = meta.Recipient(index);
    if (ticket->archive) return context_.router->RouteArchive(recipient);
    if (ticket->routing == nullptr || !ticket->routing->pinned) {
      return context_.router->Route(recipient, facts);
    }
    // To the same hosts, from another source.
    RouteChoice choice;
    choice.destination = before;
    choice.route = ticket->routing->route;
    choice.recipient = recipient;
    context_.router->ChooseSource(facts, &choice);
    return choice;
  };
  for (bool last = false; !last;) {
    const uint32_t first = ticket->first + static_cast<uint32_t>(std::countr_zero(ticket->mask));
    const RouteChoice choice = route(first);
    const std::string key(choice.destination);
    uint64_t left = ticket->mask;
    uint64_t same = left & (~left + 1);
    const bool alone = TicketRecipientsFor(key) == 1;
    for (left &= left - 1; left != 0 && !alone; left &= left - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(left));
      if (route(index).destination == key) same |= left & (~left + 1);
    }
    last = same == ticket->mask;
    HomeTicket* part = Split(ticket, same);
    if (part != ticket) part->next_attempt_ns = ticket->next_attempt_ns;
    if (part->destination->key != key) {
      DirectoryEntry* old = part->destination;
      part->destination = directory_.Acquire(key);
      context_.log->Rerouted(*part, choice, old->key, meta);
      directory_.Release(old);
    }
    OfferOrWait(part);
  }
}

}  // namespace outbox::queue
