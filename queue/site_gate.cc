#include "queue/site_gate.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/random.h"
#include "io/io.h"
#include "queue/retry_policy.h"
#include "queue/shard_mail.h"

namespace outbox::queue {
namespace {

// When the site table had no room: how long until it is asked again.
constexpr int64_t kRoomRetryNs = 200 * core::kNsPerMs;
// How long we let the machine recover when it has no descriptor, memory or port for us.
constexpr int64_t kShortageRestNs = core::kNsPerSecond;

}  // namespace

SiteGate::SiteGate(io::Io* io, core::TimerWheel* wheel, core::Random* random, PostOffice* post,
                   SiteTable* table, AttemptLog* log, uint32_t max_connections)
    : io_(io),
      wheel_(wheel),
      random_(random),
      post_(post),
      table_(table),
      log_(log),
      budget_(max_connections) {
  rest_.Bind<&SiteGate::OnRested>(this);
}

void LocalSite::OnTimer() { gate->OnTimer(this); }

// What is left are sites that a grant is on its way for, when all shards stop.
SiteGate::~SiteGate() {
  for (auto& [hash, site] : by_hash_) {
    CHECK(site->users == 0);
    site->timer.Cancel();
    budget_.Leave(site.get());
  }
  rest_.Cancel();
}

LocalSite* SiteGate::Join(const SitePolicy& policy) {
  std::unique_ptr<LocalSite>& entry = by_hash_[policy.hash];
  if (entry == nullptr) {
    entry = std::make_unique<LocalSite>();
    entry->name = SiteText(policy.name, policy.source);
    entry->hash = policy.hash;
    entry->limit = policy.max_connections;
    entry->generation = generation_;
    entry->rate = policy.rate;
    entry->gate = this;
    entry->timer.Bind<&LocalSite::OnTimer>(entry.get());
    FindRoom(entry.get());
  } else {
    Offer(entry.get(), policy);
  }
  ++entry->users;
  return entry.get();
}

void SiteGate::Offer(LocalSite* site, const SitePolicy& policy) {
  const bool anew = site->generation != generation_;
  const uint32_t limit =
      anew ? policy.max_connections : std::min(site->limit, policy.max_connections);
  if (!anew && limit == site->limit && site->rate == policy.rate) return;
  site->generation = generation_;
  site->limit = limit;
  site->rate = policy.rate;
  if (site->index == SiteTable::kNoSite) return;
  shared(site).rate.SetRate(site->rate, io_->now_ns());
  if (shared(site).slots.OfferLimit(limit, generation_)) GrantMore(site);
}

void SiteGate::FindRoom(LocalSite* site) {
  site->index = table_->Acquire(site->hash, site->limit, io_->now_ns(), site->generation);
  if (site->index == SiteTable::kNoSite) {
    site->timer.Set(wheel_, io_->now_ns() + kRoomRetryNs);
    return;
  }
  by_index_[site->index] = site;
  shared(site).rate.SetRate(site->rate, io_->now_ns());
  GrantMore(site);
}

// The limit may have been raised.
void SiteGate::GrantMore(LocalSite* site) {
  for (;;) {
    const int shard = shared(site).slots.GrantFree();
    if (shard < 0) break;
    Hand(site, shard);
  }
}

void SiteGate::Leave(LocalSite* site) {
  CHECK(site->users > 0);
  --site->users;
  MaybeForget(site);
}

void SiteGate::MaybeForget(LocalSite* site) {
  if (site->users > 0 || site->pumping) return;
  CHECK(site->waiting.empty() && site->idle.empty() && site->slots == 0);
  if (site->index != SiteTable::kNoSite) {
    if (site->expecting && !site->called && shared(site).slots.StopWaiting(post_->self()))
      site->expecting = false;
    if (site->expecting) return;  // a grant is on its way: OnSlotGrant comes back here
    table_->Release(site->index, io_->now_ns());
    by_index_.erase(site->index);
  }
  site->timer.Cancel();
  budget_.Leave(site);
  by_hash_.erase(site->hash);
}

void SiteGate::Ask(LocalSite* site, SiteUser* user) {
  site->waiting.PushBack(user);
  Pump(site);
}

void SiteGate::StopAsking(SiteUser* user) {
  if (user->site_link.linked()) user->site_link.Unlink();
}

void SiteGate::Pump(LocalSite* site) {
  if (site->pumping || site->index == SiteTable::kNoSite) return;
  if (Held(site)) {
    site->timer.Set(wheel_, site->held_until_ns);
    return;
  }
  site->pumping = true;
  while (!site->waiting.empty() && !site->expecting && PumpOne(site)) {
  }
  site->pumping = false;
  MaybeForget(site);
}

// Asks the table once for the first in line. False: nothing more to be had now.
bool SiteGate::PumpOne(LocalSite* site) {
  const bool in_line = site->line.linked();
  if (!budget_.Admit(site)) {
    if (!in_line) CloseAnyIdle();
    return false;
  }
  auto& slots = shared(site).slots;
  const int64_t now_ns = io_->now_ns();
  bool granted = false;
  const SlotAnswer answer = slots.TakeOrWait(post_->self(), site->slots == 0, now_ns, &granted);
  site->expecting = granted || answer == SlotAnswer::kWait;
  switch (answer) {
    case SlotAnswer::kGot:
      budget_.Take(site);
      site->waiting.PopFront()->OnSlot();
      return true;
    case SlotAnswer::kLater: {
      const int64_t until_ns = slots.BlockedUntil(now_ns);
      if (until_ns == 0) return true;  // it ended meanwhile: ask again
      site->timer.Set(wheel_, until_ns);
      return false;
    }
    case SlotAnswer::kWait:
      break;
  }
  if (!site->idle.empty()) {
    CloseOneIdle(site);
  } else {
    const int idle = slots.SomebodyIdle(post_->self());
    if (idle >= 0) post_->SlotWanted(static_cast<uint8_t>(idle), site->index);
  }
  return false;
}

void SiteGate::OnTimer(LocalSite* site) {
  if (site->index == SiteTable::kNoSite) FindRoom(site);
  Pump(site);
}

void SiteGate::Hand(const LocalSite* site, int shard) {
  post_->SlotGrant(static_cast<uint8_t>(shard), site->index, true);
}

void SiteGate::GiveBack(LocalSite* site) {
  CHECK(site->slots > 0);
  budget_.GiveBack(site);
  if (site->slots == 0 && site->expecting && !site->called) {
    shared(site).slots.SetStarving(post_->self(), true);
  }
  PassOn(site);
  Serve();
}

void SiteGate::PassOn(LocalSite* site) {
  const int shard = shared(site).slots.Release();
  if (shard >= 0) Hand(site, shard);
}

// By mail to ourselves: nobody gets a slot from within giving another one back.
void SiteGate::Serve() {
  while (BudgetPlace* place = budget_.Next()) {
    LocalSite* site = static_cast<LocalSite*>(place);
    if (site->waiting.empty()) {
      budget_.Answer(site);
      continue;
    }
    site->expecting = true;
    post_->SlotGrant(static_cast<uint8_t>(post_->self()), site->index, false);
  }
}

bool SiteGate::Held(const LocalSite* site) const { return site->held_until_ns > io_->now_ns(); }

void SiteGate::OnShortage(LocalSite* site, bool port_only) {
  const int64_t until_ns = io_->now_ns() + kShortageRestNs;
  if (port_only) {
    site->held_until_ns = until_ns;
    return;
  }
  const bool resting = budget_.resting();  // one rest for all that fail together
  budget_.Shrink();
  if (!resting) rest_.Set(wheel_, until_ns);
}

void SiteGate::OnRested() {
  const bool below = budget_.Recover();
  Serve();
  if (below) rest_.Set(wheel_, io_->now_ns() + kShortageRestNs);
}

void SiteGate::OnSlotGrant(uint32_t index, bool slot) {
  LocalSite* site = by_index_.at(index);
  CHECK(site->expecting);
  site->expecting = false;
  budget_.Answer(site);
  if (slot) {
    const bool wanted = !site->waiting.empty() && BlockedUntil(site) == 0 && !Held(site);
    const bool admitted = wanted && budget_.Admit(site);
    site->pumping = true;
    if (admitted) {
      budget_.Take(site);
      site->waiting.PopFront()->OnSlot();
    } else {
      PassOn(site);  // to the next shard, if one waits
      if (wanted) CloseAnyIdle();
    }
    site->pumping = false;
  }
  if (site->users == 0) {
    MaybeForget(site);
  } else {
    Pump(site);
  }
  Serve();  // what was reserved for it and is not needed
}

void SiteGate::OnSlotWanted(uint32_t index) {
  const auto it = by_index_.find(index);
  if (it != by_index_.end() && !it->second->idle.empty()) CloseOneIdle(it->second);
}

void SiteGate::CloseOneIdle(LocalSite* site) {
  IdleConnection* connection = site->idle.front();
  SetBusy(site, connection);
  connection->CloseIdle();
}

void SiteGate::CloseAnyIdle() {
  IdleConnection* connection = idle_.front();
  if (connection != nullptr) connection->CloseIdle();  // calls SetBusy
}

void SiteGate::SetIdle(LocalSite* site, IdleConnection* connection) {
  const bool first = site->idle.empty();
  site->idle.PushBack(connection);
  idle_.PushBack(connection);
  if (first) shared(site).slots.SetIdle(post_->self(), true);
  if (shared(site).slots.HasWaiters() || !site->waiting.empty()) {
    CloseOneIdle(site);
  } else if (budget_.SomebodyWaits()) {
    CloseAnyIdle();
  }
}

void SiteGate::SetBusy(LocalSite* site, IdleConnection* connection) {
  if (!connection->idle_link.linked()) return;
  connection->idle_link.Unlink();
  connection->any_link.Unlink();
  if (site->idle.empty()) shared(site).slots.SetIdle(post_->self(), false);
}

bool SiteGate::Fail(LocalSite* site, int64_t started_ns, int64_t retry_period_ns) {
  bool counted = false;
  if (site->index == SiteTable::kNoSite) return counted;  // has just changed; nothing to set back
  const uint64_t mask = shared(site).slots.Fail(started_ns, io_->now_ns(), [&](uint32_t failures) {
    counted = true;
    return BackoffDelay(failures, retry_period_ns, random_);
  });
  TellNews(site, mask);
  return counted;
}

void SiteGate::TellNews(const LocalSite* site, uint64_t mask) {
  for (uint8_t shard = 0; mask != 0; ++shard, mask >>= 1) {
    if ((mask & 1) != 0) post_->SlotGrant(shard, site->index, false);
  }
}

int64_t SiteGate::TakeRate(LocalSite* site) {
  if (site->index == SiteTable::kNoSite) return 0;
  Site& at = shared(site);
  const int64_t now_ns = io_->now_ns();
  if (const int64_t until_ns = at.slots.SuspendedUntil(now_ns); until_ns != 0) return until_ns;
  if (at.rate.slowed()) EndSlow(site);
  return at.rate.Take(now_ns);
}

int64_t SiteGate::LookRate(const LocalSite* site) const {
  if (site->index == SiteTable::kNoSite) return 0;
  const int64_t now_ns = io_->now_ns();
  const int64_t until_ns = shared(site).slots.SuspendedUntil(now_ns);
  return until_ns != 0 ? until_ns : shared(site).rate.Look(now_ns);
}

void SiteGate::Succeed(LocalSite* site) {
  if (site->index == SiteTable::kNoSite) return;
  auto& slots = shared(site).slots;
  if (!slots.Succeed(io_->now_ns())) return;
  for (;;) {
    const int shard = slots.GrantFree();
    if (shard < 0) break;
    Hand(site, shard);
  }
  // Those of ours who wait for the timer need not wait any longer.
  Pump(site);
}

void SiteGate::Lift(LocalSite* site) {
  if (site->index == SiteTable::kNoSite) return;  // its timer asks soon enough
  shared(site).slots.Lift();
  Pump(site);
}

int64_t SiteGate::BlockedUntil(const LocalSite* site) const {
  if (site->index == SiteTable::kNoSite) return io_->now_ns() + kRoomRetryNs;
  return shared(site).slots.BlockedUntil(io_->now_ns());
}

bool SiteGate::ShouldYield(LocalSite* site) const {
  if (budget_.SomebodyHungry()) return true;
  SiteUser* first = site->waiting.front();
  return (first != nullptr && !first->HasSlot()) ||
         shared(site).slots.SomebodyStarves(post_->self());
}

}  // namespace outbox::queue
