#include "queue/home.h"

#include <algorithm>

#include "core/check.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/timer.h"
#include "queue/retry_policy.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

HomeTicket* AtHome(Ticket* ticket) { return static_cast<HomeTicket*>(ticket); }

// What a ticket that waits at home is called.
RecipientState WaitingState(const HomeTicket& ticket) {
  if (ticket.notified) return RecipientState::kDelayed;
  return ticket.destination->routed() ? RecipientState::kDeferred : RecipientState::kUnrouted;
}

}  // namespace

// A part of a message on its way from the store to a ticket's holder.
struct Home::FetchRequest {
  Home* home = nullptr;
  Ticket* ticket = nullptr;
  FetchOp op;

  void OnDone(const core::Status& status, Window window) { home->OnFetched(this, status, window); }
};

Home::Home(const HomeContext& context)
    : context_(context),
      shelves_(context.io, context.wheel, &replies_, this),
      tickets_(core::kMaxTicketsPerShard),
      states_(context.io),
      notifier_(context.io, context.wheel, &states_, this, context.log, context.signing,
                context.hostname),
      rerouter_(this),
      redirector_(context.io, context.wheel, &states_, this) {
  SetRouter(context.router);
}

Home::~Home() { CHECK(idle()); }

// --- Out and home again --------------------------------------------------------------------------

int64_t Home::DeadlineOf(const HomeTicket& ticket) const {
  return Shelves::DeadlineOf(ticket.periods_begin_ns(), *ticket.periods, ticket.notified);
}

void Home::OfferOrWait(HomeTicket* ticket) {
  if (closing_) return;
  if (ticket->purged) return WaitPurged(ticket);
  if (ticket->rerouting) {  // RouteAgain goes on
    rerouter_.Add(ticket->store, ticket->message_id);
    return;
  }
  if ((ticket->hold != 0 || ticket->destination->action != core::RouteAction::kSend) &&
      !GoesOn(ticket)) {
    return;
  }
  const int64_t now_ns = context_.io->now_ns();
  if (DeadlineOf(*ticket) <= now_ns && HandleDeadline(ticket)) return;
  if (ticket->next_attempt_ns <= now_ns) {
    Offer(ticket, /*lease=*/false);
  } else {
    WaitAtHome(ticket);
  }
}

void Home::Offer(HomeTicket* ticket, bool lease) {
  if (closing_) return;
  const DirectoryEntry& entry = *ticket->destination;
  if (entry.out >= entry.window && Shelves::Fits(*ticket)) {
    EnterState(ticket, RecipientState::kReady);
    if (shelves_.Put(*ticket)) {
      tickets_.Delete(ticket);
      return;
    }
  }
  OfferNow(ticket, lease);
}

void Home::OfferNow(HomeTicket* ticket, bool lease) {
  ticket->deadline_ns = DeadlineOf(*ticket);
  EnterState(ticket, RecipientState::kReady);
  ticket->since_ns = context_.io->now_ns();
  ticket->host = LiveHosts::kNone;
  ticket->next_attempt_ns = 0;
  ticket->may_repeat = ticket->attempts > 0 || ticket->message->recovered;
  ticket->holder = ticket->destination->lane_open
                       ? context_.post->self()
                       : static_cast<uint8_t>(ticket->destination->hash % context_.post->shards());
  if (lease) {
    ticket->window = ticket->store->Lease(ticket->message);
    if (ticket->window) context_.log->metrics().hot_windows_total.Add();
  }
  ticket->where = TicketPlace::kOut;
  ++out_;
  DirectoryEntry& entry = *ticket->destination;
  ++entry.out;
  ticket->tell_start =
      entry.out == entry.window && entry.window < DirectoryEntry::kWidestWindow;
  context_.post->Offer(ticket->holder, ticket);
}

void Home::WaitAtHome(HomeTicket* ticket) {
  ticket->where = TicketPlace::kWaiting;
  EnterState(ticket, WaitingState(*ticket));
  ticket->since_ns = context_.io->now_ns();
  ticket->host = LiveHosts::kNone;
  const int64_t due_ns = std::min(ticket->next_attempt_ns, DeadlineOf(*ticket));
  ticket->timer =
      context_.wheel->Add(due_ns, static_cast<uint8_t>(core::TimerKind::kTicketAtHome), ticket);
  CHECK(ticket->timer != core::TimerWheel::kNone);  // the wheel holds more than there are tickets
}

void Home::OnTimer(uint64_t cookie) {
  HomeTicket* ticket = reinterpret_cast<HomeTicket*>(static_cast<uintptr_t>(cookie));
  CHECK(ticket->where == TicketPlace::kWaiting);
  ticket->timer = core::TimerWheel::kNone;
  OfferOrWait(ticket);
}

bool Home::HandleDeadline(HomeTicket* ticket) {
  const int64_t now_ns = context_.io->now_ns();
  const PeriodSet& periods = *ticket->periods;
  const bool tells = ticket->tells_sender();
  if (ExpiryTime(ticket->periods_begin_ns(), periods.retry_until_ns) <= now_ns) {
    ticket->expired = true;
    if (!tells) {
      context_.log->Expired(*ticket, {});
      FinishSilently(ticket);
    } else {
      notifier_.Add(ticket, DsnAction::kFailed);
    }
    return true;
  }
  if (!tells) {
    // Nobody to tell: from now on it is `delayed`, and expiry is the only deadline left.
    ticket->notified = true;
    states_.Mark(ticket->store, ticket->message);
    return false;
  }
  notifier_.Add(ticket, DsnAction::kDelayed);
  return true;
}

void Home::OnReturn(Ticket* returned) {
  HomeTicket* ticket = AtHome(returned);
  CHECK(ticket->where == TicketPlace::kOut && out_ > 0);
  CHECK(!ticket->window);
  ticket->where = TicketPlace::kWaiting;
  --out_;
  std::unique_ptr<TicketResult> result = std::move(ticket->result);
  CHECK(result != nullptr);
  DirectoryEntry* entry = ticket->destination;
  CHECK(entry->out > 0);
  --entry->out;
  SetWindow(entry, *result);
  ++entry->tickets;  // it stays until we are through with it
  const bool shutdown = result->reason == ReturnReason::kShutdown;
  HandleReturn(ticket, result.get());
  if (!shutdown) OfferShelved(entry);
  directory_.Release(entry);
  context_.post->GiveResult(std::move(result));
}

void Home::SetWindow(DirectoryEntry* entry, const TicketResult& result) {
  if (result.reason != ReturnReason::kAttempted) return;
  // Whatever it says, a destination that talks can be asked more.
  entry->window = result.unreachable ? DirectoryEntry::kShutWindow
                                     : std::min(2 * entry->window, DirectoryEntry::kWidestWindow);
}

// Its answer may be long in coming; meanwhile others can have connections of their own. When even
// the last one of the window has one, so could more.
void Home::OnStarted(Ticket* ticket) {
  DirectoryEntry* entry = ticket->destination;
  const uint32_t wider = entry->out < entry->window
                             ? entry->window
                             : std::min(2 * entry->window, DirectoryEntry::kWidestWindow);
  entry->window = std::max(wider, DirectoryEntry::kTalkingWindow);
  OfferShelved(entry);
}

void Home::OfferShelved(DirectoryEntry* entry) {
  if (closing_) return;
  while (entry->out < entry->window) {
    Message* message = shelves_.Next(entry);
    if (message == nullptr) return;
    OfferNow(TakeOffShelf(message), /*lease=*/true);
  }
}

void Home::Show(Message* message, HomeTicket* ticket) const {
  shelves_.Fill(message, ticket);
  ticket->where = TicketPlace::kOut;
  ticket->home = context_.post->self();
}

HomeTicket* Home::TakeOffShelf(Message* message) {
  HomeTicket* ticket = tickets_.New();
  CHECK(ticket != nullptr);  // what is on shelves counts as tickets
  shelves_.Fill(message, ticket);
  ticket->home = context_.post->self();
  shelves_.Remove(message);
  message->home = ticket;
  return ticket;
}

void Home::Settle(Store* store, uint64_t id) {
  Message* message = store->Find(id);
  HomeTicket* ticket = message == nullptr ? nullptr : FirstTicket(message);
  if (ticket == nullptr || ticket->where != TicketPlace::kWaiting || ticket->rerouting ||
      ticket->timer != core::TimerWheel::kNone) {
    return;
  }
  OfferOrWait(ticket);
}

// Its destination says what there is to be said to the sender, when it sends the ticket back.
void Home::OnShelfDeadline(Message* message) {
  if (!closing_) OfferNow(TakeOffShelf(message), /*lease=*/false);
}

void Home::HandleReturn(HomeTicket* ticket, TicketResult* result) {
  result->delivered |= ticket->settled;
  if (ticket->ordered && !SettleRemoval(ticket, result)) return;
  if (ticket->diverted && !redirector_.Settle(ticket, result)) return;
  if (const uint64_t delivered = result->delivered & ticket->mask;
      delivered != 0 && result->reason != ReturnReason::kAttempted) {
    // Cut short, but not before somebody had it.
    const bool all = delivered == ticket->mask;
    HandleDelivered(ticket, delivered, *result);
    if (all) return;
  }
  switch (result->reason) {
    case ReturnReason::kAttempted:
      HandleAttempt(ticket, *result);
      return;
    case ReturnReason::kDeadline:
      // Why it was not even tried, for the sender who is about to be told.
      if (!result->failed.empty()) SetReply(ticket, result->failed[0], result->mailhost);
      [[fallthrough]];
    case ReturnReason::kRecalled:
      ticket->next_attempt_ns = 0;
      OfferOrWait(ticket);
      return;
    case ReturnReason::kShutdown:
      EnterState(ticket, RecipientState::kReady);
      if (!closing_) {
        // The owner stops before us; the restart will offer it again.
        ticket->next_attempt_ns = context_.io->now_ns() + ticket->periods->retry_ns[0];
        WaitAtHome(ticket);
      }
      return;
  }
}

void Home::OnLane(const LaneNotice& notice) {
  if (DirectoryEntry* entry = directory_.Find(notice.key); entry != nullptr) {
    entry->lane_open = notice.open;
  }
}

// --- What an attempt means -----------------------------------------------------------------------

void Home::HandleAttempt(HomeTicket* ticket, const TicketResult& result) {
  ++ticket->attempts;
  const uint64_t all = ticket->mask;
  const uint64_t delivered = result.delivered & all;
  // The recipients that an outcome keeps together: the same verdict and the same words.
  uint64_t seen = delivered;
  std::vector<std::pair<const RecipientResult*, uint64_t>> outcomes;
  for (const RecipientResult& failed : result.failed) {
    CHECK(failed.recipient >= ticket->first && failed.recipient - ticket->first < 64);
    const uint64_t bit = uint64_t{1} << (failed.recipient - ticket->first);
    CHECK((all & bit) != 0 && (seen & bit) == 0 && failed.verdict != Verdict::kDelivered);
    seen |= bit;
    const auto same = std::find_if(outcomes.begin(), outcomes.end(), [&failed](const auto& other) {
      // A DSN quotes the words about each recipient; who is only put off stays together, whatever
      // ids and addresses the peer has put into its words.
      return other.first->verdict == failed.verdict && other.first->code == failed.code &&
             other.first->enhanced == failed.enhanced &&
             (failed.verdict == Verdict::kDeferred || other.first->text == failed.text);
    });
    if (same != outcomes.end()) {
      same->second |= bit;
    } else {
      outcomes.emplace_back(&failed, bit);
    }
  }
  CHECK(seen == all);  // every recipient of an attempt has an outcome
  if (delivered != 0) HandleDelivered(ticket, delivered, result);
  if (delivered == all) return;
  for (const auto& [outcome, mask] : outcomes) {
    HomeTicket* part = Split(ticket, mask);  // the last one is the ticket itself
    if (outcome->verdict == Verdict::kBounced) {
      HandleBounced(part, mask, *outcome, result);
    } else {
      HandleDeferred(part, mask, *outcome, result);
    }
  }
}

void Home::SetReply(HomeTicket* ticket, const RecipientResult& result,
                    const std::string& mailhost) {
  LastReply* reply = replies_.Acquire({result.code, result.enhanced, result.text, mailhost});
  replies_.Release(ticket->reply);
  ticket->reply = reply;
}

void Home::HandleDeferred(HomeTicket* ticket, uint64_t mask, const RecipientResult& outcome,
                          const TicketResult& result) {
  CHECK(ticket->mask == mask);
  SetReply(ticket, outcome, result.mailhost);
  ticket->next_attempt_ns =
      AddTime(context_.io->now_ns(),
              RetryDelay(ticket->periods->retry_ns, ticket->attempts, context_.random));
  context_.log->Deferred(
      *ticket, context_.io->wall_ns() + (ticket->next_attempt_ns - context_.io->now_ns()),
      {.result = &result});
  states_.Mark(ticket->store, ticket->message);
  OfferOrWait(ticket);
}

void Home::HandleBounced(HomeTicket* ticket, uint64_t mask, const RecipientResult& outcome,
                         const TicketResult& result) {
  CHECK(ticket->mask == mask);
  SetReply(ticket, outcome, result.mailhost);
  if (closing_) {
    // Too late for a notice: the recipients stay pending, and the restart tries them again.
    states_.Mark(ticket->store, ticket->message);
    return;
  }
  if (!ticket->tells_sender()) {
    context_.log->Bounced(*ticket, {.result = &result});
    FinishSilently(ticket);
  } else {
    notifier_.Add(ticket, DsnAction::kFailed);
  }
}

void Home::FinishSilently(HomeTicket* ticket) {
  const int count = ticket->recipients();
  CHECK(ticket->message->pending >= count);
  ticket->message->pending = static_cast<uint16_t>(ticket->message->pending - count);
  context_.log->CountFailed(count, ticket->expired);
  EndTicket(ticket);
}

// Told now, when it is on the disk: a notice that could not be committed is made again.
void Home::OnNoticeCommitted(HomeTicket* ticket, DsnAction action, bool gone, bool told,
                             const MetaView* meta) {
  if (action == DsnAction::kSucceeded) return FinishDelivered(ticket, gone);
  const NameSource names{.meta = meta, .readable = false};
  if (action == DsnAction::kFailed) {
    if (ticket->expired) {
      context_.log->Expired(*ticket, names);
    } else {
      context_.log->Bounced(*ticket, names, DetailsOf(ticket));
    }
    if (!gone) {
      FinishSilently(ticket);
      return;
    }
    context_.log->CountFailed(ticket->recipients(), ticket->expired);
    FreeTicket(ticket);
    return;
  }
  ticket->where = TicketPlace::kWaiting;
  if (told) context_.log->Notified(*ticket, names);
  TicketResult nothing;
  nothing.reason = ReturnReason::kRecalled;  // no attempt was made
  if (ticket->ordered && !SettleRemoval(ticket, &nothing)) return;
  if (ticket->diverted && !redirector_.Settle(ticket, &nothing)) return;
  OfferOrWait(ticket);
}

void Home::OnNoticeEndedMessage(uint64_t id) { context_.log->Finished(id); }

void Home::OnNoticeMessage(Store* store, Message* message, const MetaView& meta, uint64_t about) {
  context_.log->Generated(message->id, meta, about);
  OnAccepted(store, message, meta, nullptr);
}

// --- Windows -------------------------------------------------------------------------------------

Home::FetchRequest* Home::NewFetchRequest() {
  if (fetch_free_.empty()) {
    // Bounded by the tickets that are being sent: one fetch at a time for each.
    fetch_pool_.push_back(std::make_unique<FetchRequest>());
    FetchRequest* request = fetch_pool_.back().get();
    request->home = this;
    request->op.Bind<&FetchRequest::OnDone>(request);
    return request;
  }
  FetchRequest* request = fetch_free_.back();
  fetch_free_.pop_back();
  return request;
}

void Home::OnFetch(Ticket* ticket, uint32_t part, const Extent* extent) {
  const Window window =
      part == 0 ? ticket->store->Lease(ticket->message) : ticket->store->LeaseExtent(*extent);
  if (window) {
    core::ShardMetrics& metrics = context_.log->metrics();
    (part == 0 ? metrics.hot_windows_total : metrics.hot_extents_total).Add();
    context_.post->Fetched(ticket, part, window);
    return;
  }
  FetchRequest* request = NewFetchRequest();
  request->ticket = ticket;
  request->op.message = ticket->message;
  request->op.part = part;
  if (extent != nullptr) request->op.extent = *extent;
  ++fetches_;
  context_.log->metrics().fetches_total.Add();
  ticket->store->Fetch(&request->op);
}

void Home::OnFetched(FetchRequest* request, const core::Status& status, Window window) {
  --fetches_;
  fetch_free_.push_back(request);
  if (!status.ok()) {
    ReportUnreadable(request->ticket->message_id, status);
    window = Window();
  }
  context_.post->Fetched(request->ticket, request->op.part, window);
}

void Home::ReportUnreadable(uint64_t id, const core::Status& why) {
  context_.log->Damage(std::string("message ") + FormatMessageId(id) +
                       " cannot be read: " + why.ToString());
}

void Home::OnRelease(Ticket* ticket, const Window& window) { ticket->store->Return(window); }

// --- The turn ------------------------------------------------------------------------------------

void Home::Tick() {
  notifier_.Tick();
  if (!closing_) rerouter_.Tick();
  redirector_.Tick();
  states_.Tick(closing_);
}

int64_t Home::NextDeadline() const {
  const bool now = (rerouter_.wants_turn() || redirector_.wants_turn()) && !closing_;
  return now ? 0 : states_.NextDeadline();
}

void Home::Close() {
  closing_ = true;
  states_.Close();
  notifier_.Close();
  redirector_.Close();
}

bool Home::idle(bool abandon_states) const {
  return out_ == 0 && fetches_ == 0 && context_.log->idle() && notifier_.idle() &&
         rerouter_.idle() && redirector_.idle() && (abandon_states || states_.idle());
}

}  // namespace outbox::queue
