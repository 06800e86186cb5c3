// Home's tickets that do not go on: held until an operator releases them, by a route or by an
// operator's command; discarded or refused by a route.
//
// A route's hold is its destination key, which is stored with the message; an operator's is a flag
// in the message's state, as is a release. So either survives a restart. Held mail has no timer:
// its periods begin when it is released.
#include <bit>
#include <string>

#include "core/check.h"
#include "queue/destination_key.h"
#include "queue/home.h"
#include "queue/shard_log.h"

namespace outbox::queue {

void Home::SetApart(Message* message) {
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;  // the ticket may end, and the message with the last one
    if (ticket->destination->action != core::RouteAction::kSend) OfferOrWait(ticket);
  }
}

bool Home::GoesOn(HomeTicket* ticket) {
  const core::RouteAction action = ticket->destination->action;
  if (action == core::RouteAction::kHold) ticket->hold = ticket->mask;
  ticket->hold &= ticket->mask;
  if (ticket->hold != 0) {
    HomeTicket* held = Split(ticket, ticket->hold);
    if (held != ticket) held->next_attempt_ns = ticket->next_attempt_ns;
    WaitHeld(held);
    if (held == ticket) return false;
  }
  if (action == core::RouteAction::kReject) Refuse(ticket);
  if (action == core::RouteAction::kDiscard) FinishDiscarded(ticket);
  return action == core::RouteAction::kSend;
}

void Home::WaitHeld(HomeTicket* ticket) {
  ticket->where = TicketPlace::kWaiting;
  const RecipientState state = ticket->state.load(std::memory_order_relaxed);
  if (state == RecipientState::kHeld) return;
  if (state == RecipientState::kSending) {
    EnterState(ticket, ticket->notified ? RecipientState::kDelayed : RecipientState::kDeferred);
  }
  EnterState(ticket, RecipientState::kHeld);
  ticket->since_ns = context_.io->now_ns();
  ticket->host = LiveHosts::kNone;
}

bool Home::Hold(HomeTicket* ticket, uint64_t mask) {
  CHECK(mask != 0 && (ticket->pending_mask() & mask) == mask);
  if (closing_ || ticket->purged) return false;
  if (ticket->held()) return true;
  ticket->hold |= mask;
  states_.Mark(ticket->store, ticket->message);
  context_.log->Held(*ticket);
  if (ticket->where == TicketPlace::kOut) {
    if (!ticket->recall_pending) context_.post->Recall(ticket);
  } else if (ticket->where == TicketPlace::kWaiting) {
    CancelTimer(ticket);
    OfferOrWait(ticket);
  }
  return true;
}

int Home::Release(HomeTicket* ticket, uint64_t mask) {
  mask &= ticket->hold;
  if (closing_ || ticket->purged || mask == 0) return 0;
  const int count = std::popcount(mask);
  states_.Mark(ticket->store, ticket->message);
  if (!ticket->held()) {
    ticket->hold &= ~mask;
    return count;
  }
  HomeTicket* part = Split(ticket, mask);
  part->hold = 0;
  part->released = true;
  part->released_ns = context_.io->now_ns();
  part->paused_ns = 0;  // that was before its periods begin
  part->next_attempt_ns = 0;
  context_.log->Released(*part);
  if (part->destination->action == core::RouteAction::kHold && !part->rerouting) {
    part->rerouting = true;
    ++rerouting_;
  }
  OfferOrWait(part);
  return count;
}

void Home::FinishDiscarded(HomeTicket* ticket) {
  const int count = ticket->recipients();
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  context_.log->Discarded(*ticket);
  EndTicket(ticket);
}

// A route of today refuses mail that is queued already: it goes back to its sender.
void Home::Refuse(HomeTicket* ticket) {
  RecipientResult result;
  result.verdict = Verdict::kBounced;
  result.enhanced = "5.7.1";
  result.text = RejectText(ticket->destination->key);
  HandleBounced(ticket, ticket->mask, result, TicketResult());
}

}  // namespace outbox::queue
