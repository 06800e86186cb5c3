#include "queue/delivery.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/time.h"
#include "io/io.h"
#include "queue/attempt.h"
#include "queue/attempt_log.h"
#include "queue/destination.h"
#include "queue/outcome.h"
#include "queue/shard_mail.h"

namespace outbox::queue {
namespace {

// While a connection is being opened the first attempt keeps its lease so long.
constexpr int64_t kLeasePatienceNs = core::kNsPerSecond;
// How often the attempts in hand are asked whether they keep a window that their peer does not want
// yet: such a one goes back after one to two of these.
constexpr int64_t kWindowPatienceNs = 250 * core::kNsPerMs;
// While nothing is kept and the host is known to be slow: thousands may wait for such hosts.
constexpr int64_t kRestingPatienceNs = 5 * core::kNsPerSecond;
// What a connection may do before it makes room for a shard or destination that has none at all.
constexpr uint32_t kTurnTransactions = 100;
constexpr int64_t kTurnNs = core::kNsPerSecond;
// A host that could not be reached is tried last for so long.
constexpr int64_t kHostDownNs = core::kNsPerMinute;

Attempt* AttemptOf(uint64_t cookie) {
  return reinterpret_cast<Attempt*>(static_cast<uintptr_t>(cookie));
}

}  // namespace

Delivery::Delivery(Destination* destination)
    : destination_(destination),
      plan_(destination->plan()),
      live_host_(live_hosts()->Acquire(destination->shard()->context.post->self())) {
  destination_->UsePlan(plan_);
  timer_.Bind<&Delivery::OnTimer>(this);
}

Delivery::~Delivery() {
  CHECK(link_ == nullptr && next_ == nullptr && in_hand_ == 0 && !idle_);
  live_hosts()->Release(live_host_);
  destination_->ReleasePlan(plan_);
}

LiveHosts* Delivery::live_hosts() const {
  return destination_->shard()->context.post->live_hosts();
}

int64_t Delivery::now_ns() const { return destination_->shard()->context.io->now_ns(); }

AttemptLog* Delivery::log() const { return destination_->shard()->context.log; }

const std::string& Delivery::host_name() const { return plan_->hosts[host_].name; }

void Delivery::Start(Attempt* attempt) { Connect(attempt); }

bool Delivery::IsHere(const Attempt& attempt) const {
  return attempt.plan == plan_ && attempt.host == host_;
}

void Delivery::SetPlan(HostPlan* plan) {
  destination_->UsePlan(plan);
  destination_->ReleasePlan(std::exchange(plan_, plan));
}

void Delivery::OnPlan() {
  HostPlan* const present = destination_->plan();
  const int same = present->site == plan_->site && link_ != nullptr
                       ? present->Find(plan_->hosts[host_].address)
                       : -1;
  if (same < 0) {
    if (!dismissed_) destination_->OnDismissed(opened_);
    dismissed_ = true;
    if (idle_) Leave();
    return;
  }
  --plan_->hosts[host_].connections;
  SetPlan(present);
  host_ = static_cast<uint8_t>(same);
  ++plan_->hosts[host_].connections;
  if (next_ != nullptr && !destination_->Rehost(next_)) {
    next_ = nullptr;
    if (opened_ && in_hand_ == 0) link_->Poke();  // it waits for what has just gone
  }
  if (dismissed_) destination_->OnReadmitted(opened_);
  dismissed_ = false;
}

void Delivery::MaybeReadmit() {
  HostPlan* const present = destination_->plan();
  if (!dismissed_ || present->site != plan_->site) return;
  SetPlan(present);
  destination_->OnReadmitted(/*opened=*/false);
  dismissed_ = false;
}

void Delivery::Connect(Attempt* attempt) {
  CHECK(!dismissed_ && attempt->plan == plan_);
  OwnerShard* shard = destination_->shard();
  next_ = attempt;
  next_->delivery = this;
  host_ = attempt->host;
  opened_ = false;
  leaving_ = false;
  tls_ = {};
  served_ = 0;
  connected_ns_ = now_ns();
  PlannedHost& host = plan_->hosts[host_];
  live_hosts()->Set(live_host_, host.name);
  attempt->ticket->host.store(live_host_, std::memory_order_relaxed);
  ++host.connections;
  ++shard->counters.connects;
  switch (LinkFactory* const links = shard->context.links; plan_->link) {
    case LinkKind::kSmtp: {
      const DestinationKey& key = destination_->host_key();
      LinkTarget target{host.address, nullptr, key.tls, host.tls_name, &key, {}};
      // Never from where the system likes: this one fails, and that is judged.
      if (!key.BindFor(host.address.ip, &target.from)) target.from = &key.bind[0];
      target.helo = destination_->hosts().helo();
      link_ = links->Connect(target, this);
      break;
    }
    case LinkKind::kLmtp:
      link_ = links->ConnectLmtp(host.address, plan_->place, this);
      break;
    case LinkKind::kMaildir:
      link_ = links->OpenMaildir(plan_->place, this);
      break;
  }
  timer_.Set(shard->context.wheel, now_ns() + kLeasePatienceNs);
}

void Delivery::OnTimer() {
  if (idle_) {
    Leave();
  } else if (!opened_) {
    if (next_ != nullptr) next_->GiveUpLease();
  } else {
    if (next_ != nullptr) next_->OnPatience();
    bool stalled = false;
    bool keeps = next_ != nullptr;
    for (Attempt* attempt : hand_) {
      if (attempt == nullptr) continue;
      if (attempt->OnPatience()) stalled = true;
      keeps = keeps || attempt->KeepsWindows();
    }
    if (stalled) link_->FreeWindow();
    if (in_hand_ > 0 && !dismissed_) destination_->OnStillBusy(now_ns() - last_done_ns_);
    resting_ = !keeps && destination_->slow();
    if (in_hand_ > 0 || next_ != nullptr) WatchWindows();
  }
}

// There may be a window to watch again.
void Delivery::WatchClosely() {
  if (!std::exchange(resting_, false)) return;
  timer_.Cancel();
  WatchWindows();
}

// One timer while the connection is busy, however many messages go over it.
void Delivery::WatchWindows() {
  if (timer_.set()) return;
  const int64_t wait_ns = resting_ ? kRestingPatienceNs : kWindowPatienceNs;
  timer_.Set(destination_->shard()->context.wheel, now_ns() + wait_ns);
}

void Delivery::Poke() {
  CHECK(idle_);
  BecomeBusy();
  link_->Poke();
}

void Delivery::Leave() {
  BecomeBusy();
  leaving_ = true;
  told_to_close_ = true;
  if (in_call_ || link_ == nullptr) return;  // the link gets its answer from the call
  if (!opened_) {
    if (next_ == nullptr) link_->Abandon(smtp::SessionEnd::kCancelled);
  } else if (in_hand_ == 0 && next_ == nullptr) {
    link_->Quit();
  }
}

void Delivery::Abort() {
  BecomeBusy();
  leaving_ = true;
  aborted_ = true;
  CHECK(!in_call_);
  if (link_ != nullptr) link_->Abandon(smtp::SessionEnd::kCancelled);
}

bool Delivery::Drop(Attempt* attempt) {
  if (attempt != next_) return false;
  next_ = nullptr;
  attempt->LeaveDelivery();
  // With a session this delivery takes other work when the link asks; it must ask.
  if (opened_ && in_hand_ == 0 && !in_call_) link_->Poke();
  return true;
}

void Delivery::OnFetched(Attempt* attempt) {
  if (link_ == nullptr) return;
  WatchClosely();
  if (attempt == next_) {
    link_->Poke();
  } else if (attempt->TakeWindowDue()) {
    link_->OfferWindow(reinterpret_cast<uintptr_t>(attempt));
  }
}

void Delivery::BecomeIdle() {
  idle_ = true;
  destination_->OnIdle(this);
  const OwnerContext& context = destination_->shard()->context;
  timer_.Set(context.wheel, now_ns() + context.idle_timeout_ns);
  destination_->shard()->gate->SetIdle(plan_->site, this);  // may call CloseIdle
}

void Delivery::BecomeBusy() {
  if (!idle_) return;
  idle_ = false;
  timer_.Cancel();
  destination_->OnBusy(this);
  destination_->shard()->gate->SetBusy(plan_->site, this);
}

bool Delivery::TooMany() const {
  return plan_->policy.on_reply != nullptr && destination_->shard()->gate->TooMany(plan_->site);
}

bool Delivery::ShouldYield() const {
  if (TooMany()) return true;
  const uint32_t most = plan_->policy.messages_per_connection;
  if (most != 0 && served_ + in_hand_ >= most) return true;
  if (served_ < kTurnTransactions && now_ns() - connected_ns_ < kTurnNs) return false;
  return destination_->shard()->gate->ShouldYield(plan_->site);
}

void Delivery::FindWork() {
  if (destination_->shard()->closing || dismissed_) {
    leaving_ = true;
    return;
  }
  if (!destination_->HasHomeless() && (!plan_->IsBest(host_, now_ns()) || ShouldYield())) {
    leaving_ = true;
    return;
  }
  // Behind a transaction that takes long nothing is sent ahead: it goes sooner elsewhere.
  if (in_hand_ > 0 && destination_->slow() && !destination_->HasHomeless()) return;
  next_ = destination_->TakeWork(this);
}

void Delivery::OnTls(const io::TlsFacts& facts, std::string_view error) {
  OwnerCounters& counters = destination_->shard()->counters;
  tls_ = facts;
  if (!error.empty()) {
    ++counters.tls_failed;
    if (log() != nullptr) log()->OnTlsFailed(host_name(), error);
    return;
  }
  ++counters.tls;
  if (facts.resumed) ++counters.tls_resumed;
}

void Delivery::OnAuthenticated(core::AuthMechanism mechanism) {
  ++destination_->shard()->counters.auth;
  if (log() == nullptr) return;
  log()->OnAuthenticated(host_name(), destination_->host_key().user, mechanism);
}

smtp::NextAnswer Delivery::NextTransaction(smtp::DeliveryRequest* request) {
  in_call_ = true;
  const smtp::NextAnswer answer = Next(request);
  in_call_ = false;
  return answer;
}

smtp::NextAnswer Delivery::Next(smtp::DeliveryRequest* request) {
  if (!opened_) {
    opened_ = true;
    timer_.Cancel();
    last_done_ns_ = now_ns();
    if (log() != nullptr) log()->OnConnected(host_name(), now_ns() - connected_ns_, tls_);
    if (!dismissed_) destination_->OnOpened();
  }
  BecomeBusy();
  for (;;) {
    if (next_ == nullptr && !leaving_) FindWork();
    if (next_ == nullptr && !leaving_ && in_hand_ == 0) BecomeIdle();
    if (next_ != nullptr && !IsHere(*next_)) leaving_ = true;
    if (leaving_) return in_hand_ > 0 ? smtp::NextAnswer::kLater : smtp::NextAnswer::kNo;
    if (next_ == nullptr) return smtp::NextAnswer::kLater;
    if (next_->Readable()) break;
    if (!next_->broken()) WatchWindows();
    if (!next_->broken()) return smtp::NextAnswer::kLater;  // OnFetched pokes the link
    Attempt* attempt = next_;
    next_ = nullptr;
    attempt->OnUnreadable();
    destination_->Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  }
  if (in_hand_ == 0) last_done_ns_ = now_ns();
  CHECK(in_hand_ < hand_.size());
  hand_[hand_[0] == nullptr ? 0 : 1] = next_;
  ++in_hand_;
  WatchClosely();
  WatchWindows();
  next_->ticket->host.store(live_host_, std::memory_order_relaxed);
  if (next_->ticket->tell_start) destination_->shard()->context.post->Started(next_->ticket);
  next_->BeginTransaction(request);
  if (destination_->slow()) next_->GiveUpLease();  // fetched again when the host wants it
  if (log() != nullptr) {
    log()->OnSending(*next_->ticket, host_name(), request->envelope.recipients.size());
  }
  next_ = nullptr;
  ++destination_->shard()->counters.transactions;
  return smtp::NextAnswer::kYes;
}

smtp::NextAnswer Delivery::NextWindow(uint64_t cookie, smtp::BodyWindow* window) {
  const smtp::NextAnswer answer = AttemptOf(cookie)->NextWindow(window);
  if (answer == smtp::NextAnswer::kYes) {
    destination_->shard()->counters.bytes_lent += window->bytes.size();
    WatchClosely();
  }
  return answer;
}

void Delivery::ReleaseWindow(uint64_t cookie, uint64_t token) {
  Attempt* attempt = AttemptOf(cookie);
  attempt->ReleaseWindow(token);
  // It may be at another host by now, and has waited for this one.
  Delivery* const at = attempt->delivery;
  if (at != nullptr && at->link_ != nullptr && attempt->TakeWindowDue()) {
    at->link_->OfferWindow(cookie);  // may end the attempt, and delete it
    return;
  }
  destination_->MaybeReturn(attempt);  // may delete it
}

void Delivery::OnResult(uint64_t cookie, uint16_t recipient, const smtp::RecipientResult& result) {
  if (result.kind == smtp::ResultKind::kLost) lost_ = true;
  if (result.reply.code >= 400 && plan_->policy.on_reply != nullptr &&
      result.kind != smtp::ResultKind::kTryNext && result.kind != smtp::ResultKind::kAnew) {
    Heed(result.stage, result.reply, AttemptOf(cookie)->started_ns);
  }
  AttemptOf(cookie)->OnResult(recipient, result, plan_->hosts[host_].name, tls_);
}

void Delivery::Heed(smtp::Stage stage, const smtp::Reply& reply, int64_t began_ns) {
  const ReplyRule* const rule = plan_->policy.on_reply->Find(stage, reply);
  if (rule == nullptr) return;
  destination_->shard()->gate->Obey(plan_->site, *rule, {host_name(), reply, began_ns});
}

void Delivery::OnTransactionDone(uint64_t cookie) {
  Attempt* attempt = AttemptOf(cookie);
  in_call_ = true;
  CHECK(in_hand_ > 0);
  --in_hand_;
  *std::find(hand_.begin(), hand_.end(), attempt) = nullptr;
  ++served_;
  if (std::exchange(lost_, false)) ++destination_->shard()->counters.transactions_lost;
  attempt->TellTalk(*link_, host_name());
  attempt->EndTransaction();
  destination_->OnTransaction(now_ns() - last_done_ns_);
  last_done_ns_ = now_ns();
  if (attempt->replied) destination_->OnAlive(plan_, host_);
  // A connection that served before and is found dead says nothing about the host: once more,
  // afresh.
  const bool stale =
      !attempt->replied && attempt->lost_early && served_ > 1 && !attempt->forgiven && !aborted_;
  if (!attempt->undecided()) {
    destination_->Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  } else if (attempt->again() || stale) {
    attempt->forgiven = attempt->forgiven || stale;
    destination_->Requeue(attempt);
  } else {
    if (!attempt->replied && attempt->lost_early) ++attempt->unreachable_count;
    destination_->MoveOn(attempt);
  }
  in_call_ = false;
}

void Delivery::OnSessionEnd(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply) {
  CHECK(in_hand_ == 0);
  in_call_ = true;
  timer_.Cancel();
  BecomeBusy();
  if (end == smtp::SessionEnd::kRefused) ++destination_->shard()->counters.sessions_refused;
  if (stage == smtp::Stage::kAuth) {
    ++destination_->shard()->counters.auth_failed;
    if (log() != nullptr) log()->OnAuthFailed(host_name(), destination_->host_key().user, reply);
  }
  if (end == smtp::SessionEnd::kTimeout) ++destination_->shard()->counters.sessions_timed_out;
  if (reply.code >= 400 && plan_->policy.on_reply != nullptr) Heed(stage, reply, connected_ns_);
  const HostJudgement judgement = JudgeSession(end, stage, reply.code);
  PlannedHost& host = plan_->hosts[host_];
  --host.connections;
  if (!opened_ && (judgement.unreachable || judgement.unfit())) {
    host.down_until_ns = now_ns() + kHostDownNs;
    host.trouble = judgement.unknown    ? HostTrouble::kUser
                   : judgement.insecure ? HostTrouble::kInsecure
                                        : HostTrouble::kNoAnswer;
  }
  short_ = judgement.ours;
  if (judgement.unsourced) {
    destination_->OnSourceLost(plan_, host.address.ip);
  } else if (short_) {
    ++destination_->shard()->counters.shortages;
    if (log() != nullptr) log()->OnShortage(reply.text);
    destination_->shard()->gate->OnShortage(plan_->site, end == smtp::SessionEnd::kNoPort);
  }
  if (next_ != nullptr && (short_ || IsHere(*next_))) {
    OnNextStranded(end, stage, reply);
  } else if (next_ == nullptr && !opened_ && judgement.unreachable) {
    destination_->OnUnreachable(plan_, connected_ns_);
  }
  if (opened_ && log() != nullptr) {
    log()->OnDisconnected(host_name(), served_, smtp::SessionEndName(end));
  }
  if (opened_ && !dismissed_) destination_->OnLinkClosed();
  opened_ = false;
  link_.reset();  // the reply's text was the link's
  in_call_ = false;
  GoOn();
}

void Delivery::OnNextStranded(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply) {
  Attempt* attempt = next_;
  if (opened_ && !aborted_ && (end == smtp::SessionEnd::kQuit || !attempt->forgiven)) {
    // The session was good and has ended between two messages: connect again.
    if (end != smtp::SessionEnd::kQuit) attempt->forgiven = true;
    return;
  }
  next_ = nullptr;
  if (aborted_) {
    destination_->Finish(attempt, ReturnReason::kShutdown, Verdict::kDeferred);
    return;
  }
  const HostJudgement judgement = JudgeSession(end, stage, reply.code);
  const bool elsewhere =
      judgement.unsourced && attempt->plan->HasOtherFamily(attempt->tried, plan_->hosts[host_]);
  if (judgement.ours && !elsewhere) {
    destination_->PutBack(attempt);
    return;
  }
  attempt->OnSessionEnd(end, stage, reply, host_name(), destination_->host_key().user);
  attempt->TellTalk(*link_, host_name());
  if (judgement.refused) ++attempt->refused_count;
  if (judgement.unreachable) ++attempt->unreachable_count;
  if (judgement.unfit()) ++attempt->unfit_count;
  if (judgement.unknown) attempt->unknown = true;
  destination_->MoveOn(attempt);
}

// The session is over: another one with the same slot, or the end.
void Delivery::GoOn() {
  SiteGate* gate = destination_->shard()->gate;
  MaybeReadmit();
  if (next_ != nullptr && dismissed_) {
    destination_->Rehome(std::exchange(next_, nullptr));
  } else if (next_ != nullptr && !destination_->Rehost(next_)) {
    next_ = nullptr;
  }
  const bool may_take = !dismissed_ && !short_ &&
                        (destination_->HasHomeless() ||
                         (gate->BlockedUntil(plan_->site) == 0 && !gate->ShouldYield(plan_->site) &&
                          !TooMany() && !told_to_close_));
  if (next_ == nullptr && may_take && !destination_->shard()->closing) {
    next_ = destination_->TakeWork(this);
  }
  if (next_ != nullptr && !destination_->shard()->closing) {
    CHECK(!short_);
    Connect(next_);
    return;
  }
  if (next_ != nullptr) {
    Attempt* attempt = next_;
    next_ = nullptr;
    destination_->Finish(attempt, ReturnReason::kShutdown, Verdict::kDeferred);
  }
  destination_->OnOver(this);  // deletes this
}

}  // namespace outbox::queue
