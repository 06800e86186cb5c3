// Destination: where mail goes, as one shard sees it: who waits for it, who is on the way.
//
// Keys describe themselves (queue/destination_key.h). Where the hosts come from, and what happens
// when the DNS has none, is queue/destination_hosts.h; mail that comes before they are known waits
// as `resolving`, in order, without being looked at again and again.
//
// Lifecycle: made by DestinationTable for the first ticket; freed by it some time after the last
// ticket and connection have gone. Lives on one shard.
//
// Connections. Few and busy ones are fastest: while as many fetches are outstanding as home has
// buffers, those who have only mail that must be fetched stand in line (queue/cold_line.h) instead
// of opening connections that would wait for them. And another one is opened only when the ready
// tickets are more than the open ones will soon take (at their present pace), or when they take
// nothing at all, and no more are being opened at once than are open already. The site's limit is
// the bound,
// and its rate: when that says "not yet", connections idle and a timer goes on.
//
// A ticket that has just come is *fresh*: it keeps its lease, since it will most likely be gone in
// a millisecond. One that turns out to wait is *parked*: its lease goes back, its deadline gets a
// timer.
//
// destination.cc has the tickets that wait, destination_send.cc those that are sent,
// destination_pauses.cc why they wait though they could be.
#ifndef OUTBOX_QUEUE_DESTINATION_H_
#define OUTBOX_QUEUE_DESTINATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/intrusive_list.h"
#include "core/limits.h"
#include "core/slab.h"
#include "core/timer.h"
#include "queue/attempt.h"
#include "queue/cold_line.h"
#include "queue/delivery.h"
#include "queue/destination_hosts.h"
#include "queue/destination_table.h"
#include "queue/ready_list.h"
#include "queue/site_gate.h"
#include "queue/suspension_list.h"
#include "queue/ticket.h"
#include "queue/wait_reason.h"

namespace outbox::queue {

// What all destinations of a shard work with: the table's inside.
struct OwnerShard {
  OwnerContext context;
  SiteGate* gate = nullptr;
  SenderQueuePool pool;
  core::Slab<Attempt> attempts{core::kMaxTicketsPerShard};
  OwnerCounters counters;
  bool closing = false;
  int64_t forgot_ns = 0;  // when a command made the finder forget last
  uint64_t policies = 0;  // counts the changes of context.policy_for's answers
  std::shared_ptr<const SuspensionList> suspensions = std::make_shared<SuspensionList>();
  uint64_t suspensions_number = 1;  // counts these
  DestinationTable* table = nullptr;
  std::unique_ptr<ColdLine> cold;
};

struct DestinationView;  // queue/destination_view.h

class Destination : public SiteUser, public ColdMail {
 public:
  Destination(OwnerShard* shard, std::string_view key, uint64_t hash);
  // REQUIRES: forgettable().
  ~Destination() override;

  // --- Tickets; they are the destination's until they return home ---
  void Add(Ticket* ticket);
  void Recall(Ticket* ticket);
  // The ticket's deadline has passed while it waited.
  void OnDeadline(Ticket* ticket);
  // An operator wants it tried now, whatever its hosts have done to us.
  void Lift(bool ask_again);
  // The configuration may have changed: its site and the limits of that are looked up anew.
  void Reconsider();
  // What an operator has suspended may have changed, or may have been lifted.
  void OnSuspensions();
  // What an operator sees of it (destination_view.cc).
  void Describe(DestinationView* view) const;
  // All waiting tickets return with kShutdown; idle connections close.
  void Close();
  // Ends what is being sent, too.
  void Abort();

  // --- SiteUser ---
  void OnSlot() override;
  bool HasSlot() const override { return !deliveries_.empty(); }

  // --- ColdMail ---
  void OnTurn() override;

  // --- For its hosts ---
  // The DNS has answered: what waited for that moves.
  void OnAnswer();
  // There is a new plan; `old` is not it any more. What is under way with hosts that are still
  // there goes on, the rest ends.
  void OnPlan(HostPlan* old);

  // What its source is has changed: no more transactions over the connections from before.
  void OnSource();
  void DescribeSource(DestinationView* view) const;
  // This limit, of one whose hosts are not known; or kSource, if that is why.
  void SetLimit(WaitReason limit, DestinationView* view) const;

  // --- For its deliveries ---
  HostPlan* plan() const { return hosts_.plan(); }
  const DestinationKey& host_key() const { return hosts_.key(); }
  void UsePlan(HostPlan* plan) { hosts_.Use(plan); }
  void ReleasePlan(HostPlan* plan) { hosts_.Release(plan); }
  // What `delivery` sends next: an attempt that looks for a host, else the next ready ticket. Null:
  // nothing, or not yet.
  Attempt* TakeWork(Delivery* delivery);
  bool HasHomeless() const { return !homeless_.empty(); }
  // Another transaction with the same host, over whichever connection is free first.
  void Requeue(Attempt* attempt);
  // Nothing was sent for it, and its connection is no more: another one.
  void Rehome(Attempt* attempt);
  // The attempt goes on with the present plan. False: it has been at all of its hosts, and is over.
  bool Rehost(Attempt* attempt);
  // The host was not asked, for want of something of our own: its ticket waits again, and this
  // attempt has never been; unless others have been asked, then it is over.
  void PutBack(Attempt* attempt);
  // The address that a host of this address is to be reached from is not there
  // (destination_source.cc).
  void OnSourceLost(HostPlan* at, const core::IpAddress& host);
  // The attempt is done with the host that it is at: on to the next one, or home.
  void MoveOn(Attempt* attempt);
  // The attempt has its result.
  void Finish(Attempt* attempt, ReturnReason reason, Verdict verdict);
  // Something that kept a finished attempt from going home may be over.
  void MaybeReturn(Attempt* attempt);
  // Of its connection_count: one does not belong to the present plan any more, or does again.
  void OnDismissed(bool opened);
  void OnReadmitted(bool opened);
  void OnOpened();
  void OnIdle(Delivery* delivery);
  void OnBusy(Delivery* delivery);
  void OnTransaction(int64_t took_ns);
  // Transactions take long: nothing is worth to be done ahead of need.
  bool slow() const { return pace_ns_ >= kSlowNs; }
  // A connection has been at its present transaction for so long.
  void OnStillBusy(int64_t for_ns);
  // A host has answered in a transaction.
  void OnAlive(HostPlan* plan, uint8_t host);
  // The delivery is over: gives its slot back and deletes it.
  void OnOver(Delivery* delivery);
  // The session of one that OnOpened has counted is over.
  void OnLinkClosed();
  // A connection begun at started_ns, without an attempt that could say so, found its host not
  // there.
  void OnUnreachable(HostPlan* plan, int64_t started_ns);

  OwnerShard* shard() const { return shard_; }
  const DestinationHosts& hosts() const { return hosts_; }
  bool suspended() const { return suspended_; }
  const std::string& key() const { return key_; }
  // Nothing is left of it but what it remembers.
  bool forgettable() const;

  core::ListLink table_link;  // the table's
  size_t ready() const { return ready_.size(); }
  size_t waiting() const { return waiting_; }  // for the DNS
  size_t connections() const { return connection_count_; }
  size_t sending() const { return attempts_; }

 private:
  // Whatever its hosts and its site have done to us is forgotten.
  void LiftHosts();
  // The pace of a slow host.
  static constexpr int64_t kSlowNs = core::kNsPerSecond;
  // A rate that says "not yet" for longer is a pause.
  static constexpr int64_t kPauseNs = core::kNsPerSecond;
  using Tickets = core::IntrusiveList<Ticket, &Ticket::link>;

  // --- Tickets that wait (destination.cc) ---
  void Wait(Ticket* ticket);
  // Out of the list that it waits in.
  void TakeOut(Ticket* ticket);
  // Moves what waits for the DNS as far as its answer allows, a bounded number of tickets.
  void Settle();
  void PutOff(Ticket* ticket);
  // Its recipients get the words of the hosts' standing.
  void ReturnWithWords(Ticket* ticket);
  void ReturnWaiting(Ticket* ticket, ReturnReason reason);
  const RecipientResult* Trouble() const;
  void Unfresh(Ticket* ticket);
  void Park(Ticket* ticket);
  void ParkAll();
  void MaybeOpenLane();
  void MaybeCloseLane();
  // When nothing is left of it but what it remembers, and that is worth nothing any more.
  int64_t ForgetAtNs() const;
  void ArmTimer();
  void OnTimer();
  void LookAfterReady();
  int64_t now_ns() const;

  // --- Pauses: by an operator, by a reply (destination_pauses.cc) ---
  // Nothing goes for now, and no timer of its own tells when it does.
  bool Paused(int64_t now) const { return suspended_ || rate_until_ns_ > now + kPauseNs; }
  const Suspension* FindSuspension() const;
  // Becomes suspended if it is among what is. It is not asked here whether it still is.
  void MaybeSuspend() {
    if (suspensions_seen_ != shard_->suspensions_number) LookForSuspension();
  }
  void LookForSuspension();
  void Suspend();
  void Resume();
  const RecipientResult* PauseWords() const;

  // --- Tickets that are sent (destination_send.cc) ---
  Attempt* Start(Ticket* ticket, Delivery* delivery);
  void Replan(Attempt* attempt);
  // It is finished, or undone.
  void Conclude(Attempt* attempt);
  bool Untried(const Attempt& attempt) const;
  void LookAfterHomeless();
  void EndHomeless();
  void EndAttempts();
  void OnUnfit();
  // Nothing that is ready is sent now, whatever the connections.
  bool Held() const { return rate_until_ns_ > now_ns() || unfit_until_ns_ > now_ns(); }
  bool WantsMore() const;
  void MaybeGrow();
  // Another connection, whatever the pace of the open ones, if none is being opened.
  void AskForOneMore();
  // There is only mail that must be fetched, and too much of that is under way: in line.
  bool StandsInLine();
  void StopAsking();
  // Connections with nothing to do take what there is.
  void PokeIdle();

  OwnerShard* const shard_;
  const std::string key_;
  const uint64_t hash_;
  uint64_t policies_seen_;  // OwnerShard::policies when it looked last
  DestinationHosts hosts_;

  ReadyList ready_;
  Tickets asked_;       // they came while the DNS is asked
  Tickets put_off_;     // the DNS has answered that it does not know for now
  size_t waiting_ = 0;  // in these two
  core::IntrusiveList<Ticket, &Ticket::fresh_link> fresh_;  // the oldest first
  uint32_t fresh_count_ = 0;
  core::IntrusiveList<Attempt, &Attempt::link> homeless_;  // attempts between two hosts
  core::IntrusiveList<Delivery, &Delivery::link> deliveries_;
  core::IntrusiveList<Delivery, &Delivery::idle_place> idle_;  // the last used first
  uint32_t attempts_ = 0;                                      // not returned yet
  uint32_t connection_count_ = 0;  // deliveries that belong to the present plan
  uint32_t open_count_ = 0;        // of them, with a session
  bool asking_ = false;            // waiting for a slot
  bool admitted_ = false;          // it has been in the cold line, and need not again
  bool lane_open_ = false;
  bool suspended_ = false;         // by an operator
  uint64_t suspensions_seen_ = 0;  // OwnerShard::suspensions_number when it looked last
  int64_t retry_period_ns_ = core::kNsPerMinute;  // of the ticket that came last
  uint64_t taken_ = 0;                            // tickets taken out of the ready list, ever
  uint64_t taken_at_timer_ = 0;                   // the same when the timer fired last
  uint64_t placed_ = 0;                           // attempts taken out of homeless_, ever
  uint64_t placed_at_timer_ = 0;
  uint32_t homeless_looks_ = 0;  // times that the timer has found the same ones there
  int64_t pace_ns_ = 0;          // of one transaction on one connection, smoothed; 0: not known
  int64_t crowded_ns_ = 0;       // when the ready list was last long enough for lanes
  int64_t empty_since_ns_ = 0;
  int64_t rate_until_ns_ = 0;  // nothing is sent before, by the site's rate; 0: now
  // Likewise, since no host does what the route asks for: TLS, taking its user, or (source_lost_)
  // being reached from a source that is there; and how often in a row that has been so.
  int64_t unfit_until_ns_ = 0;
  uint32_t unfit_times_ = 0;
  int64_t secret_since_ns_ = 0;  // what was said before is no word about today's secret
  int64_t unfit_known_ns_ = 0;   // until then that is remembered, without mail as well
  bool unknown_ = false;         // it is our user that they would not have
  bool source_lost_ = false;
  RecipientResult trouble_;  // why the site was left alone last
  core::Timer timer_;
  int64_t timer_at_ns_ = 0;
  bool lift_at_answer_ = false;  // an operator waits for the DNS
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_H_
