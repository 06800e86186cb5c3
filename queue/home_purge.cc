// Home's side of the operator's orders that end recipients: remove, purge and bounce; and of undo.
//
// A purged ticket waits at home with a timer for the moment at which it becomes final. It keeps
// what it would go on with (next attempt, hold, reply), and its state entry says since when and
// until when it is purged: so a restart changes nothing, and undo is the same state without that.
// Finality is a timer of each ticket; of those that are purged together one follows the other.
#include <algorithm>
#include <bit>
#include <utility>

#include "core/check.h"
#include "core/timer_wheel.h"
#include "queue/home.h"
#include "queue/retry_policy.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

// Ten thousand a second of a shard, and the most that a purge waits for others.
constexpr int64_t kFinalGapNs = 100'000;
constexpr int64_t kFinalSpreadMaxNs = 10 * core::kNsPerMinute;

}  // namespace

RemoveAnswer Home::Order(FinalOrder order, HomeTicket* ticket, uint64_t mask, RemovalOwner* owner,
                         const std::shared_ptr<const OrderDetails>& details,
                         const MetaView* meta) {
  CHECK(mask != 0 && (ticket->pending_mask() & mask) == mask);
  if (ticket->purged && order != FinalOrder::kRemove) return RemoveAnswer::kOrderedBefore;
  if (closing_ && order == FinalOrder::kBounce) return RemoveAnswer::kOrderedBefore;
  Removal removal = {.order = order, .mask = mask, .owned = mask, .owner = owner,
                     .details = details};
  if (ticket->where == TicketPlace::kWaiting) {
    if (mask == ticket->mask) CancelTimer(ticket);
    HomeTicket* part = Split(ticket, mask);
    if (part != ticket) part->next_attempt_ns = ticket->next_attempt_ns;
    return CarryOut(part, std::move(removal), {.meta = meta, .readable = meta == nullptr})
               ? RemoveAnswer::kRemoved
               : RemoveAnswer::kOrdered;
  }
  if (ticket->ordered) {
    Removal& before = removals_[ticket];
    if (before.order == order) before.mask |= mask;
    return RemoveAnswer::kOrderedBefore;
  }
  ticket->ordered = true;
  removals_.emplace(ticket, std::move(removal));
  if (ticket->where == TicketPlace::kOut && !ticket->recall_pending) context_.post->Recall(ticket);
  return RemoveAnswer::kOrdered;
}

// All recipients of a ticket that is at home are meant. False: that is done when the notice to
// their sender is stored.
bool Home::CarryOut(HomeTicket* ticket, Removal removal, const NameSource& names) {
  switch (removal.order) {
    case FinalOrder::kRemove:
      FinishRemoved(ticket, removal.details.get(), names);
      return true;
    case FinalOrder::kPurge:
      if (removal.details->undo_ns <= 0) {
        FinishRemoved(ticket, removal.details.get(), names);
      } else {
        BeginPurge(ticket, *removal.details, names);
      }
      return true;
    case FinalOrder::kBounce:
      return ReturnToSender(ticket, std::move(removal), names);
  }
  return true;
}

void Home::ForgetRemovals(RemovalOwner* owner) {
  for (auto& [ticket, removal] : removals_) {
    if (removal.owner == owner) removal.owner = nullptr;
  }
}

void Home::FinishRemoved(HomeTicket* ticket, const OrderDetails* details, const NameSource& names) {
  const int count = ticket->recipients();
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  if (ticket->purged) CountPurged(*ticket, -count);
  context_.log->Removed(*ticket, details, names);
  EndTicket(ticket);
}

bool Home::ReturnToSender(HomeTicket* ticket, Removal removal, const NameSource& names) {
  LastReply* reply = replies_.Acquire({0, "5.0.0", removal.details->reason, ""});
  replies_.Release(ticket->reply);
  ticket->reply = reply;
  if (!ticket->tells_sender()) {
    context_.log->Bounced(*ticket, names, removal.details.get());
    FinishSilently(ticket);
    return true;
  }
  removal.returned = true;
  removal.mask = ticket->mask;
  ticket->ordered = true;
  removals_[ticket] = std::move(removal);
  notifier_.Add(ticket, DsnAction::kFailed);
  return false;
}

// Of an order that has returned it to its sender; null: something else has.
const OrderDetails* Home::DetailsOf(HomeTicket* ticket) const {
  const auto found = removals_.find(ticket);
  const bool ours = found != removals_.end() && found->second.returned;
  return ours ? found->second.details.get() : nullptr;
}

// Its recipients are final: by the order, or in another way before.
void Home::EndOrder(HomeTicket* ticket) {
  const auto found = removals_.find(ticket);
  const Removal removal = std::move(found->second);
  removals_.erase(found);
  if (removal.owner == nullptr) return;
  const int count = std::popcount(removal.owned);
  removal.owner->OnRemoval(removal.returned ? count : 0, removal.returned ? 0 : count);
}

bool Home::SettleRemoval(HomeTicket* ticket, TicketResult* result) {
  const auto found = removals_.find(ticket);
  Removal removal = std::move(found->second);
  removals_.erase(found);
  ticket->ordered = false;
  const uint64_t removed = removal.mask & ticket->mask & ~result->delivered;
  const bool all = removed == ticket->mask;
  const int count = std::popcount(removed & removal.owned);
  RemovalOwner* const owner = removal.owner;
  const int kept = std::popcount(removal.owned) - count;
  bool done = true;
  if (removed != 0) {
    if (closing_ && removal.order == FinalOrder::kBounce) return true;  // it stays queued
    HomeTicket* part = Split(ticket, removed);
    if (part != ticket) part->next_attempt_ns = ticket->next_attempt_ns;
    if (removal.order == FinalOrder::kPurge) NoteAttempt(part, *result);
    std::erase_if(result->failed, [&](const RecipientResult& failed) {
      return (removed >> (failed.recipient - ticket->first) & 1) != 0;
    });
    removal.owned &= removed;
    done = CarryOut(part, std::move(removal), {});
  }
  if (owner != nullptr && done) {
    owner->OnRemoval(count, kept);
  } else if (owner != nullptr && kept > 0) {
    owner->OnKept(kept);
  }
  return !all;
}

// What its attempt has come to is what undone mail goes on with.
void Home::NoteAttempt(HomeTicket* ticket, const TicketResult& result) {
  if (result.reason != ReturnReason::kAttempted) return;
  ++ticket->attempts;
  for (const RecipientResult& failed : result.failed) {
    if ((ticket->mask >> (failed.recipient - ticket->first) & 1) == 0) continue;
    SetReply(ticket, failed, result.mailhost);
    break;
  }
  ticket->next_attempt_ns =
      AddTime(context_.io->now_ns(),
              RetryDelay(ticket->periods->retry_ns, ticket->attempts, context_.random));
}

// --- Purged ------------------------------------------------------------------------------------

void Home::CountPurged(const HomeTicket& ticket, int count) {
  context_.log->metrics().purged.Add(count);
  const int64_t second = ticket.final_ns / core::kNsPerSecond;
  int64_t& left = purged_until_[second];
  left += count;
  CHECK(left >= 0);
  if (left == 0) purged_until_.erase(second);
}

uint64_t Home::purged() const {
  return static_cast<uint64_t>(context_.log->metrics().purged.value());
}

int64_t Home::purged_until_ns() const {
  return purged_until_.empty() ? core::kNever : purged_until_.begin()->first * core::kNsPerSecond;
}

bool Home::log_crowded() const { return context_.log->crowded(); }

// What is purged together becomes final one after the other, so that neither the log nor the mail
// is flooded by that.
int64_t Home::FinalTime(int64_t final_ns) {
  const int64_t turn_ns = last_final_ns_ + kFinalGapNs;
  if (turn_ns > final_ns && turn_ns - final_ns < kFinalSpreadMaxNs) final_ns = turn_ns;
  last_final_ns_ = final_ns;
  return final_ns;
}

void Home::BeginPurge(HomeTicket* ticket, const OrderDetails& details, const NameSource& names) {
  const int64_t now_ns = context_.io->now_ns();
  if (ticket->diverted) redirector_.Leave(ticket);
  ticket->purged = true;
  ticket->purged_ns = now_ns;
  ticket->final_ns = FinalTime(AddTime(now_ns, details.undo_ns));
  CountPurged(*ticket, ticket->recipients());
  context_.log->Purged(*ticket, context_.io->wall_ns() + (ticket->final_ns - now_ns), details,
                       names);
  states_.Mark(ticket->store, ticket->message);
  WaitPurged(ticket);
}

void Home::WaitPurged(HomeTicket* ticket) {
  if (ticket->final_ns <= context_.io->now_ns()) {
    CancelTimer(ticket);
    FinishRemoved(ticket, nullptr, {.readable = false});
    return;
  }
  ticket->where = TicketPlace::kWaiting;
  const RecipientState state = ticket->state.load(std::memory_order_relaxed);
  if (state == RecipientState::kSending) {
    EnterState(ticket, ticket->notified ? RecipientState::kDelayed : RecipientState::kDeferred);
  }
  EnterState(ticket, RecipientState::kPurged);
  ticket->since_ns = ticket->purged_ns;
  ticket->host = LiveHosts::kNone;
  if (ticket->timer != core::TimerWheel::kNone) return;
  ticket->timer = context_.wheel->Add(ticket->final_ns,
                                      static_cast<uint8_t>(core::TimerKind::kTicketAtHome), ticket);
  CHECK(ticket->timer != core::TimerWheel::kNone);  // the wheel holds more than there are tickets
}

void Home::RecoverPurge(HomeTicket* ticket, const StatePart& part) {
  const int64_t now_ns = context_.io->now_ns();
  const int64_t wall_ns = context_.io->wall_ns();
  if ((part.flags & kPartPaused) != 0) ticket->paused_ns = std::max<int64_t>(0, part.paused_ns);
  if ((part.flags & kPartPurged) == 0) return;
  ticket->purged = true;
  ticket->purged_ns = now_ns - std::max<int64_t>(0, wall_ns - part.purged_wall_ns);
  // A wall clock that has been set back since gives no more time than there was.
  const int64_t whole_ns = std::max<int64_t>(0, part.final_wall_ns - part.purged_wall_ns);
  ticket->final_ns =
      FinalTime(now_ns + std::clamp<int64_t>(part.final_wall_ns - wall_ns, 0, whole_ns));
  CountPurged(*ticket, ticket->recipients());
}

int Home::Undo(HomeTicket* ticket, uint64_t mask, const OrderDetails& details,
               const MetaView* meta) {
  if (closing_ || !ticket->purged || mask == 0) return 0;
  if (mask == ticket->mask) CancelTimer(ticket);
  HomeTicket* part = Split(ticket, mask);
  const int count = part->recipients();
  if (part != ticket) part->next_attempt_ns = ticket->next_attempt_ns;
  CountPurged(*part, -count);
  part->purged = false;
  part->paused_ns = AddTime(part->paused_ns, context_.io->now_ns() - part->purged_ns);
  EnterState(part, part->notified ? RecipientState::kDelayed : RecipientState::kDeferred);
  states_.Mark(part->store, part->message);
  context_.log->Undone(*part, details, {.meta = meta, .readable = false});
  OfferOrWait(part);
  return count;
}

}  // namespace outbox::queue
