#include "queue/destination.h"

#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/time.h"
#include "io/io.h"
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
// Another connection is opened when the last ready ticket would wait longer than this.
constexpr int64_t kGrowNs = 5 * core::kNsPerMs;
// A host that could not be reached is tried last for so long.
constexpr int64_t kHostDownNs = core::kNsPerMinute;
// A destination with nothing to do is forgotten after this.
constexpr int64_t kForgetNs = 30 * core::kNsPerSecond;
// Lanes close when the ready list has been short for so long.
constexpr int64_t kLaneQuietNs = 10 * core::kNsPerSecond;
// Shorter than this is short.
constexpr size_t kLaneShort = core::kLaneReadyTickets / 4;

constexpr std::string_view kVia = "via:";

}  // namespace

std::vector<core::SocketAddress> HostsOfKey(std::string_view key) {
  std::vector<core::SocketAddress> hosts;
  if (!key.starts_with(kVia)) return hosts;
  key.remove_prefix(kVia.size());
  while (!key.empty() && hosts.size() < core::kConfigViaHosts) {
    const size_t comma = std::min(key.find(','), key.size());
    const core::Result<core::SocketAddress> host =
        core::SocketAddress::Parse(key.substr(0, comma), 25);
    if (host.ok()) hosts.push_back(*host);
    key.remove_prefix(std::min(comma + 1, key.size()));
  }
  return hosts;
}

uint64_t SiteHash(const std::vector<core::SocketAddress>& hosts) {
  std::vector<core::SocketAddress> sorted = hosts;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  uint64_t hash = 0;
  for (const core::SocketAddress& host : sorted) hash = core::Hash64(host.ToString(), hash);
  return hash;
}

Destination::Destination(OwnerShard* shard, std::string_view key, uint64_t hash)
    : shard_(shard),
      key_(key),
      hash_(hash),
      hosts_(HostsOfKey(key)),
      host_down_until_ns_(hosts_.size(), 0),
      ready_(&shard->pool) {
  for (const core::SocketAddress& host : hosts_) host_names_.push_back(host.ToString());
  timer_.Bind<&Destination::OnTimer>(this);
  if (!hosts_.empty()) {
    const uint32_t limit = shard->context.connections_for ? shard->context.connections_for(key)
                                                          : core::kDefaultConnectionsPerSite;
    site_ = shard->gate->Join(SiteHash(hosts_), limit);
  }
}

Destination::~Destination() {
  CHECK(forgettable());
  timer_.Cancel();
  if (site_ != nullptr) shard_->gate->Leave(site_);
}

int64_t Destination::now_ns() const { return shard_->context.io->now_ns(); }

bool Destination::forgettable() const {
  return ready_.empty() && attempts_ == 0 && connection_count_ == 0 && !asking_ && !lane_open_;
}

// --- Tickets that wait --------------------------------------------------------------------------

void Destination::Add(Ticket* ticket) {
  ++shard_->counters.tickets;
  if (shard_->closing) return ReturnWaiting(ticket, ReturnReason::kShutdown);
  if (site_ == nullptr) return ReturnUnroutable(ticket);
  if (ticket->deadline_ns <= now_ns()) return ReturnWaiting(ticket, ReturnReason::kDeadline);
  retry_period_ns_ = std::max<int64_t>(ticket->retry_s, 1) * core::kNsPerSecond;
  ticket->state.store(RecipientState::kReady, std::memory_order_relaxed);
  ready_.Push(ticket);
  fresh_.PushBack(ticket);
  ++fresh_count_;
  if (!idle_.empty()) {
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
  if (ticket->deadline_ns == core::kNever) return;
  ticket->timer = shard_->context.wheel->Add(
      ticket->deadline_ns, static_cast<uint8_t>(core::TimerKind::kTicketAtOwner), ticket);
  // At the wheel's bound its deadline cannot be watched here: home does that.
  if (ticket->timer == core::TimerWheel::kNone) {
    ready_.Remove(ticket);
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
  if (ticket->result == nullptr) ticket->result = std::make_unique<TicketResult>();
  if (reason != ReturnReason::kAttempted) *ticket->result = TicketResult{};
  ticket->result->reason = reason;
  --shard_->counters.tickets;
  shard_->context.post->Return(ticket);
}

// There is nowhere to send it: deferred at once, for each of its recipients.
void Destination::ReturnUnroutable(Ticket* ticket) {
  ticket->state.store(RecipientState::kUnrouted, std::memory_order_relaxed);
  ticket->result = std::make_unique<TicketResult>();
  for (uint64_t left = ticket->mask; left != 0; left &= left - 1) {
    RecipientResult& failed = ticket->result->failed.emplace_back();
    failed.recipient = static_cast<uint16_t>(ticket->first + std::countr_zero(left));
    failed.enhanced = "4.4.4";
    failed.text = key_.starts_with(kVia)
                      ? "the route names no host by its IP address, and host names cannot be "
                        "resolved"
                      : "no static route matches, and mail cannot be routed by MX";
  }
  ReturnWaiting(ticket, ReturnReason::kAttempted);
}

void Destination::OnDeadline(Ticket* ticket) {
  ticket->timer = core::TimerWheel::kNone;
  ready_.Remove(ticket);
  ReturnWaiting(ticket, ReturnReason::kDeadline);
  ArmTimer();
}

void Destination::Recall(Ticket* ticket) {
  if (ticket->state.load(std::memory_order_relaxed) != RecipientState::kSending) {
    ready_.Remove(ticket);
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

void Destination::Lift() {
  std::fill(host_down_until_ns_.begin(), host_down_until_ns_.end(), 0);
  if (site_ != nullptr) shard_->gate->Lift(site_);
}

// --- Attempts -----------------------------------------------------------------------------------

uint8_t Destination::NextHost(uint64_t tried) const {
  int fallback = -1;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if ((tried >> i & 1) != 0) continue;
    if (host_down_until_ns_[i] <= now_ns()) return static_cast<uint8_t>(i);
    if (fallback < 0) fallback = static_cast<int>(i);
  }
  CHECK(fallback >= 0);
  return static_cast<uint8_t>(fallback);
}

Attempt* Destination::TakeWork(Delivery* delivery) {
  Attempt* attempt = homeless_.PopFront();
  if (attempt == nullptr) {
    Ticket* ticket = ready_.Pop();
    if (ticket == nullptr) return nullptr;
    attempt = Start(ticket);
  }
  attempt->delivery = delivery;
  if (asking_ && ready_.empty() && homeless_.empty()) {
    shard_->gate->StopAsking(this);
    asking_ = false;
  }
  return attempt;
}

Attempt* Destination::Start(Ticket* ticket) {
  Unfresh(ticket);
  if (ticket->timer != core::TimerWheel::kNone) {
    shard_->context.wheel->Cancel(ticket->timer);
    ticket->timer = core::TimerWheel::kNone;
  }
  ++taken_;
  ++attempts_;
  ++shard_->counters.attempts;
  shard_->counters.recipients_sending += static_cast<uint64_t>(std::popcount(ticket->mask));
  Attempt* attempt = new Attempt(ticket, shard_->context.post, shard_->context.log, now_ns());
  attempt->host = PreferredHost();
  return attempt;
}

void Destination::Requeue(Attempt* attempt) {
  attempt->delivery = nullptr;
  if (shard_->closing) return Finish(attempt, ReturnReason::kAttempted, Verdict::kDeferred);
  homeless_.PushBack(attempt);  // the delivery that we are called from looks here next
}

void Destination::MoveOn(Attempt* attempt) {
  attempt->delivery = nullptr;
  attempt->tried |= uint64_t{1} << attempt->host;
  ++attempt->tried_count;
  const uint32_t bound = std::min(static_cast<uint32_t>(hosts_.size()), core::kHostsPerAttempt);
  if (attempt->tried_count < bound && !attempt->ticket->recalled && !shard_->closing) {
    attempt->host = NextHost(attempt->tried);
    attempt->forgiven = false;
    homeless_.PushBack(attempt);
    return;
  }
  if (attempt->unreachable_count == attempt->tried_count &&
      shard_->gate->Fail(site_, attempt->started_ns, retry_period_ns_)) {
    ++shard_->counters.backoffs;
  }
  Finish(attempt, ReturnReason::kAttempted,
         attempt->tried_count < bound
             ? Verdict::kDeferred
             : JudgeLeftOver(static_cast<uint32_t>(hosts_.size()), attempt->refused_count));
}

void Destination::OnUnreachable(int64_t started_ns) {
  if (hosts_.size() > 1) return;  // the others have not been asked
  if (shard_->gate->Fail(site_, started_ns, retry_period_ns_)) ++shard_->counters.backoffs;
}

void Destination::Finish(Attempt* attempt, ReturnReason reason, Verdict verdict) {
  attempt->delivery = nullptr;
  attempt->Finish(reason, verdict);
  shard_->counters.recipients_sending -=
      static_cast<uint64_t>(std::popcount(attempt->ticket->mask));
  MaybeReturn(attempt);
}

void Destination::MaybeReturn(Attempt* attempt) {
  if (!attempt->finished() || !attempt->Quiet()) return;
  attempt->Return();
  delete attempt;
  CHECK(attempts_ > 0);
  --attempts_;
  --shard_->counters.tickets;
  ArmTimer();
}

// --- Connections --------------------------------------------------------------------------------

bool Destination::WantsMore() const {
  if (ready_.empty() || !idle_.empty()) return false;
  if (connection_count_ == 0) return true;
  if (connection_count_ - open_count_ >= std::max(open_count_, 1u)) return false;
  if (open_count_ == 0 || ready_.size() <= connection_count_) return false;
  return static_cast<int64_t>(ready_.size()) * pace_ns_ / open_count_ > kGrowNs;
}

void Destination::MaybeGrow() {
  if (asking_ || shard_->closing || !WantsMore()) return;
  asking_ = true;
  shard_->gate->Ask(site_, this);
}

void Destination::OnSlot() {
  asking_ = false;
  if (shard_->closing || (ready_.empty() && homeless_.empty())) {
    shard_->gate->GiveBack(site_);
    return;
  }
  Delivery* delivery = new Delivery(this);
  deliveries_.PushBack(delivery);
  ++connection_count_;
  ++shard_->counters.connections;
  delivery->Start(TakeWork(delivery));
}

void Destination::OnHostDown(uint8_t down) { host_down_until_ns_[down] = now_ns() + kHostDownNs; }

void Destination::OnOpened(Delivery*) {
  ++open_count_;
  MaybeGrow();
}

void Destination::OnIdle(Delivery* delivery) { idle_.PushFront(delivery); }

void Destination::OnBusy(Delivery* delivery) { idle_.Remove(delivery); }

void Destination::OnTransaction(int64_t took_ns) {
  pace_ns_ = pace_ns_ == 0 ? took_ns : (pace_ns_ * 7 + took_ns) / 8;
  MaybeGrow();
}

void Destination::OnLinkClosed(bool opened) {
  if (opened) --open_count_;
}

void Destination::OnOver(Delivery* delivery) {
  deliveries_.Remove(delivery);
  delete delivery;
  --connection_count_;
  --shard_->counters.connections;
  shard_->gate->GiveBack(site_);
  MaybeGrow();
  ArmTimer();
}

void Destination::Close() {
  CHECK(shard_->closing);
  if (asking_) {
    shard_->gate->StopAsking(this);
    asking_ = false;
  }
  while (Ticket* ticket = ready_.Pop()) ReturnWaiting(ticket, ReturnReason::kShutdown);
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
  MaybeCloseLane();
}

void Destination::Abort() {
  Delivery* next = nullptr;
  for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = next) {
    next = deliveries_.Next(delivery);
    delivery->Abort();
  }
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

void Destination::ArmTimer() {
  int64_t at_ns = core::kNever;
  if (!ready_.empty() && (fresh_count_ > 0 || !asking_)) {
    at_ns = now_ns() + kPatienceNs;
  } else if (lane_open_) {
    at_ns = now_ns() + core::kNsPerSecond;
  } else if (forgettable()) {
    if (empty_since_ns_ == 0) empty_since_ns_ = now_ns();
    at_ns = empty_since_ns_ + kForgetNs;
  }
  if (!forgettable()) empty_since_ns_ = 0;
  if (at_ns == core::kNever || (timer_.set() && timer_at_ns_ <= at_ns)) return;
  timer_at_ns_ = at_ns;
  timer_.Set(shard_->context.wheel, at_ns);
}

void Destination::OnTimer() {
  MaybeCloseLane();
  if (forgettable() && empty_since_ns_ != 0 && now_ns() - empty_since_ns_ >= kForgetNs) {
    shard_->table->Forget(this);  // deletes this
    return;
  }
  if (!ready_.empty()) {
    const bool stuck = taken_ == taken_at_timer_;
    const int64_t wait_ns =
        static_cast<int64_t>(ready_.size()) * pace_ns_ / std::max(open_count_, 1u);
    if (stuck || wait_ns > kParkNs) ParkAll();
    // The open connections take nothing, whatever their pace was: another one.
    if (stuck && !ready_.empty() && !asking_ && idle_.empty() && !shard_->closing &&
        connection_count_ - open_count_ < std::max(open_count_, 1u)) {
      asking_ = true;
      shard_->gate->Ask(site_, this);
    }
    if (ready_.size() >= kLaneShort) crowded_ns_ = now_ns();
  }
  taken_at_timer_ = taken_;
  ArmTimer();
}

}  // namespace outbox::queue
