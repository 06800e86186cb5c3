// Home's side of `outbox clear` and `outbox reroute`: tickets that an operator has routed again.
// Who goes through the queue is RedirectCommand, who waits for tickets and writes is Redirector.
#include <algorithm>
#include <bit>
#include <string>

#include "core/check.h"
#include "core/time.h"
#include "queue/destination_key.h"
#include "queue/home.h"
#include "queue/route_order.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

bool SameSchedule(const GroupView& group, std::span<const uint32_t> retry_s) {
  if (group.retry_count() != retry_s.size()) return false;
  for (uint32_t i = 0; i < group.retry_count(); ++i) {
    if (group.retry_s(i) != retry_s[i]) return false;
  }
  return true;
}

bool SamePeriods(const Periods& a, const Periods& b) {
  return a.notify_after_s == b.notify_after_s && a.retry_until_s == b.retry_until_s;
}

}  // namespace

HomeTicket* Home::TakeApart(HomeTicket* ticket, uint64_t mask) {
  if (mask == ticket->mask) CancelTimer(ticket);
  HomeTicket* part = Split(ticket, mask);
  if (part != ticket) part->next_attempt_ns = ticket->next_attempt_ns;
  return part;
}

void Home::CallBack(HomeTicket* ticket) {
  if (ticket->where == TicketPlace::kOut && !ticket->recall_pending) context_.post->Recall(ticket);
}

bool Home::TakeBack(HomeTicket* ticket) {
  ticket->where = TicketPlace::kWaiting;
  ticket->diverted = false;
  TicketResult nothing;
  nothing.reason = ReturnReason::kRecalled;
  return !ticket->ordered || SettleRemoval(ticket, &nothing);
}

const Router& Home::router() const { return *context_.router; }

// Null: what the message itself says.
const Routing* Home::RoutingOf(const HomeTicket& ticket, const MetaView& meta,
                               const RouteChoice& choice, bool pinned) {
  if (ticket.group < meta.group_count() && !pinned) {
    const GroupView group = meta.Group(ticket.group);
    if (group.destination() == choice.destination && group.route() == choice.route &&
        SamePeriods(group.periods(), choice.periods) && SameSchedule(group, choice.retry_s)) {
      return nullptr;
    }
  }
  return routings_.Intern(choice.route, choice.retry_s, choice.periods, pinned);
}

void Home::SetRouting(HomeTicket* ticket, std::string_view key, const Routing* routing,
                      const PeriodSet* periods) {
  if (ticket->destination->key != key) {
    DirectoryEntry* before = ticket->destination;
    ticket->destination = directory_.Acquire(key);
    directory_.Release(before);
  }
  ticket->routing = routing;
  ticket->periods = periods;
  ticket->retry_s = static_cast<uint32_t>(periods->retry_ns[0] / core::kNsPerSecond);
}

bool Home::IsRoutedAs(const HomeTicket& ticket, uint64_t mask, const MetaView& meta,
                      const RouteOrder& order) {
  if (NeedsBody() || ticket.rerouting) return false;
  StoredFacts facts(meta, {}, &header_, ticket.released);
  facts->source = SourceOf(ticket.destination->key);
  for (uint64_t left = mask; left != 0; left &= left - 1) {
    const uint32_t index = ticket.first + static_cast<uint32_t>(std::countr_zero(left));
    const RouteChoice choice = order.Choose(router(), meta.Recipient(index), *facts);
    if (choice.destination != ticket.destination->key ||
        RoutingOf(ticket, meta, choice, order.pinned()) != ticket.routing) {
      return false;
    }
  }
  return true;
}

void Home::RouteAs(HomeTicket* ticket, const MetaView& meta, std::string_view body,
                   const RouteOrder& order, RedirectOwner* owner) {
  CHECK(ticket->where == TicketPlace::kWaiting && ticket->mask != 0);
  CancelTimer(ticket);
  if (std::exchange(ticket->rerouting, false)) --rerouting_;
  StoredFacts facts(meta, body, &header_, ticket->released);
  const std::string before = ticket->destination->key;
  facts->source = SourceOf(before);
  // A route's hold is a routing like any other; an operator's stays.
  const bool was_held = ticket->destination->action == core::RouteAction::kHold;
  if (was_held) ticket->hold = 0;
  for (bool last = false; !last;) {
    uint64_t left = ticket->mask;
    const auto next = [&] {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(left));
      return order.Choose(router(), meta.Recipient(index), *facts);
    };
    const RouteChoice choice = next();
    const std::string key(choice.destination);
    uint64_t same = left & (~left + 1);
    const bool alone = TicketRecipientsFor(key) == 1;
    for (left &= left - 1; left != 0 && !alone; left &= left - 1) {
      const RouteChoice other = next();
      if (other.destination == key && other.route == choice.route) same |= left & (~left + 1);
    }
    last = same == ticket->mask;
    RouteChoice own = choice;
    own.destination = key;  // the router has been asked again since
    RoutePart(Split(ticket, same), meta, own, was_held, order, owner);
  }
}

void Home::RoutePart(HomeTicket* part, const MetaView& meta, const RouteChoice& choice,
                     bool was_held, const RouteOrder& order, RedirectOwner* owner) {
  const std::string from = part->destination->key;
  const Routing* routing = RoutingOf(*part, meta, choice, order.pinned());
  const bool changed = routing != part->routing || from != choice.destination;
  const PeriodSet* periods =
      routing != nullptr ? routing->set : periods_.Intern(meta.Group(part->group));
  SetRouting(part, choice.destination, routing, periods);
  part->next_attempt_ns = 0;
  if (was_held && choice.action != core::RouteAction::kHold) {
    part->released = true;
    part->released_ns = context_.io->now_ns();
    part->paused_ns = 0;
  }
  if (changed || was_held) states_.Mark(part->store, part->message);
  context_.log->Redirected(*part, choice.route, from == choice.destination ? "" : from,
                           order.name(), meta);
  const std::string key(choice.destination);
  OfferOrWait(part);
  if (owner != nullptr) TellDestination(key, owner);
}

void Home::TellDestination(std::string_view key, RedirectOwner* owner) {
  const DirectoryEntry* entry = directory_.Find(key);
  if (entry == nullptr || entry->action != core::RouteAction::kSend) return;
  const std::string name = entry->key;
  owner->OnDestination(name, entry->hash);
}

void Home::EndReplaced(HomeTicket* ticket, bool gone, const MetaView& meta, uint64_t new_id) {
  ticket->diverted = false;
  context_.log->Replaced(*ticket, new_id, meta);
  if (gone) return FreeTicket(ticket);
  const int count = ticket->recipients();
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  EndTicket(ticket);
}

void Home::EndedReplaced(uint64_t id) { context_.log->Finished(id); }

void Home::TakeNew(Store* store, Message* message, const MetaView& meta,
                   std::span<const char> state, uint64_t instead_of) {
  context_.log->Resubmitted(message->id, meta, instead_of);
  if (state.empty()) return OnAccepted(store, message, meta, context_.router);
  const std::optional<StateView> view = StateView::Parse(state);
  CHECK(view.has_value());
  TakeUp(store, message, meta, *view);
}

void Home::HoldAll(Store* store, uint64_t id) {
  Message* message = store->Find(id);
  if (message == nullptr || message->home == nullptr || closing_) return;
  if (message->shelved()) TakeOffShelf(message);
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;
    if (ticket->pending_mask() != 0) Hold(ticket, ticket->pending_mask());
  }
}

void Home::ReportTooLarge(uint64_t id) {
  context_.log->Notice(core::LogLevel::kWarning, "not_rerouted",
                       std::string("message ") + FormatMessageId(id) +
                           " would not fit into a record with so large an envelope");
}

}  // namespace outbox::queue
