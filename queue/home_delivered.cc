// Home's recipients that are delivered.
//
// Most are final with that. Where the sender is to hear of it from us (NOTIFY=SUCCESS, RFC 3461
// 5.2.2), because the host has no DSN or was the last one, they are final together with the notice,
// in one record, as those that fail. Until then their state says that they are delivered: whoever
// takes the message up again after a crash or a stop tells the sender, and sends nothing twice.
#include <algorithm>
#include <bit>

#include "core/check.h"
#include "queue/home.h"
#include "queue/shard_log.h"

namespace outbox::queue {

void Home::CountDelivered(HomeTicket* ticket, uint64_t mask) {
  const int count = std::popcount(mask);
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  context_.log->CountDelivered(count);
}

void Home::OnProgress(Ticket* out, uint64_t delivered) {
  auto* ticket = static_cast<HomeTicket*>(out);
  CHECK(ticket->where == TicketPlace::kOut);
  delivered &= ticket->pending_mask();
  CHECK(delivered != 0 && delivered != ticket->pending_mask());  // the attempt goes on for others
  CountDelivered(ticket, delivered);
  ticket->settled |= delivered;
  states_.Mark(ticket->store, ticket->message);
}

void Home::HandleDelivered(HomeTicket* ticket, uint64_t mask, const TicketResult& result) {
  if (!result.confirm.empty()) mask &= ~Confirm(ticket, mask, result);
  if (mask == 0) return;
  CountDelivered(ticket, mask & ~ticket->settled);
  ticket->settled = 0;  // all of them are in `mask`
  ticket->mask &= ~mask;
  if (ticket->mask == 0) {
    EndTicket(ticket);
  } else {
    states_.Mark(ticket->store, ticket->message);
  }
}

uint64_t Home::Confirm(HomeTicket* ticket, uint64_t mask, const TicketResult& result) {
  uint64_t taken = 0;
  for (size_t i = 0; i < result.confirm.size(); ++i) {
    const Confirmation& first = result.confirm[i];
    uint64_t same = 0;  // with the words of the first; others have had their turn, or will
    for (size_t j = i; j < result.confirm.size(); ++j) {
      const Confirmation& other = result.confirm[j];
      CHECK(other.words.recipient >= ticket->first && other.words.recipient - ticket->first < 64);
      if (other.words.code == first.words.code && other.words.enhanced == first.words.enhanced &&
          other.words.text == first.words.text && other.mailhost == first.mailhost) {
        same |= uint64_t{1} << (other.words.recipient - ticket->first);
      }
    }
    same &= mask & ~taken;
    if (same == 0) continue;
    taken |= same;
    HomeTicket* part = Split(ticket, same);
    SetReply(part, first.words, first.mailhost);
    part->attempts = std::max<uint16_t>(part->attempts, 1);
    part->delivered = true;
    part->hold = 0;
    states_.Mark(part->store, part->message);
    TellDelivered(part);
  }
  return taken;
}

// Too late for a notice while we stop: the restart makes it.
void Home::TellDelivered(HomeTicket* ticket) {
  if (!closing_) notifier_.Add(ticket, DsnAction::kSucceeded);
}

void Home::FinishDelivered(HomeTicket* ticket, bool gone) {
  if (gone) {
    context_.log->CountDelivered(ticket->recipients());
    FreeTicket(ticket);
    return;
  }
  CountDelivered(ticket, ticket->mask);
  EndTicket(ticket);
}

}  // namespace outbox::queue
