// Home's tickets: how messages become tickets, how a ticket splits and how it ends.
#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/config_archive.h"
#include "core/hash.h"
#include "core/limits.h"
#include "queue/destination_key.h"
#include "queue/home.h"
#include "queue/retry_policy.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

uint64_t MaskOf(uint32_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

}  // namespace

HomeTicket* Home::MakeTicket(Store* store, Message* message, const MetaView& meta,
                             const GroupView& group, uint16_t group_index, uint16_t first,
                             uint64_t mask) {
  HomeTicket* ticket = tickets_.New();
  CHECK(ticket != nullptr);  // admission keeps messages far below the bound
  ticket->message = message;
  ticket->store = store;
  ticket->destination = directory_.Acquire(group.destination());
  ticket->mask = mask;
  ticket->message_id = message->id;
  // 16 bits are what a shelf keeps: senders who share them share their turn.
  ticket->sender_hash = core::Hash64(meta.reverse_path()) >> 48;
  ticket->size_bytes = static_cast<uint32_t>(std::min<uint64_t>(meta.smtp_size(), UINT32_MAX));
  ticket->first = first;
  ticket->group = group_index;
  ticket->home = context_.post->self();
  ticket->eight_bit = meta.eight_bit();
  ticket->archive = group.route() == core::kArchiveRoute;
  ticket->periods = periods_.Intern(group);
  ticket->retry_s = static_cast<uint32_t>(ticket->periods->retry_ns[0] / core::kNsPerSecond);
  // The steady time of acceptance, derived from the wall clock once; a wall clock that has been set
  // back since does not make the message older than it is.
  const int64_t age_ns = std::max<int64_t>(0, context_.io->wall_ns() - meta.accepted_wall_ns());
  ticket->accepted_ns = context_.io->now_ns() - age_ns;
  ticket->sibling = FirstTicket(message);
  message->home = ticket;
  return ticket;
}

void Home::OnAccepted(Store* store, Message* message, const MetaView& meta,
                      const Router* routed_by) {
  const bool routed_now = closing_ || routed_by == context_.router;
  message->home = nullptr;
  message->policy = 0;
  GroupView group;
  uint16_t index = 0;
  bool any_rerouted = false;
  bool any_apart = false;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group), ++index) {
    const uint32_t most = TicketRecipientsFor(group.destination());
    for (uint32_t done = 0; done < group.count(); done += most) {
      const uint32_t count = std::min<uint32_t>(most, group.count() - done);
      HomeTicket* ticket = MakeTicket(store, message, meta, group, index,
                                      static_cast<uint16_t>(group.first() + done), MaskOf(count));
      if (ticket->destination->action != core::RouteAction::kSend) {
        any_apart = true;
      } else if (routed_now ||
                 StillRoutes(ticket->destination, group.route(), meta.reverse_path())) {
        Offer(ticket, /*lease=*/true);
      } else {
        ticket->rerouting = true;
        ++rerouting_;
        any_rerouted = true;
      }
    }
  }
  // Not before all tickets are there: the end of the last one is the end of the message.
  if (any_apart) SetApart(message);
  if (any_rerouted) RouteAgain(message, &meta, nullptr);
}

void Home::OnRecovered(Store* store, Message* message, const MetaView& meta,
                       const StateView& state) {
  context_.log->Recovered(message->pending);
  message->recovered = true;
  if (state.untouched()) {
    OnAccepted(store, message, meta, nullptr);
    return;
  }
  TakeUp(store, message, meta, state);
}

void Home::TakeUp(Store* store, Message* message, const MetaView& meta, const StateView& state) {
  message->home = nullptr;
  message->policy = 0;
  StatePart part;
  for (uint32_t at = 0; state.Next(&at, &part);) {
    if (part.mask == 0 || part.group >= meta.group_count()) continue;  // checked by the store
    HomeTicket* ticket =
        MakeTicket(store, message, meta, meta.Group(part.group), part.group, part.first, part.mask);
    if ((part.flags & kPartRouted) != 0) {
      const bool pinned = (part.flags & kPartPinned) != 0;
      const Routing* routing = routings_.Intern(part.routing, pinned);
      SetRouting(ticket, part.routing.destination, routing, routing->set);
    }
    ticket->attempts = part.attempts;
    ticket->notified = (part.flags & kPartNotified) != 0;
    if ((part.flags & kPartHeld) != 0) ticket->hold = part.mask;
    if ((part.flags & kPartReleased) != 0) {
      ticket->released = true;
      const int64_t ago_ns = context_.io->wall_ns() - part.released_wall_ns;
      ticket->released_ns = context_.io->now_ns() - std::max<int64_t>(0, ago_ns);
    }
    ticket->delivered = (part.flags & kPartDelivered) != 0;
    if (!ticket->delivered) RecoverPurge(ticket, part);
    // A wall clock that has been set back since must not make it wait for longer than it ever had
    // to.
    const int64_t wait_ns = std::clamp<int64_t>(
        part.next_attempt_wall_ns - context_.io->wall_ns(), 0,
        RetryDelayMax(ticket->periods->retry_ns, std::max<uint32_t>(1, part.attempts)));
    ticket->next_attempt_ns = context_.io->now_ns() + wait_ns;
    if (part.attempts > 0) {
      ticket->reply = replies_.Acquire({part.code, part.enhanced, part.text, part.mailhost});
    }
    recovered_.push_back(ticket);
  }
  CHECK(!recovered_.empty());  // a live message has a pending part
  // Not before all tickets are there: one that has expired may end, and the last one's end is the
  // end of the message.
  for (HomeTicket* ticket : recovered_) {
    if (ticket->delivered) {
      TellDelivered(ticket);
    } else if (closing_ || HasRoute(*ticket, meta)) {
      OfferOrWait(ticket);
    } else {
      RouteTicket(ticket, meta, nullptr);
    }
  }
  recovered_.clear();
}

HomeTicket* Home::Split(HomeTicket* ticket, uint64_t mask) {
  CHECK(mask != 0 && (ticket->mask & mask) == mask);
  if (ticket->mask == mask) return ticket;
  HomeTicket* part = tickets_.New();
  CHECK(part != nullptr);
  part->message = ticket->message;
  part->store = ticket->store;
  part->destination = directory_.Acquire(ticket->destination->key);
  part->mask = mask;
  part->message_id = ticket->message_id;
  part->sender_hash = ticket->sender_hash;
  part->size_bytes = ticket->size_bytes;
  part->first = ticket->first;
  part->group = ticket->group;
  part->attempts = ticket->attempts;
  part->home = ticket->home;
  part->priority = ticket->priority;
  part->eight_bit = ticket->eight_bit;
  part->retry_s = ticket->retry_s;
  part->periods = ticket->periods;
  part->routing = ticket->routing;
  part->accepted_ns = ticket->accepted_ns;
  part->since_ns = ticket->since_ns;
  part->notified = ticket->notified;
  part->archive = ticket->archive;
  part->delivered = ticket->delivered;
  part->rerouting = ticket->rerouting;
  if (part->rerouting) ++rerouting_;
  part->reply = replies_.Acquire(ticket->reply);
  part->released = ticket->released;
  part->released_ns = ticket->released_ns;
  part->purged = ticket->purged;
  part->purged_ns = ticket->purged_ns;
  part->final_ns = ticket->final_ns;
  part->paused_ns = ticket->paused_ns;
  part->hold = ticket->hold & mask;
  ticket->hold &= ~mask;
  ticket->mask &= ~mask;
  part->sibling = ticket->sibling;
  ticket->sibling = part;
  return part;
}

void Home::FreeTicket(HomeTicket* ticket) {
  CHECK(ticket->where != TicketPlace::kOut);
  CHECK(ticket->timer == core::TimerWheel::kNone);
  if (ticket->rerouting) --rerouting_;
  if (ticket->diverted) redirector_.Leave(ticket);
  if (ticket->ordered) EndOrder(ticket);
  directory_.Release(ticket->destination);
  replies_.Release(ticket->reply);
  tickets_.Delete(ticket);
}

void Home::EndTicket(HomeTicket* ticket) {
  Message* message = ticket->message;
  Store* store = ticket->store;
  if (message->home == ticket) {
    message->home = ticket->sibling;
  } else {
    HomeTicket* before = FirstTicket(message);
    while (before->sibling != ticket) before = before->sibling;
    before->sibling = ticket->sibling;
  }
  FreeTicket(ticket);
  if (message->home != nullptr) {
    states_.Mark(store, message);
    return;
  }
  states_.Unmark(message);
  context_.log->Finished(message->id);
  store->Done(message);
}

}  // namespace outbox::queue
