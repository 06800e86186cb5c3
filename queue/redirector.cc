#include "queue/redirector.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/timer.h"
#include "queue/home.h"
#include "queue/redirection.h"

namespace outbox::queue {
namespace {

// Those that read or commit; each holds a window. Others wait.
constexpr uint32_t kRedirectionsActiveMax = 32;
// After a commit or a read that failed.
constexpr int64_t kRedirectAgainNs = core::kNsPerSecond;

}  // namespace

Redirector::Redirector(io::Io* io, core::TimerWheel* wheel, StateWriter* states, Home* home)
    : io_(io), wheel_(wheel), states_(states), home_(home) {}

Redirector::~Redirector() { CHECK(idle()); }

Redirector::Redirection* Redirector::Begin(Store* store, uint64_t id,
                                           std::shared_ptr<const RouteOrder> order,
                                           RedirectOwner* owner) {
  auto* redirection = new Redirection;
  redirection->redirector = this;
  redirection->store = store;
  redirection->id = id;
  redirection->order = std::move(order);
  redirection->owner = owner;
  redirection->fetch.Bind<&Redirection::OnFetched>(redirection);
  redirection->commit.Bind<&Redirection::OnCommitted>(redirection);
  redirection->timer.Bind<&Redirection::OnTimer>(redirection);
  all_.insert(redirection);
  return redirection;
}

bool Redirector::Add(Redirection* redirection, HomeTicket* ticket, uint64_t mask) {
  if (closing_) return false;
  CHECK(!redirection->complete);
  CHECK(mask != 0 && (ticket->pending_mask() & mask) == mask);
  if (ticket->diverted) return false;
  if (ticket->where == TicketPlace::kWaiting) {
    Take(redirection, home_->TakeApart(ticket, mask));
    return true;
  }
  diverted_[ticket] = {redirection, mask};
  ticket->diverted = true;
  ++redirection->out;
  home_->CallBack(ticket);
  return true;
}

void Redirector::Take(Redirection* redirection, HomeTicket* part) {
  part->where = TicketPlace::kNotice;
  part->diverted = true;  // no other order has it
  redirection->tickets.PushBack(part);
}

void Redirector::Complete(Redirection* redirection) {
  if (closing_) return;  // Close has dropped it
  redirection->complete = true;
  MaybeReady(redirection);
}

void Redirector::Forget(const RedirectOwner* owner) {
  for (Redirection* redirection : all_) {
    if (redirection->owner == owner) redirection->owner = nullptr;
  }
}

bool Redirector::Settle(HomeTicket* ticket, TicketResult* result) {
  const auto found = diverted_.find(ticket);
  CHECK(found != diverted_.end());
  const Diversion diversion = found->second;
  diverted_.erase(found);
  ticket->diverted = false;
  Redirection* redirection = diversion.redirection;
  const uint64_t taken = diversion.mask & ticket->mask & ~result->delivered;
  redirection->counts.kept +=
      static_cast<uint64_t>(std::popcount(diversion.mask) - std::popcount(taken));
  const bool all = taken == ticket->mask;
  if (taken != 0) {
    std::erase_if(result->failed, [&](const RecipientResult& failed) {
      return (taken >> (failed.recipient - ticket->first) & 1) != 0;
    });
    Take(redirection, home_->TakeApart(ticket, taken));
  }
  CHECK(redirection->out > 0);
  --redirection->out;
  MaybeReady(redirection);
  return !all;
}

void Redirector::Leave(HomeTicket* ticket) {
  const auto found = diverted_.find(ticket);
  CHECK(found != diverted_.end());
  const Diversion diversion = found->second;
  diverted_.erase(found);
  ticket->diverted = false;
  diversion.redirection->counts.kept += static_cast<uint64_t>(std::popcount(diversion.mask));
  --diversion.redirection->out;
  MaybeReady(diversion.redirection);
}

void Redirector::MaybeReady(Redirection* redirection) {
  if (closing_ || !redirection->complete || redirection->out > 0) return;
  ready_.push_back(redirection);
  poked_ = true;
}

void Redirector::Tick() {
  poked_ = false;
  if (closing_ || ready_.empty() || active_ >= kRedirectionsActiveMax) return;
  starting_.swap(ready_);
  for (Redirection* redirection : starting_) {
    const HomeTicket* first = redirection->tickets.front();
    // A notice about the message is being committed: after it.
    const bool locked = first != nullptr && StateWriter::IsLocked(*first->message);
    if (locked || active_ >= kRedirectionsActiveMax) {
      ready_.push_back(redirection);
      continue;
    }
    ++active_;
    if (first == nullptr) {  // all had come to their end
      End(redirection);
    } else {
      Start(redirection);
    }
  }
  starting_.clear();
}

void Redirector::Start(Redirection* redirection) {
  redirection->message = redirection->tickets.front()->message;
  redirection->step = Redirection::Step::kFetching;
  redirection->record.clear();
  redirection->window = redirection->store->Lease(redirection->message);
  if (redirection->window) return OnRecord(redirection, redirection->window.bytes());
  Fetch(redirection, 0);
}

void Redirector::Fetch(Redirection* redirection, uint32_t part) {
  redirection->fetch.message = redirection->message;
  redirection->fetch.part = part;
  redirection->store->Fetch(&redirection->fetch);
}

void Redirector::OnFetched(Redirection* redirection, const core::Status& status, Window window) {
  redirection->window = window;
  if (!status.ok()) {
    const bool again = status.code() != core::StatusCode::kDataLoss &&
                       ++redirection->reads < core::kSpoolReadTries && !closing_;
    if (again) return Pause(redirection);
    if (!closing_) home_->ReportUnreadable(redirection->id, status);
    return GiveUp(redirection);
  }
  if (closing_) return GiveUp(redirection);
  if (redirection->fetch.part == 0) return OnRecord(redirection, window.bytes());
  const std::optional<MetaView> meta = MetaView::Parse(redirection->record);
  CHECK(meta.has_value());
  Act(redirection, *meta, {window.data, window.size});
}

// A routing may need the beginning of the body, which may lie apart.
void Redirector::OnRecord(Redirection* redirection, std::span<const char> record) {
  const std::optional<MetaView> meta = MetaView::Parse(record);
  if (!meta.has_value() || meta->id() != redirection->id) {
    home_->ReportUnreadable(redirection->id,
                            core::Status(core::StatusCode::kDataLoss, "its meta is damaged"));
    return GiveUp(redirection);
  }
  if (!home_->NeedsBody() || meta->extent_count() == 0) {
    return Act(redirection, *meta, {meta->body().data(), meta->body().size()});
  }
  redirection->record.assign(meta->bytes().data(), meta->bytes().size());
  redirection->fetch.extent = meta->extent(0);
  redirection->store->Return(std::exchange(redirection->window, Window()));
  Fetch(redirection, 1);
}

void Redirector::Act(Redirection* redirection, const MetaView& meta, std::string_view body) {
  if (redirection->order->ChangesEnvelope(meta)) {
    Replace(redirection, meta, body);
  } else {
    RouteAgain(redirection, meta, body);
  }
}

void Redirector::RouteAgain(Redirection* redirection, const MetaView& meta, std::string_view body) {
  while (HomeTicket* ticket = redirection->tickets.PopFront()) {
    const auto recipients = static_cast<uint64_t>(ticket->recipients());
    if (!home_->TakeBack(ticket)) {
      redirection->counts.kept += recipients;
      continue;
    }
    redirection->counts.done += static_cast<uint64_t>(ticket->recipients());
    redirection->counts.kept += recipients - static_cast<uint64_t>(ticket->recipients());
    home_->RouteAs(ticket, meta, body, *redirection->order, redirection->owner);
  }
  End(redirection);
}

void Redirector::Replace(Redirection* redirection, const MetaView& meta, std::string_view body) {
  // Which may have happened since it was read.
  if (StateWriter::IsLocked(*redirection->message)) return Pause(redirection);
  // The disk's reserve is not for this: the mail goes its old way, and leaves by that.
  if (redirection->store->status().code() == core::StatusCode::kResourceExhausted) {
    return GiveUp(redirection);
  }
  redirection->step = Redirection::Step::kCommitting;
  redirection->replaced = 0;
  for (HomeTicket* ticket = redirection->tickets.front(); ticket != nullptr;
       ticket = redirection->tickets.Next(ticket)) {
    ticket->ending = true;
    redirection->replaced += static_cast<uint64_t>(ticket->recipients());
  }
  const std::span<const char> state =
      BuildState(redirection->message, io_->now_ns(), io_->wall_ns(), &redirection->old_state);
  redirection->ends_message = state.empty();
  if (redirection->new_id == 0) redirection->new_id = redirection->store->NewId();
  MakeMeta(redirection, meta, body, redirection->ends_message);
  MakeState(redirection);
  states_->Lock(redirection->message);
  states_->Unmark(redirection->message);
  CommitOp* commit = &redirection->commit;
  commit->messages = {&redirection->fresh, 1};
  commit->states = {};
  commit->done = {};
  if (redirection->ends_message) {
    redirection->done = redirection->message;
    commit->done = {&redirection->done, 1};
  } else {
    redirection->state = {redirection->message, state};
    commit->states = {&redirection->state, 1};
  }
  commit->lazy = false;
  redirection->store->Commit(commit);
}

void Redirector::OnCommitted(Redirection* redirection, const core::Status& status) {
  const bool gone = status.ok() && redirection->ends_message;
  if (gone) {
    states_->Ended(redirection->id);
  } else {
    states_->Unlock(redirection->message);
  }
  if (status.ok()) return OnReplaced(redirection);
  for (HomeTicket* ticket = redirection->tickets.front(); ticket != nullptr;
       ticket = redirection->tickets.Next(ticket)) {
    ticket->ending = false;
  }
  states_->Mark(redirection->store, redirection->message);
  if (status.code() == core::StatusCode::kInvalidArgument && !closing_) {
    home_->ReportTooLarge(redirection->id);
    return GiveUp(redirection);
  }
  Pause(redirection);
}

void Redirector::OnReplaced(Redirection* redirection) {
  Message* fresh = redirection->fresh.message;
  CHECK(fresh != nullptr);
  const std::optional<MetaView> meta = MetaView::Parse(redirection->fresh.meta);
  CHECK(meta.has_value());
  const std::span<const char> bytes = redirection->record.empty()
                                          ? redirection->window.bytes()
                                          : std::span<const char>(redirection->record);
  const std::optional<MetaView> before = MetaView::Parse(bytes);
  CHECK(before.has_value());
  bool held = redirection->held;
  redirection->counts.done += redirection->replaced;
  redirection->counts.made += meta->recipient_count();
  while (HomeTicket* ticket = redirection->tickets.PopFront()) {
    held = held || ticket->hold != 0;
    home_->EndReplaced(ticket, redirection->ends_message, *before, redirection->new_id);
  }
  if (redirection->ends_message) home_->EndedReplaced(redirection->id);
  home_->TakeNew(redirection->store, fresh, *meta, redirection->fresh.state, redirection->id);
  // An order to hold has come while it was on its way to the disk.
  if (held && !redirection->held) home_->HoldAll(redirection->store, redirection->new_id);
  if (redirection->owner != nullptr) {
    GroupView group;
    for (bool more = meta->FirstGroup(&group); more; more = meta->NextGroup(&group)) {
      home_->TellDestination(group.destination(), redirection->owner);
    }
  }
  End(redirection);
}

void Redirector::GiveUp(Redirection* redirection) {
  while (HomeTicket* ticket = redirection->tickets.PopFront()) {
    redirection->counts.failed += static_cast<uint64_t>(ticket->recipients());
    if (closing_) {
      ticket->where = TicketPlace::kWaiting;
      ticket->diverted = false;
    } else if (home_->TakeBack(ticket)) {
      home_->GoOn(ticket);
    }
  }
  End(redirection);
}

void Redirector::Pause(Redirection* redirection) {
  if (closing_) return GiveUp(redirection);
  redirection->step = Redirection::Step::kPausing;
  if (redirection->window) {
    redirection->store->Return(std::exchange(redirection->window, Window()));
  }
  --active_;
  poked_ = true;
  CHECK(redirection->timer.Set(wheel_, io_->now_ns() + kRedirectAgainNs));
}

void Redirector::End(Redirection* redirection) {
  --active_;
  poked_ = true;
  Drop(redirection);
}

void Redirector::Drop(Redirection* redirection) {
  CHECK(redirection->tickets.empty());
  if (redirection->window) redirection->store->Return(redirection->window);
  all_.erase(redirection);
  const std::unique_ptr<Redirection> ended(redirection);
  if (ended->owner != nullptr && !closing_) ended->owner->OnRedirected(ended->counts);
}

void Redirector::Close() {
  closing_ = true;
  ready_.clear();
  for (auto& [ticket, diversion] : diverted_) {
    const_cast<HomeTicket*>(ticket)->diverted = false;
  }
  diverted_.clear();
  std::vector<Redirection*> idle;
  for (Redirection* redirection : all_) {
    const Redirection::Step step = redirection->step;
    if (step == Redirection::Step::kWaiting || step == Redirection::Step::kPausing) {
      idle.push_back(redirection);
    }
  }
  for (Redirection* redirection : idle) {
    redirection->timer.Cancel();
    while (HomeTicket* ticket = redirection->tickets.PopFront()) {
      ticket->where = TicketPlace::kWaiting;
      ticket->diverted = false;
    }
    Drop(redirection);
  }
}

}  // namespace outbox::queue
