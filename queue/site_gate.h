// SiteGate: one shard's side of the site table.
//
// Destinations of this shard that want a connection slot wait here, by site, first come first
// served; the gate talks to the shared table (queue/site.h), to other shards' gates by mail, and
// has one timer per site for the end of its backoff, however many destinations and tickets wait
// behind it.
//
// A slot comes with one of the connections that the shard may have in all
// (queue/connection_budget.h): who finds none is in line for one first, by site, and asks for the
// slot when it has it. No slot is ever held in vain.
#ifndef OUTBOX_QUEUE_SITE_GATE_H_
#define OUTBOX_QUEUE_SITE_GATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "core/intrusive_list.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "queue/connection_budget.h"
#include "queue/reply_rules.h"
#include "queue/site.h"
#include "queue/site_policy.h"

namespace outbox::core {
class Random;
}

namespace outbox::queue {

class AttemptLog;
class PostOffice;

// Who wants slots: a destination. Waits for one at a time.
class SiteUser {
 public:
  virtual ~SiteUser() = default;
  // A slot is the user's now, to be given back with SiteGate::GiveBack. May come from within Ask.
  virtual void OnSlot() = 0;
  // It has at least one slot already: others go first when slots are handed round.
  virtual bool HasSlot() const = 0;

  core::ListLink site_link;  // the gate's
};

// An open connection with nothing to do.
class IdleConnection {
 public:
  virtual ~IdleConnection() = default;
  // Somebody waits for its slot: close it. Not idle any more when this is called.
  virtual void CloseIdle() = 0;

  core::ListLink idle_link;  // the gate's, by site
  core::ListLink any_link;   // of all sites
};

class SiteGate;

// A site as this shard sees it.
struct LocalSite : BudgetPlace {
  std::string name;  // for people
  uint64_t hash = 0;
  uint32_t index = SiteTable::kNoSite;  // in the table; kNoSite: no room there yet, tried again
  uint32_t limit = 0;       // the smallest that destinations of this shard have said
  uint32_t generation = 0;  // of the configuration, in which they did
  core::Rate rate;
  uint32_t users = 0;  // destinations that refer to it
  // Our waiter bit is set, or a grant or news is on its way (with `called`: news from ourselves).
  bool expecting = false;
  bool pumping = false;
  int64_t held_until_ns = 0;  // we have no port for it before
  core::Timer timer;          // the end of the backoff, or the next try for room in the table
  SiteGate* gate = nullptr;
  void OnTimer();
  core::IntrusiveList<SiteUser, &SiteUser::site_link> waiting;
  core::IntrusiveList<IdleConnection, &IdleConnection::idle_link> idle;
};

// What a site's host has said, and to what.
struct SiteReply {
  std::string_view mailhost;
  const smtp::Reply& reply;
  int64_t began_ns = 0;  // of what it answers, steady
};

class SiteGate {
 public:
  // `log` may be null.
  SiteGate(io::Io* io, core::TimerWheel* wheel, core::Random* random, PostOffice* post,
           SiteTable* table, AttemptLog* log, uint32_t max_connections);
  ~SiteGate();
  SiteGate(const SiteGate&) = delete;
  SiteGate& operator=(const SiteGate&) = delete;

  // A destination begins and ceases to refer to a site. Its limits are offered: of several numbers
  // of connections for one site the smallest counts, of several rates the last.
  LocalSite* Join(const SitePolicy& policy);
  // What a destination that refers to the site says of its limits now.
  void Offer(LocalSite* site, const SitePolicy& policy);
  // The configuration has changed: what was said before does not count as soon as somebody says
  // something else.
  void BeginGeneration() { ++generation_; }
  // REQUIRES: the user does not wait and has given its slots back.
  void Leave(LocalSite* site);

  // Waits for a slot; OnSlot comes, now or later. REQUIRES: the user is not waiting.
  void Ask(LocalSite* site, SiteUser* user);
  // Stops waiting, if it is. A slot that was on its way is passed on.
  void StopAsking(SiteUser* user);
  void GiveBack(LocalSite* site);

  // An attempt that began at started_ns found no host of the site that would talk.
  // Returns true when it counted (queue/site_slots.h).
  bool Fail(LocalSite* site, int64_t started_ns, int64_t retry_period_ns);
  // This machine, not the site, is to blame for a connection that was not made. For a second there
  // are no new ones: to this site when only a port was missing, else to any.
  void OnShortage(LocalSite* site, bool port_only);
  // A host of the site answered in a transaction.
  void Succeed(LocalSite* site);
  // An operator wants the site tried now. Those of this shard who wait for the end of its backoff
  // ask again.
  void Lift(LocalSite* site);
  // A reply was one that the rule is for: the site gets less, or nothing, for a time. Events and
  // notes are written when something has changed by it.
  void Obey(LocalSite* site, const ReplyRule& rule, const SiteReply& reply);
  // Nothing was sent to it for a while by an operator's wish: one message goes first.
  void StartSlowly(LocalSite* site);
  // It may be left alone no longer: those of this shard who wait ask again.
  void AskAgain(LocalSite* site) {
    if (!site->waiting.empty()) Pump(site);
  }
  // Times that a rule has lowered a limit, or suspended a site.
  uint64_t slowdowns() const { return slowdowns_; }
  uint64_t suspensions() const { return suspensions_; }
  // Until when the site is left alone, steady; 0: it is not.
  int64_t BlockedUntil(const LocalSite* site) const;
  // What the table says of the site; null: it has no room there yet.
  const Site* Look(const LocalSite* site) const {
    return site->index == SiteTable::kNoSite ? nullptr : &shared(site);
  }
  // Who wants a connection to it waits for one of the shard's; or for the machine to have one.
  bool InLine(const LocalSite* site) const { return site->line.linked() || site->called; }
  bool Short(const LocalSite* site) const {
    return (InLine(site) && budget_.resting()) || Held(site);
  }
  uint32_t max_connections() const { return budget_.max(); }
  // One message more within the site's rate: 0, or when it may be sent, steady; later than that if
  // the site is suspended by a reply. LookRate takes nothing.
  int64_t TakeRate(LocalSite* site);
  int64_t LookRate(const LocalSite* site) const;
  // A reply has left the site fewer connections than it has: a busy one should end.
  bool TooMany(const LocalSite* site) const {
    return site->index != SiteTable::kNoSite && shared(site).slots.TooMany(io_->now_ns());
  }
  // Somebody without any slot waits: a busy connection should end when it has had its share.
  bool ShouldYield(LocalSite* site) const;

  // While it is idle, the connection may be told to close.
  void SetIdle(LocalSite* site, IdleConnection* connection);
  void SetBusy(LocalSite* site, IdleConnection* connection);

  void OnSlotGrant(uint32_t index, bool slot);
  void OnSlotWanted(uint32_t index);

 private:
  friend struct LocalSite;
  Site& shared(const LocalSite* site) const { return (*table_)[site->index]; }
  // Gets slots for those who wait, until none is to be had.
  void Pump(LocalSite* site);
  bool PumpOne(LocalSite* site);
  void FindRoom(LocalSite* site);
  void GrantMore(LocalSite* site);
  void OnTimer(LocalSite* site);
  void Hand(const LocalSite* site, int shard);
  void CloseOneIdle(LocalSite* site);
  // Makes room for those in line.
  void CloseAnyIdle();
  bool Held(const LocalSite* site) const;
  // Connections that have become free go to those in line.
  void Serve();
  void OnRested();
  // A slot that is not to be used.
  void PassOn(LocalSite* site);
  void MaybeForget(LocalSite* site);
  void TellNews(const LocalSite* site, uint64_t mask);
  // What has become slower by a reply is over, and nobody has seen it yet.
  void EndSlow(LocalSite* site);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  core::Random* const random_;
  PostOffice* const post_;
  SiteTable* const table_;
  AttemptLog* const log_;
  uint64_t slowdowns_ = 0;
  uint64_t suspensions_ = 0;
  uint32_t generation_ = 0;  // counts the configurations, on every shard alike
  ConnectionBudget budget_;
  core::Timer rest_;  // while the budget rests or grows
  core::IntrusiveList<IdleConnection, &IdleConnection::any_link> idle_;  // the longest first
  absl::flat_hash_map<uint64_t, std::unique_ptr<LocalSite>> by_hash_;
  absl::flat_hash_map<uint32_t, LocalSite*> by_index_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_GATE_H_
