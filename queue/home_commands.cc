// Home's side of the operator's commands: what becomes of one ticket. Who goes through the queue is
// QueueCommand (queue/queue_command.h).
#include <bit>

#include "core/check.h"
#include "queue/home.h"
#include "queue/shard_log.h"

namespace outbox::queue {

void Home::CancelTimer(HomeTicket* ticket) {
  if (ticket->timer == core::TimerWheel::kNone) return;
  context_.wheel->Cancel(ticket->timer);
  ticket->timer = core::TimerWheel::kNone;
}

bool Home::Retry(HomeTicket* ticket) {
  if (closing_ || ticket->where == TicketPlace::kOut || ticket->held()) return false;
  const bool waited = ticket->next_attempt_ns > context_.io->now_ns();
  ticket->next_attempt_ns = 0;
  if (waited) context_.log->Retried(*ticket);
  if (ticket->where == TicketPlace::kNotice) return waited;  // it goes when the notice is committed
  CancelTimer(ticket);
  OfferOrWait(ticket);
  return waited;
}

uint32_t Home::TicketsFor(std::string_view key) {
  const DirectoryEntry* entry = directory_.Find(key);
  return entry == nullptr ? 0 : entry->tickets;
}

void Home::Lift(const std::string& key, uint64_t hash, bool ask_again) {
  if (!closing_) context_.post->Lift(key, hash, ask_again);
}

RemoveAnswer Home::Remove(HomeTicket* ticket, uint64_t mask, RemovalOwner* owner) {
  CHECK(mask != 0 && (ticket->pending_mask() & mask) == mask);
  if (ticket->where == TicketPlace::kWaiting) {
    if (mask == ticket->mask) CancelTimer(ticket);
    FinishRemoved(Split(ticket, mask));
    return RemoveAnswer::kRemoved;
  }
  Removal& removal = removals_[ticket];
  removal.mask |= mask;
  if (ticket->ordered) return RemoveAnswer::kOrderedBefore;
  ticket->ordered = true;
  removal.owned = mask;
  removal.owner = owner;
  if (ticket->where == TicketPlace::kOut && !ticket->recall_pending) context_.post->Recall(ticket);
  return RemoveAnswer::kOrdered;
}

void Home::ForgetRemovals(RemovalOwner* owner) {
  for (auto& [ticket, removal] : removals_) {
    if (removal.owner == owner) removal.owner = nullptr;
  }
}

void Home::FinishRemoved(HomeTicket* ticket) {
  const int count = ticket->recipients();
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  context_.log->Removed(*ticket);
  EndTicket(ticket);
}

bool Home::SettleRemoval(HomeTicket* ticket, TicketResult* result) {
  const auto found = removals_.find(ticket);
  const Removal removal = found->second;
  removals_.erase(found);
  ticket->ordered = false;
  const uint64_t removed = removal.mask & ticket->mask & ~result->delivered;
  const bool all = removed == ticket->mask;
  if (removed != 0) {
    std::erase_if(result->failed, [&](const RecipientResult& failed) {
      return (removed >> (failed.recipient - ticket->first) & 1) != 0;
    });
    FinishRemoved(Split(ticket, removed));
  }
  if (removal.owner != nullptr) {
    const int count = std::popcount(removed & removal.owned);
    removal.owner->OnRemoval(count, std::popcount(removal.owned) - count);
  }
  return !all;
}

}  // namespace outbox::queue
