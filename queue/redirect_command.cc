#include "queue/redirect_command.h"

#include <bit>
#include <utility>

#include "core/check.h"
#include "queue/directory.h"

namespace outbox::queue {
namespace {

// Recipients that are routed in one turn: some tenths of a millisecond.
constexpr uint32_t kRoutedPerTurn = 256;

}  // namespace

RedirectCommand::RedirectCommand(io::Io* io, Home* home, std::vector<Store*> stores,
                                 std::shared_ptr<const RouteOrder> order, QueueFilter filter,
                                 CommandSink* sink)
    : io_(io),
      home_(home),
      order_(std::move(order)),
      filter_(std::move(filter)),
      sink_(sink),
      walk_(io, home, std::move(stores), this, filter_.id) {}

bool RedirectCommand::wants_turn() const {
  if (done_) return false;
  if (!walk_.done()) return walk_.wants_turn();
  return !walked_ || stopping_ || ordered_ == 0;
}

void RedirectCommand::Stop() {
  stopping_ = true;
  walk_.Stop();
}

void RedirectCommand::Tick() {
  if (!wants_turn()) return;
  walk_.Tick();
  acted_ = 0;
  if (!walk_.done()) return;
  CompleteLast();
  if (!std::exchange(walked_, true) && ordered_ > 0 && !stopping_) {
    sink_->OnCommandWaits(counts_);
    return;
  }
  if (ordered_ > 0 && !stopping_) return;
  home_->redirector()->Forget(this);
  done_ = true;
  sink_->OnCommandDone(counts_);
}

bool RedirectCommand::full() const {
  return ordered_ >= core::kRecallsMax || acted_ >= kRoutedPerTurn;
}

QueueWalker::Interest RedirectCommand::Look(const Message& message) {
  // The addresses decide where mail goes.
  const QueueColumns columns = order_->dry_run ? 0 : ColumnBit(QueueColumn::kRecipient);
  return LookFor(message, filter_, columns, io_->now_ns());
}

void RedirectCommand::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  if (meta != nullptr && !filter_.MatchesSender(meta->reverse_path())) return;
  if (message->id != last_id_) {
    CompleteLast();
    last_id_ = message->id;
    whole_ = false;
  }
  bool more = false;
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr && !whole_; ticket = next) {
    next = ticket->sibling;  // the ticket may end, and the message with it
    more = more || ticket->first >= part.to;
    const uint64_t mask = MeantOf(filter_, *ticket, meta, part, io_->now_ns());
    // Copies of ours keep their way, and what is purged goes nowhere.
    if (mask == 0 || ticket->archive || ticket->purged) continue;
    if (order_->dry_run) {
      counts_.found += static_cast<uint64_t>(std::popcount(mask));
    } else if (order_->original && meta->has_original()) {
      AddWhole(message);
    } else {
      Act(ticket, mask, *meta);
    }
  }
  if (!more) CompleteLast();
}

void RedirectCommand::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  counts_.unreadable += filter_.MayMatchFrom(*message, from, io_->now_ns());
}

Redirector::Redirection* RedirectCommand::Begin(const HomeTicket& ticket) {
  ++ordered_;
  return home_->redirector()->Begin(ticket.store, ticket.message_id, order_, this);
}

void RedirectCommand::CompleteLast() {
  Redirector::Redirection* const last = std::exchange(last_, nullptr);
  if (last != nullptr) home_->redirector()->Complete(last);
}

void RedirectCommand::Act(HomeTicket* ticket, uint64_t mask, const MetaView& meta) {
  const auto recipients = static_cast<uint64_t>(std::popcount(mask));
  counts_.found += recipients;
  acted_ += static_cast<uint32_t>(recipients);
  if (home_->closing()) {
    counts_.waiting += recipients;  // for ever: they stay as they are
    return;
  }
  if (!order_->ChangesEnvelope(meta)) return Route(ticket, mask, meta);
  if (last_ == nullptr) last_ = Begin(*ticket);
  Add(ticket, mask);
}

void RedirectCommand::AddWhole(Message* message) {
  whole_ = true;
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;
    const uint64_t mask = ticket->pending_mask();
    if (mask == 0 || ticket->archive || ticket->purged) continue;
    counts_.found += static_cast<uint64_t>(std::popcount(mask));
    acted_ += static_cast<uint32_t>(std::popcount(mask));
    if (home_->closing()) {
      counts_.waiting += static_cast<uint64_t>(std::popcount(mask));
      continue;
    }
    if (last_ == nullptr) last_ = Begin(*ticket);
    Add(ticket, mask);
  }
}

void RedirectCommand::Add(HomeTicket* ticket, uint64_t mask) {
  const auto recipients = static_cast<uint64_t>(std::popcount(mask));
  if (home_->closing() || home_->redirector()->Add(last_, ticket, mask)) {
    counts_.waiting += recipients;
  } else {
    counts_.kept += recipients;
  }
}

// Each ticket for itself: one that is being sent does not keep the others.
void RedirectCommand::Route(HomeTicket* ticket, uint64_t mask, const MetaView& meta) {
  const auto recipients = static_cast<uint64_t>(std::popcount(mask));
  if (ticket->where == TicketPlace::kWaiting && !ticket->diverted && !home_->NeedsBody()) {
    home_->RouteAs(home_->TakeApart(ticket, mask), meta, {}, *order_, this);
    counts_.done += recipients;
    return;
  }
  if (ticket->where == TicketPlace::kOut && !ticket->diverted &&
      home_->IsRoutedAs(*ticket, mask, meta, *order_)) {
    counts_.done += recipients;
    home_->TellDestination(ticket->destination->key, this);
    return;
  }
  last_ = Begin(*ticket);
  Add(ticket, mask);
  CompleteLast();
}

void RedirectCommand::OnRedirected(const RedirectCounts& counts) {
  CHECK(ordered_ > 0);
  --ordered_;
  counts_.waiting -= counts.done + counts.kept + counts.failed;
  counts_.done += counts.done;
  counts_.kept += counts.kept;
  counts_.failed += counts.failed;
  counts_.made += counts.made;
}

// Mail must be on its way before its destination looks again.
void RedirectCommand::OnDestination(const std::string& key, uint64_t hash) {
  if (lifted_.insert(hash).second) home_->Lift(key, hash, /*ask_again=*/true);
}

}  // namespace outbox::queue
