// Home's side of the operator's commands: what becomes of one ticket. Who goes through the queue is
// QueueCommand (queue/queue_command.h). home_purge.cc has the orders that end recipients.
#include "queue/home.h"
#include "queue/shard_log.h"

namespace outbox::queue {

void Home::CancelTimer(HomeTicket* ticket) {
  if (ticket->timer == core::TimerWheel::kNone) return;
  context_.wheel->Cancel(ticket->timer);
  ticket->timer = core::TimerWheel::kNone;
}

bool Home::Retry(HomeTicket* ticket) {
  if (closing_ || ticket->where == TicketPlace::kOut || ticket->held() || ticket->purged) {
    return false;
  }
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

}  // namespace outbox::queue
