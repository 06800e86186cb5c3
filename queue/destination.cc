#include "queue/destination.h"

#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/limits.h"
#include "core/time.h"
#include "io/io.h"
#include "queue/attempt_log.h"
#include "queue/shard_mail.h"

namespace outbox::queue {
namespace {

// Tickets of one destination that keep their lease while they wait; a further one is parked at
// once.
constexpr uint32_t kFreshMax = 128;
// How often a destination with ready tickets looks whether it moves at all.
constexpr int64_t kPatienceNs = 200 * core::kNsPerMs;
// Ready tickets that would wait longer than this at the present pace give their leases up.
constexpr int64_t kParkNs = core::kNsPerSecond;
// A destination with nothing to do is forgotten after this.
constexpr int64_t kForgetNs = 30 * core::kNsPerSecond;
// Lanes close when the ready list has been short for so long.
constexpr int64_t kLaneQuietNs = 10 * core::kNsPerSecond;
// Shorter than this is short.
constexpr size_t kLaneShort = core::kLaneReadyTickets / 4;

}  // namespace

Destination::Destination(OwnerShard* shard, std::string_view key, uint64_t hash)
    : shard_(shard),
      key_(key),
      hash_(hash),
      policies_seen_(shard->policies),
      hosts_(shard, key_, this),
      ready_(&shard->pool) {
  timer_.Bind<&Destination::OnTimer>(this);
}

Destination::~Destination() {
  CHECK(forgettable());
  timer_.Cancel();
  shard_->cold->Leave(this);
}

int64_t Destination::now_ns() const { return shard_->context.io->now_ns(); }

bool Destination::forgettable() const {
  return ready_.empty() && waiting_ == 0 && attempts_ == 0 && deliveries_.empty() && !asking_ &&
         !lane_open_;
}

// --- Tickets that wait --------------------------------------------------------------------------

void Destination::Add(Ticket* ticket) {
  ++shard_->counters.tickets;
  ticket->place = nullptr;
  if (shard_->closing) return ReturnWaiting(ticket, ReturnReason::kShutdown);
  if (ticket->deadline_ns <= now_ns()) return ReturnWaiting(ticket, ReturnReason::kDeadline);
  retry_period_ns_ = std::max<int64_t>(ticket->retry_s, 1) * core::kNsPerSecond;
  Reconsider();
  if (!hosts_.Current()) hosts_.Ask();
  if (!hosts_.Current() || hosts_.standing() != HostsStanding::kKnown) return Wait(ticket);
  EnterState(ticket, RecipientState::kReady);
  ready_.Push(ticket);
  fresh_.PushBack(ticket);
  ++fresh_count_;
  MaybeSuspend();
  if (suspended_) {
    Park(ticket);
  } else if (!idle_.empty()) {
    idle_.front()->Poke();
  } else {
    MaybeGrow();
  }
  // It may be on its way already. When nobody is there to take it soon it waits without a lease.
  if (ticket->fresh_link.linked() && (connection_count_ == 0 || fresh_count_ > kFreshMax)) {
    Park(ticket);
  }
  MaybeOpenLane();
  ArmTimer();
}

void Destination::Reconsider() {
  if (policies_seen_ == shard_->policies) return;
  policies_seen_ = shard_->policies;
  hosts_.Reconsider();
  if (host_key().user.empty()) return;
  // There may be another secret.
  secret_since_ns_ = now_ns();
  if (unfit_until_ns_ == 0) return;
  unfit_until_ns_ = now_ns();
  ArmTimer();
}

// The hosts are not known, or not any more.
void Destination::Wait(Ticket* ticket) {
  const HostsStanding standing = hosts_.standing();
  EnterState(ticket, standing == HostsStanding::kUnrouted ? RecipientState::kUnrouted
                                                          : RecipientState::kResolving);
  if (!hosts_.Current()) {
    ++waiting_;
    asked_.PushBack(ticket);
    fresh_.PushBack(ticket);
    ++fresh_count_;
    if (fresh_count_ > kFreshMax) Park(ticket);
  } else if (standing == HostsStanding::kPutOff) {
    ++waiting_;
    PutOff(ticket);
  } else {
    ReturnWithWords(ticket);
  }
  ArmTimer();
}

// Counted in waiting_ already.
void Destination::PutOff(Ticket* ticket) {
  put_off_.PushBack(ticket);
  if (AttemptLog* log = shard_->context.log; log != nullptr) {
    log->OnUnresolved(*ticket, key_, hosts_.words(), hosts_.ask_again_ns());
  }
  Park(ticket);
}

void Destination::TakeOut(Ticket* ticket) {
  if (ticket->place != nullptr) {
    ready_.Remove(ticket);
  } else {
    ticket->link.Unlink();
    --waiting_;
  }
}

void Destination::OnAnswer() {
  if (!shard_->suspensions->empty()) OnSuspensions();  // it may be another site
  if (std::exchange(lift_at_answer_, false)) LiftHosts();
  Settle();
  ArmTimer();
}

void Destination::Settle() {
  if (!hosts_.Current()) return;  // being asked
  uint32_t budget = core::kSettledTicketsPerTurn;
  const auto next = [&]() -> Ticket* {
    if (budget == 0 || waiting_ == 0) return nullptr;
    Ticket* ticket = put_off_.PopFront();
    if (ticket == nullptr) ticket = asked_.PopFront();
    --budget;
    --waiting_;
    return ticket;
  };
  switch (hosts_.standing()) {
    case HostsStanding::kKnown:
      if (waiting_ == 0) return;
      while (Ticket* ticket = next()) {
        EnterState(ticket, RecipientState::kReady);
        ready_.Push(ticket);
      }
      PokeIdle();
      MaybeGrow();
      MaybeOpenLane();
      return;
    case HostsStanding::kUndeliverable:
      while (Ticket* ticket = next()) ReturnWithWords(ticket);
      for (; budget > 0 && !ready_.empty(); --budget) ReturnWithWords(ready_.Pop());
      return;
    case HostsStanding::kPutOff:
      for (; budget > 0 && !asked_.empty(); --budget) PutOff(asked_.PopFront());
      return;
    case HostsStanding::kUnknown:
    case HostsStanding::kUnrouted:
      return;
  }
}

void Destination::Unfresh(Ticket* ticket) {
  if (!ticket->fresh_link.linked()) return;
  fresh_.Remove(ticket);
  --fresh_count_;
}

void Destination::Park(Ticket* ticket) {
  Unfresh(ticket);
  if (ticket->window) {
    shard_->context.post->Release(ticket, ticket->window);
    ticket->window = {};
  }
  if (ticket->deadline_ns == core::kNever || ticket->timer != core::TimerWheel::kNone) return;
  ticket->timer = shard_->context.wheel->Add(
      ticket->deadline_ns, static_cast<uint8_t>(core::TimerKind::kTicketAtOwner), ticket);
  // At the wheel's bound its deadline cannot be watched here: home does that.
  if (ticket->timer == core::TimerWheel::kNone) {
    TakeOut(ticket);
    ReturnWaiting(ticket, ReturnReason::kDeadline);
  }
}

void Destination::ParkAll() {
  while (Ticket* ticket = fresh_.front()) Park(ticket);
}

void Destination::ReturnWaiting(Ticket* ticket, ReturnReason reason) {
  Unfresh(ticket);
  if (ticket->timer != core::TimerWheel::kNone) {
    shard_->context.wheel->Cancel(ticket->timer);
    ticket->timer = core::TimerWheel::kNone;
  }
  if (ticket->window) {
    shard_->context.post->Release(ticket, ticket->window);
    ticket->window = {};
  }
  if (ticket->result == nullptr) ticket->result = shard_->context.post->TakeResult();
  if (reason != ReturnReason::kAttempted) *ticket->result = TicketResult{};
  ticket->result->reason = reason;
  if (reason == ReturnReason::kDeadline) {
    // The sender is about to be told: this is what there is to tell.
    if (const RecipientResult* trouble = Trouble(); trouble != nullptr) {
      RecipientResult& words = ticket->result->failed.emplace_back(*trouble);
      words.recipient = static_cast<uint16_t>(ticket->first + std::countr_zero(ticket->mask));
      words.verdict = Verdict::kDeferred;
    }
  }
  --shard_->counters.tickets;
  shard_->context.post->Return(ticket);
}

// What keeps the mail that waits from being tried; null: nothing that a sender would understand.
const RecipientResult* Destination::Trouble() const {
  // Nobody there is to blame (RFC 3463: 4.4.5 is congestion).
  static const RecipientResult kInLine = {0, Verdict::kDeferred, 0, "4.4.5",
                                          "all connections of this mail system are in use"};
  if (asking_ && plan() != nullptr &&
      (shard_->gate->InLine(plan()->site) || shard_->gate->Short(plan()->site))) {
    return &kInLine;
  }
  if (hosts_.standing() == HostsStanding::kPutOff) return &hosts_.words();
  if (const RecipientResult* words = PauseWords()) return words;
  if (plan() == nullptr || trouble_.text.empty()) return nullptr;
  if (unfit_until_ns_ > now_ns()) return &trouble_;
  return shard_->gate->BlockedUntil(plan()->site) == 0 ? nullptr : &trouble_;
}

void Destination::ReturnWithWords(Ticket* ticket) {
  ticket->result = shard_->context.post->TakeResult();
  for (uint64_t left = ticket->mask; left != 0; left &= left - 1) {
    RecipientResult& failed = ticket->result->failed.emplace_back(hosts_.words());
    failed.recipient = static_cast<uint16_t>(ticket->first + std::countr_zero(left));
  }
  ReturnWaiting(ticket, ReturnReason::kAttempted);
}

void Destination::OnDeadline(Ticket* ticket) {
  ticket->timer = core::TimerWheel::kNone;
  TakeOut(ticket);
  ReturnWaiting(ticket, ReturnReason::kDeadline);
  ArmTimer();
}

void Destination::Close() {
  CHECK(shard_->closing);
  StopAsking();
  hosts_.Stop();
  while (Ticket* ticket = ready_.Pop()) ReturnWaiting(ticket, ReturnReason::kShutdown);
  for (Tickets* list : {&put_off_, &asked_}) {
    while (Ticket* ticket = list->PopFront()) {
      --waiting_;
      ReturnWaiting(ticket, ReturnReason::kShutdown);
    }
  }
  EndAttempts();
  MaybeCloseLane();
}

// --- Lanes and the timer ------------------------------------------------------------------------

void Destination::MaybeOpenLane() {
  if (ready_.size() < kLaneShort) return;
  crowded_ns_ = now_ns();
  PostOffice* post = shard_->context.post;
  if (lane_open_ || ready_.size() <= core::kLaneReadyTickets || post->shards() == 1) return;
  if (hash_ % post->shards() != post->self()) return;  // this is a lane itself
  lane_open_ = true;
  ++shard_->counters.lanes_opened;
  post->Lane(key_, hash_, true);
}

void Destination::MaybeCloseLane() {
  if (!lane_open_) return;
  if (!shard_->closing && (ready_.size() >= kLaneShort || now_ns() - crowded_ns_ < kLaneQuietNs)) {
    return;
  }
  lane_open_ = false;
  shard_->context.post->Lane(key_, hash_, false);
}

int64_t Destination::ForgetAtNs() const {
  return std::max(empty_since_ns_ + kForgetNs, unfit_known_ns_);
}

void Destination::ArmTimer() {
  int64_t at_ns = core::kNever;
  const int64_t now = now_ns();
  const bool paused = !ready_.empty() && Paused(now);
  if (!ready_.empty() && (fresh_count_ > 0 || !(asking_ || cold_link.linked() || paused))) {
    at_ns = now + kPatienceNs;
  } else if (lane_open_) {
    at_ns = now + core::kNsPerSecond;
  } else if (forgettable()) {
    if (empty_since_ns_ == 0) empty_since_ns_ = now;
    at_ns = ForgetAtNs();
  }
  if (!forgettable()) empty_since_ns_ = 0;
  if (!homeless_.empty()) at_ns = std::min(at_ns, now + kPatienceNs);
  if (waiting_ > 0) {
    // More to settle, a DNS to ask again, leases to give up.
    const bool more = hosts_.standing() != HostsStanding::kPutOff || !asked_.empty();
    const int64_t settle_ns = hosts_.Current() && more ? now : hosts_.ask_again_ns();
    at_ns = std::min(at_ns, hosts_.asking() ? now + kPatienceNs : settle_ns);
  }
  if (!ready_.empty()) {
    if (rate_until_ns_ != 0) at_ns = std::min(at_ns, rate_until_ns_);
    if (unfit_until_ns_ != 0) at_ns = std::min(at_ns, unfit_until_ns_);
    if (!hosts_.asking() && !paused) at_ns = std::min(at_ns, hosts_.refresh_ns());
    if (hosts_.standing() == HostsStanding::kUndeliverable) at_ns = now;
  }
  if (at_ns == core::kNever || (timer_.set() && timer_at_ns_ <= at_ns)) return;
  timer_at_ns_ = at_ns;
  timer_.Set(shard_->context.wheel, at_ns);
}

void Destination::OnTimer() {
  MaybeCloseLane();
  if (forgettable() && empty_since_ns_ != 0 && now_ns() >= ForgetAtNs()) {
    shard_->table->Forget(this);  // deletes this
    return;
  }
  if (shard_->closing) return;
  if (waiting_ > 0 && hosts_.ask_again_ns() <= now_ns()) hosts_.Ask();
  Settle();
  if (!ready_.empty()) {
    LookAfterReady();
  } else if (!asked_.empty()) {
    ParkAll();  // they wait for the DNS
  }
  const bool rate_over = rate_until_ns_ != 0 && rate_until_ns_ <= now_ns();
  const bool unfit_over = unfit_until_ns_ != 0 && unfit_until_ns_ <= now_ns();
  if (rate_over) rate_until_ns_ = 0;
  if (unfit_over) unfit_until_ns_ = 0;
  if (rate_over || unfit_over) {
    PokeIdle();
    MaybeGrow();
  }
  if (!homeless_.empty()) LookAfterHomeless();
  taken_at_timer_ = taken_;
  placed_at_timer_ = placed_;
  ArmTimer();
}

void Destination::LookAfterReady() {
  if (hosts_.refresh_ns() <= now_ns()) hosts_.Ask();
  const bool stuck = taken_ == taken_at_timer_;
  const int64_t wait_ns =
      static_cast<int64_t>(ready_.size()) * pace_ns_ / std::max(open_count_, 1u);
  if (stuck || wait_ns > kParkNs) ParkAll();
  // The open connections take nothing, whatever their pace was: another one.
  if (stuck && !ready_.empty() && rate_until_ns_ == 0 && unfit_until_ns_ == 0 && !suspended_) {
    AskForOneMore();
  }
  if (ready_.size() >= kLaneShort) crowded_ns_ = now_ns();
}

}  // namespace outbox::queue
