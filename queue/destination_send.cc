// The tickets of a destination that are sent: attempts, and the connections that they go over.
#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/time.h"
#include "io/io.h"
#include "queue/destination.h"
#include "queue/shard_mail.h"

namespace outbox::queue {
namespace {

// Another connection is opened when the last ready ticket would wait longer than this.
constexpr int64_t kGrowNs = 5 * core::kNsPerMs;
// Looks at attempts that wait for a connection, and find none, before their tickets wait like any
// others: some five seconds.
constexpr uint32_t kHomelessLooksMax = 25;

}  // namespace

// --- Attempts -----------------------------------------------------------------------------------

Attempt* Destination::TakeWork(Delivery* delivery) {
  Attempt* attempt = homeless_.PopFront();
  if (attempt != nullptr) {
    ++placed_;
  } else {
    MaybeSuspend();
    if (ready_.empty() || suspended_ || Held()) return nullptr;
    rate_until_ns_ = shard_->gate->TakeRate(plan()->site);
    if (rate_until_ns_ != 0) {
      ArmTimer();
      return nullptr;
    }
    attempt = Start(ready_.Pop(), delivery);
  }
  attempt->delivery = delivery;
  if (ready_.empty() && homeless_.empty()) StopAsking();
  return attempt;
}

Attempt* Destination::Start(Ticket* ticket, Delivery* delivery) {
  Unfresh(ticket);
  if (ticket->timer != core::TimerWheel::kNone) {
    shard_->context.wheel->Cancel(ticket->timer);
    ticket->timer = core::TimerWheel::kNone;
  }
  ++taken_;
  ++attempts_;
  ++shard_->counters.attempts;
  shard_->counters.recipients_sending += static_cast<uint64_t>(std::popcount(ticket->mask));
  Attempt* attempt =
      shard_->attempts.New(ticket, shard_->context.post, shard_->context.log, now_ns());
  CHECK(attempt != nullptr);  // far fewer are sent at once
  attempt->may_convert = shard_->context.convert_eight_bit;
  attempt->plan = plan();
  hosts_.Use(attempt->plan);
  attempt->host = delivery->opened() ? delivery->host()
                                     : attempt->plan->Next(0, now_ns(), shard_->context.random);
  return attempt;
}

void Destination::Requeue(Attempt* attempt) {
  attempt->LeaveDelivery();
  if (shard_->closing) return Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  if (!Rehost(attempt)) return;
  homeless_.PushBack(attempt);  // the delivery that we are called from looks here next
  ArmTimer();
}

void Destination::Rehome(Attempt* attempt) {
  attempt->LeaveDelivery();
  if (Rehost(attempt)) homeless_.PushBack(attempt);
  ArmTimer();
}

// The hosts that it has been at are those of the present plan from here on.
void Destination::Replan(Attempt* attempt) {
  HostPlan* const before = attempt->plan;
  if (before == plan()) return;
  uint64_t tried = 0;
  for (size_t i = 0; i < plan()->hosts.size(); ++i) {
    const int at = before->Find(plan()->hosts[i].address);
    if (at >= 0 && (attempt->tried >> at & 1) != 0) tried |= uint64_t{1} << i;
  }
  attempt->tried = tried;
  attempt->plan = plan();
  hosts_.Use(plan());
  hosts_.Release(before);
}

bool Destination::Untried(const Attempt& attempt) const {
  const size_t count = attempt.plan->hosts.size();
  return static_cast<size_t>(std::popcount(attempt.tried)) < count &&
         attempt.tried_count < core::kHostsPerAttempt;
}

bool Destination::Rehost(Attempt* attempt) {
  if (attempt->plan == plan()) return true;
  const core::SocketAddress address = attempt->plan->hosts[attempt->host].address;
  Replan(attempt);
  const int same = plan()->Find(address);
  if (same >= 0) {
    attempt->host = static_cast<uint8_t>(same);
    return true;
  }
  attempt->ForgetHost();  // that was about a host that has gone
  if (Untried(*attempt)) {
    attempt->host = plan()->Next(attempt->tried, now_ns(), shard_->context.random);
    return true;
  }
  Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  return false;
}

void Destination::MoveOn(Attempt* attempt) {
  attempt->LeaveDelivery();
  attempt->tried |= uint64_t{1} << attempt->host;
  ++attempt->tried_count;
  Replan(attempt);
  const bool more = Untried(*attempt);
  if (more && !attempt->ticket->recalled && !shard_->closing) {
    attempt->ForgetHost();
    attempt->host = plan()->Next(attempt->tried, now_ns(), shard_->context.random);
    attempt->forgiven = false;
    homeless_.PushBack(attempt);
    ArmTimer();
    return;
  }
  // An attempt that ends early, recalled say, has not asked them all: the site may be well.
  const bool unreachable = !more && attempt->unreachable_count == attempt->tried_count;
  const bool unfit = !more && attempt->unfit_count > 0 &&
                     attempt->unfit_count + attempt->unreachable_count == attempt->tried_count;
  attempt->ticket->result->unreachable = unreachable || unfit;
  if (unfit) {
    const std::vector<RecipientResult>& failed = attempt->ticket->result->failed;
    if (!failed.empty()) trouble_ = failed.back();
    unknown_ = attempt->unknown;
    if (!attempt->unknown || attempt->started_ns >= secret_since_ns_) OnUnfit();
  }
  if (unreachable &&
      shard_->gate->Fail(attempt->plan->site, attempt->started_ns, retry_period_ns_)) {
    ++shard_->counters.backoffs;
    const std::vector<RecipientResult>& failed = attempt->ticket->result->failed;
    if (!failed.empty()) trouble_ = failed.back();
  }
  // Hosts beyond the bound of an attempt have not refused anything.
  const uint32_t hosts =
      std::max(uint32_t{attempt->tried_count}, static_cast<uint32_t>(plan()->hosts.size()));
  Finish(attempt, ReturnReason::kAttempted,
         more ? Verdict::kDeferred : JudgeLeftOver(hosts, attempt->refused_count));
}

// The hosts are there: other mail for them, by another route, may go. What this one has waits, and
// one ticket at a time finds out whether they have become better.
void Destination::OnUnfit() {
  if (unfit_until_ns_ > now_ns()) return;  // sessions that failed together are one failure
  source_lost_ = false;
  const int64_t wait_ns =
      std::min(core::kNsPerMinute << std::min(unfit_times_, 10u), retry_period_ns_);
  unfit_until_ns_ = now_ns() + wait_ns;
  unfit_known_ns_ = unfit_until_ns_ + wait_ns;
  ++unfit_times_;
  ++shard_->counters.backoffs;
}

void Destination::OnUnreachable(HostPlan* at, int64_t started_ns) {
  if (at->hosts.size() > 1) return;  // the others have not been asked
  if (shard_->gate->Fail(at->site, started_ns, retry_period_ns_)) ++shard_->counters.backoffs;
}

void Destination::Finish(Attempt* attempt, ReturnReason reason, Verdict verdict) {
  attempt->Finish(reason, verdict);
  Conclude(attempt);
}

void Destination::Conclude(Attempt* attempt) {
  attempt->LeaveDelivery();
  hosts_.Release(attempt->plan);
  attempt->plan = nullptr;
  shard_->counters.recipients_sending -=
      static_cast<uint64_t>(std::popcount(attempt->ticket->mask));
  MaybeReturn(attempt);
}

void Destination::PutBack(Attempt* attempt) {
  if (!attempt->Undoable()) return Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  attempt->Undo();
  Conclude(attempt);
}

void Destination::MaybeReturn(Attempt* attempt) {
  if (!attempt->finished() || !attempt->Quiet()) return;
  Ticket* const again = attempt->undone() ? attempt->ticket : nullptr;
  if (again != nullptr) {
    attempt->GiveUpTicket();
  } else {
    attempt->Return();
  }
  shard_->attempts.Delete(attempt);
  CHECK(attempts_ > 0);
  --attempts_;
  if (again != nullptr && again->recalled) {
    ReturnWaiting(again, ReturnReason::kRecalled);
  } else {
    --shard_->counters.tickets;
    if (again != nullptr) {
      EnterState(again, RecipientState::kReady);  // as it was; its hosts may have changed since
      Add(again);
    }
  }
  ArmTimer();
}

void Destination::Recall(Ticket* ticket) {
  if (ticket->state.load(std::memory_order_relaxed) != RecipientState::kSending) {
    TakeOut(ticket);
    ReturnWaiting(ticket, ReturnReason::kRecalled);
    ArmTimer();
    return;
  }
  Attempt* attempt = static_cast<Attempt*>(ticket->place);
  if (attempt->finished()) return;
  if (attempt->delivery != nullptr) {
    if (!attempt->delivery->Drop(attempt)) return;  // it returns after its transaction
  } else if (attempt->link.linked()) {
    homeless_.Remove(attempt);
  } else {
    return;
  }
  Finish(attempt, attempt->tried_count > 0 ? ReturnReason::kAttempted : ReturnReason::kRecalled,
         Verdict::kDeferred);
}

void Destination::LiftHosts() {
  if (plan() == nullptr) return;
  for (PlannedHost& host : plan()->hosts) host.down_until_ns = 0;
  shard_->gate->Lift(plan()->site);
  unfit_until_ns_ = unfit_known_ns_ = 0;
  unfit_times_ = 0;
}

void Destination::Lift(bool ask_again) {
  if (!ask_again) LiftHosts();
  // What the DNS has said is not believed any longer, either, unless it can be acted on, or if it
  // is to be asked again. A command for many destinations makes it forget once.
  const bool doubted = ask_again || hosts_.standing() == HostsStanding::kPutOff;
  if (doubted && shard_->context.finder != nullptr) {
    if (now_ns() - shard_->forgot_ns >= core::kNsPerSecond) {
      shard_->forgot_ns = now_ns();
      shard_->context.finder->Forget();
    }
    hosts_.AskNow();
  }
  // Not to the hosts of before, if they may be others by now.
  lift_at_answer_ = ask_again && hosts_.asking();
  if (ask_again && !lift_at_answer_) LiftHosts();
  ArmTimer();
}

// Nearly always an attempt between two hosts is taken up at once, by the connection that it comes
// from. When that is of no more use (the hosts have changed) it may find that all others are busy
// for long, or that it cannot have one: then it must not keep home's memory, nor its ticket, which
// has a deadline.
void Destination::LookAfterHomeless() {
  const bool poked = !idle_.empty();
  PokeIdle();
  if (poked || homeless_.empty() || placed_ != placed_at_timer_) {
    homeless_looks_ = 0;
    return;
  }
  for (Attempt* each = homeless_.front(); each != nullptr; each = homeless_.Next(each)) {
    each->GiveUpLease();
  }
  if (++homeless_looks_ > kHomelessLooksMax) {
    homeless_looks_ = 0;
    EndHomeless();
  } else {
    AskForOneMore();
  }
}

// Those who have not been at any host go back as if nothing had happened.
void Destination::EndHomeless() {
  while (Attempt* attempt = homeless_.PopFront()) {
    Finish(attempt, attempt->tried_count > 0 ? ReturnReason::kAttempted : ReturnReason::kRecalled,
           Verdict::kDeferred);
  }
}

void Destination::EndAttempts() {
  while (Attempt* attempt = homeless_.PopFront()) {
    Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  }
  Delivery* next = nullptr;
  for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = next) {
    next = deliveries_.Next(delivery);
    if (Attempt* attempt = delivery->next()) {
      delivery->Drop(attempt);
      Finish(attempt, attempt->tried_count > 0 ? ReturnReason::kAttempted : ReturnReason::kShutdown,
             Verdict::kDeferred);
    }
    delivery->Leave();
  }
}

void Destination::Abort() {
  Delivery* next = nullptr;
  for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = next) {
    next = deliveries_.Next(delivery);
    delivery->Abort();
  }
}

// --- Connections --------------------------------------------------------------------------------

bool Destination::WantsMore() const {
  if (plan() == nullptr || !idle_.empty()) return false;
  // With connections that can take them, attempts between two hosts are taken up at once.
  if (!homeless_.empty() && connection_count_ == 0) return true;
  if (ready_.empty() || suspended_ || Held()) return false;
  if (connection_count_ == 0) return true;
  if (connection_count_ - open_count_ >= std::max(open_count_, 1u)) return false;
  if (open_count_ == 0) return false;
  // Each has one of them to take next.
  if (ready_.size() <= connection_count_ && !slow()) return false;
  // The open ones can keep up with the site's rate.
  const core::Rate& rate = plan()->policy.rate;
  if (rate.limited() && pace_ns_ / open_count_ <= rate.per_ns / rate.events) return false;
  return static_cast<int64_t>(ready_.size()) * pace_ns_ / open_count_ > kGrowNs;
}

bool Destination::StandsInLine() {
  if (admitted_ || !homeless_.empty() || shard_->closing) return false;
  if (!fresh_.empty() && fresh_.back()->window) return false;
  return shard_->cold->MustWait(this);
}

void Destination::OnTurn() {
  admitted_ = true;
  MaybeGrow();
  admitted_ = asking_;
}

void Destination::MaybeGrow() {
  if (asking_ || shard_->closing || !WantsMore() || StandsInLine()) return;
  asking_ = true;
  shard_->gate->Ask(plan()->site, this);
}

void Destination::AskForOneMore() {
  if (asking_ || shard_->closing || !idle_.empty() || plan() == nullptr) return;
  if (connection_count_ - open_count_ >= std::max(open_count_, 1u) || StandsInLine()) return;
  asking_ = true;
  shard_->gate->Ask(plan()->site, this);
}

void Destination::StopAsking() {
  shard_->cold->Leave(this);
  admitted_ = false;
  if (!asking_) return;
  shard_->gate->StopAsking(this);
  asking_ = false;
}

void Destination::OnSlot() {
  asking_ = false;
  if (!shard_->closing && !StandsInLine()) {
    admitted_ = false;
    Delivery* delivery = new Delivery(this);
    if (Attempt* attempt = TakeWork(delivery)) {
      deliveries_.PushBack(delivery);
      ++connection_count_;
      ++shard_->counters.connections;
      delivery->Start(attempt);
      return;
    }
    delete delivery;
  }
  shard_->gate->GiveBack(plan()->site);
}

void Destination::PokeIdle() {
  while (!idle_.empty() && (!homeless_.empty() || (!ready_.empty() && !Held() && !suspended_))) {
    idle_.front()->Poke();
  }
}

void Destination::OnPlan(HostPlan* old) {
  if (old->site != plan()->site) StopAsking();
  rate_until_ns_ = unfit_until_ns_ = 0;
  suspensions_seen_ = 0;  // it may be another site
  core::IntrusiveList<Attempt, &Attempt::link> homeless;
  while (Attempt* attempt = homeless_.PopFront()) homeless.PushBack(attempt);
  while (Attempt* attempt = homeless.PopFront()) Rehome(attempt);
  Delivery* next = nullptr;
  for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = next) {
    next = deliveries_.Next(delivery);
    delivery->OnPlan();
  }
  PokeIdle();
  MaybeGrow();
  ArmTimer();
}

void Destination::OnDismissed(bool opened) {
  --connection_count_;
  if (opened) --open_count_;
}

void Destination::OnReadmitted(bool opened) {
  ++connection_count_;
  if (opened) ++open_count_;
}

void Destination::OnOpened() {
  ++open_count_;
  MaybeGrow();
}

void Destination::OnIdle(Delivery* delivery) { idle_.PushFront(delivery); }

void Destination::OnBusy(Delivery* delivery) { idle_.Remove(delivery); }

void Destination::OnTransaction(int64_t took_ns) {
  pace_ns_ = pace_ns_ == 0 ? took_ns : (pace_ns_ * 7 + took_ns) / 8;
  MaybeGrow();
}

// Before the first transaction is over the pace is not known, and a slow host shows it late.
void Destination::OnStillBusy(int64_t for_ns) {
  pace_ns_ = std::max(pace_ns_, for_ns);
  MaybeGrow();
}

void Destination::OnAlive(HostPlan* at, uint8_t host) {
  at->hosts[host].down_until_ns = 0;
  unfit_times_ = 0;
  source_lost_ = false;
  shard_->gate->Succeed(at->site);
}

void Destination::OnLinkClosed() { --open_count_; }

void Destination::OnOver(Delivery* delivery) {
  HostPlan* const at = delivery->plan();
  hosts_.Use(at);
  deliveries_.Remove(delivery);
  if (!delivery->dismissed()) --connection_count_;
  delete delivery;
  --shard_->counters.connections;
  shard_->gate->GiveBack(at->site);
  hosts_.Release(at);
  // Attempts that it has left behind: with connections that wait for work nothing new is opened.
  if (!homeless_.empty() && !shard_->closing) PokeIdle();
  MaybeGrow();
  ArmTimer();
}

}  // namespace outbox::queue
