#include "queue/queue_command.h"

#include <bit>
#include <utility>

#include "core/check.h"
#include "queue/directory.h"

namespace outbox::queue {
namespace {

// A log that hangs slows a command down, and does not stop it.
constexpr int64_t kLogPatienceNs = 100 * core::kNsPerMs;

// Only what is purged can be taken back.
QueueFilter FilterOf(QueueOrder order, QueueFilter filter) {
  if (order == QueueOrder::kUndo) filter.states = StateBit(RecipientState::kPurged);
  return filter;
}

}  // namespace

QueueCommand::QueueCommand(io::Io* io, Home* home, std::vector<Store*> stores, QueueOrder order,
                           QueueFilter filter, CommandSink* sink, OrderDetails details)
    : io_(io),
      home_(home),
      order_(order),
      filter_(FilterOf(order, std::move(filter))),
      sink_(sink),
      walk_(io, home, std::move(stores), this, filter_.id),
      details_(std::make_shared<const OrderDetails>(std::move(details))) {}

bool QueueCommand::wants_turn() const {
  if (done_) return false;
  if (!walk_.done()) return walk_.wants_turn() && !Waits();
  if (written_.has_value() && !stopping_) return home_->StatesWritten(*written_);
  return !walked_ || stopping_ || ordered_ == 0;
}

bool QueueCommand::Waits() const {
  return !stopping_ && io_->now_ns() < patience_until_ns_ && home_->log_crowded();
}

void QueueCommand::Stop() {
  stopping_ = true;
  walk_.Stop();
}

void QueueCommand::Tick() {
  if (!wants_turn()) return;
  patience_until_ns_ = io_->now_ns() + kLogPatienceNs;
  walk_.Tick();
  if (!walk_.done()) return;
  if (!std::exchange(walked_, true) && ordered_ > 0 && !stopping_) {
    sink_->OnCommandWaits(counts_);
    return;
  }
  if (ordered_ > 0 && !stopping_) return;
  if (!stopping_ && !written_.has_value() &&
      (order_ == QueueOrder::kPurge || order_ == QueueOrder::kUndo)) {
    written_ = home_->StatesMark();
    return;
  }
  if (ordered_ > 0) home_->ForgetRemovals(this);
  done_ = true;
  sink_->OnCommandDone(counts_);
}

QueueWalker::Interest QueueCommand::Look(const Message& message) {
  return LookFor(message, filter_, /*columns=*/0, io_->now_ns());
}

void QueueCommand::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  if (meta != nullptr && !filter_.MatchesSender(meta->reverse_path())) return;
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;  // the ticket may end, and the message with it
    const uint64_t mask = MeantOf(filter_, *ticket, meta, part, io_->now_ns());
    if (mask == 0) continue;
    const uint64_t held = order_ == QueueOrder::kRelease ? ticket->hold : UINT64_MAX;
    counts_.found += static_cast<uint64_t>(std::popcount(mask & held));
    switch (order_) {
      case QueueOrder::kRetry:
        Retry(ticket);
        break;
      case QueueOrder::kRemove:
        End(FinalOrder::kRemove, ticket, mask, meta);
        break;
      case QueueOrder::kPurge:
        End(FinalOrder::kPurge, ticket, mask, meta);
        break;
      case QueueOrder::kBounce:
        End(FinalOrder::kBounce, ticket, mask, meta);
        break;
      case QueueOrder::kUndo:
        counts_.done += static_cast<uint64_t>(home_->Undo(ticket, mask, *details_, meta));
        break;
      case QueueOrder::kHold:
        Hold(ticket, mask);
        break;
      case QueueOrder::kRelease:
        counts_.done += static_cast<uint64_t>(home_->Release(ticket, mask));
        break;
    }
  }
}

void QueueCommand::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  counts_.unreadable += filter_.MayMatchFrom(*message, from, io_->now_ns());
}

// A ticket is one transaction: all its recipients go, also those that the filter did not mean.
void QueueCommand::Retry(HomeTicket* ticket) {
  if (ticket->held()) {
    counts_.held += static_cast<uint64_t>(ticket->recipients());
    return;
  }
  const DirectoryEntry* destination = ticket->destination;
  // The ticket must be on its way before its destination looks again.
  const bool lift = lifted_.insert(destination->hash).second;
  const std::string key = lift ? destination->key : std::string();
  const uint64_t hash = destination->hash;
  const auto recipients = static_cast<uint64_t>(std::popcount(ticket->pending_mask()));
  if (home_->Retry(ticket)) counts_.done += recipients;
  if (lift) home_->Lift(key, hash, /*ask_again=*/false);
}

void QueueCommand::End(FinalOrder order, HomeTicket* ticket, uint64_t mask,
                       const MetaView* meta) {
  const auto recipients = static_cast<uint64_t>(std::popcount(mask));
  switch (home_->Order(order, ticket, mask, this, details_, meta)) {
    case RemoveAnswer::kRemoved:
      counts_.done += recipients;
      return;
    case RemoveAnswer::kOrdered:
      ++ordered_;
      counts_.waiting += recipients;
      return;
    case RemoveAnswer::kOrderedBefore:
      return;  // another command has the last word on it
  }
}

void QueueCommand::Hold(HomeTicket* ticket, uint64_t mask) {
  const auto recipients = static_cast<uint64_t>(std::popcount(mask));
  const bool sending = ticket->where == TicketPlace::kOut &&
                       ticket->state.load(std::memory_order_relaxed) == RecipientState::kSending;
  if (!home_->Hold(ticket, mask)) return;
  (sending ? counts_.waiting : counts_.done) += recipients;
}

void QueueCommand::OnRemoval(int removed, int kept) {
  CHECK(ordered_ > 0);
  --ordered_;
  counts_.waiting -= static_cast<uint64_t>(removed + kept);
  counts_.done += static_cast<uint64_t>(removed);
  counts_.kept += static_cast<uint64_t>(kept);
}

void QueueCommand::OnKept(int kept) {
  counts_.waiting -= static_cast<uint64_t>(kept);
  counts_.kept += static_cast<uint64_t>(kept);
}

}  // namespace outbox::queue
