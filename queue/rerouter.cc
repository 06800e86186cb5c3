#include "queue/rerouter.h"

#include <optional>

#include "core/limits.h"
#include "queue/directory.h"
#include "queue/home.h"

namespace outbox::queue {
namespace {

constexpr int kReroutesPerTurn = 32;

}  // namespace

Rerouter::Rerouter(Home* home) : home_(home) { fetch_.Bind<&Rerouter::OnFetched>(this); }

void Rerouter::Tick() {
  for (int done = 0; done < kReroutesPerTurn && wants_turn(); ++done) {
    reading_ = waiting_.front();
    waiting_.pop_front();
    Message* message = reading_.store->Find(reading_.id);
    if (message == nullptr || message->home == nullptr) continue;
    if (const Window window = reading_.store->Lease(message)) {
      const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
      home_->RouteAgain(message, meta.has_value() ? &*meta : nullptr);
      reading_.store->Return(window);
      continue;
    }
    Fetch(message);
  }
}

void Rerouter::Fetch(Message* message) {
  ++reading_.tries;
  fetch_.message = message;
  fetch_.part = 0;
  reading_.store->Fetch(&fetch_);
}

void Rerouter::OnFetched(const core::Status& status, Window window) {
  Message* message = reading_.store->Find(reading_.id);
  std::optional<MetaView> meta;
  if (status.ok()) meta = MetaView::Parse(window.bytes());
  if (message != nullptr && message->home != nullptr) {
    const bool again = !status.ok() && status.code() != core::StatusCode::kDataLoss;
    if (again && reading_.tries < core::kSpoolReadTries) return Fetch(message);
    if (!status.ok()) home_->ReportUnreadable(message->id, status);
    home_->RouteAgain(message, meta.has_value() ? &*meta : nullptr);
  }
  if (window) reading_.store->Return(window);
}

QueueWalker::Interest RerouteWalk::Look(const Message& message) {
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!ticket->rerouting && changes_.Touches(ticket->destination->key)) return Interest::kMeta;
  }
  return Interest::kNone;
}

void RerouteWalk::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  HomeTicket* next = nullptr;
  for (HomeTicket* ticket = FirstTicket(message); ticket != nullptr; ticket = next) {
    next = ticket->sibling;
    if (part.Has(*ticket) && !ticket->rerouting && changes_.Touches(ticket->destination->key)) {
      home_->MaybeReroute(ticket, *meta);
    }
  }
}

// It stays where it is.
void RerouteWalk::OnUnreadable(Message* message, uint32_t /*from*/, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
}

bool RerouteWalk::full() const { return home_->rerouting() >= core::kRecallsMax; }

}  // namespace outbox::queue
