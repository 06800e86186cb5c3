#include "queue/rerouter.h"

#include <optional>

#include "core/check.h"
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
    record_.clear();
    if (const Window window = reading_.store->Lease(message)) {
      const bool routed = Route(message, window);
      reading_.store->Return(window);
      if (!routed) Fetch(message, 1);
      continue;
    }
    Fetch(message, 0);
  }
}

void Rerouter::Fetch(Message* message, uint32_t part) {
  ++reading_.tries;
  fetch_.message = message;
  fetch_.part = part;
  if (part > 0) {
    const std::optional<MetaView> meta = MetaView::Parse(record_);
    CHECK(meta.has_value());
    fetch_.extent = meta->extent(part - 1);
  }
  reading_.store->Fetch(&fetch_);
}

bool Rerouter::Route(Message* message, const Window& window) {
  const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
  if (!meta.has_value()) {
    home_->RouteAgain(message, nullptr, nullptr);
    return true;
  }
  if (home_->NeedsBody() && meta->extent_count() > 0) {
    record_.assign(meta->bytes().data(), meta->bytes().size());
    return false;
  }
  const std::string_view body(meta->body().data(), meta->body().size());
  home_->RouteAgain(message, &*meta, &body);
  return true;
}

void Rerouter::OnFetched(const core::Status& status, Window window) {
  Message* message = reading_.store->Find(reading_.id);
  if (message != nullptr && message->home != nullptr) {
    const bool again = !status.ok() && status.code() != core::StatusCode::kDataLoss;
    if (again && reading_.tries < core::kSpoolReadTries) return Fetch(message, fetch_.part);
    if (!status.ok()) {
      home_->ReportUnreadable(message->id, status);
      home_->RouteAgain(message, nullptr, nullptr);
    } else if (fetch_.part > 0) {
      const std::optional<MetaView> meta = MetaView::Parse(record_);
      const std::string_view body(window.bytes().data(), window.bytes().size());
      home_->RouteAgain(message, &*meta, &body);
    } else if (!Route(message, window)) {
      reading_.tries = 0;
      reading_.store->Return(window);
      return Fetch(message, 1);
    }
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
