// Destination: where mail goes, as one shard sees it: who waits for it, who is on the way.
//
// Keys describe themselves. "via:10.1.2.3:2525,[::1]:25" is a static route's host list in its
// order; "mx:example.com" is a domain whose hosts the DNS must name, which is not done yet: its
// tickets return at once, deferred, with a sentence that says so.
//
// Lifecycle: made by DestinationTable for the first ticket; freed by it some time after the last
// ticket and connection have gone. Lives on one shard.
//
// Connections. Few and busy ones are fastest, so another one is opened only when the ready tickets
// are more than the open ones will soon take (at their present pace), or when they take nothing at
// all, and no more are being opened at once than are open already. The site's limit is the bound.
//
// A ticket that has just come is *fresh*: it keeps its lease, since it will most likely be gone in
// a millisecond. One that turns out to wait is *parked*: its lease goes back, its deadline gets a
// timer.
#ifndef OUTBOX_QUEUE_DESTINATION_H_
#define OUTBOX_QUEUE_DESTINATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/intrusive_list.h"
#include "core/ip_address.h"
#include "core/timer.h"
#include "queue/attempt.h"
#include "queue/delivery.h"
#include "queue/destination_table.h"
#include "queue/ready_list.h"
#include "queue/site_gate.h"
#include "queue/ticket.h"

namespace outbox::queue {

// What all destinations of a shard work with: the table's inside.
struct OwnerShard {
  OwnerContext context;
  SiteGate* gate = nullptr;
  SenderQueuePool pool;
  OwnerCounters counters;
  bool closing = false;
  DestinationTable* table = nullptr;
};

// The hosts of a "via:" key, in order. What is no IP address (the DNS would be needed) is left out.
std::vector<core::SocketAddress> HostsOfKey(std::string_view key);

// The hash of the site that hosts belong to: the same set is the same site, whatever its order.
uint64_t SiteHash(const std::vector<core::SocketAddress>& hosts);

struct DestinationView;  // queue/destination_view.h

class Destination : public SiteUser {
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
  void Lift();
  // What an operator sees of it (destination_view.cc).
  void Describe(DestinationView* view) const;
  // All waiting tickets return with kShutdown; idle connections close.
  void Close();
  // Ends what is being sent, too.
  void Abort();

  // --- SiteUser ---
  void OnSlot() override;
  bool HasSlot() const override { return !deliveries_.empty(); }

  // --- For its deliveries ---
  // What `delivery` sends next: an attempt that looks for a host, else the next ready ticket. Null:
  // nothing.
  Attempt* TakeWork(Delivery* delivery);
  bool HasHomeless() const { return !homeless_.empty(); }
  // The host that a new ticket goes to first.
  uint8_t PreferredHost() const { return NextHost(0); }
  // Another transaction with the same host, over whichever connection is free first.
  void Requeue(Attempt* attempt);
  // The attempt is done with the host that it is at: on to the next one, or home.
  void MoveOn(Attempt* attempt);
  // The attempt has its result.
  void Finish(Attempt* attempt, ReturnReason reason, Verdict verdict);
  // Something that kept a finished attempt from going home may be over.
  void MaybeReturn(Attempt* attempt);
  void OnHostDown(uint8_t host);
  void OnHostUp(uint8_t host) { host_down_until_ns_[host] = 0; }
  void OnOpened(Delivery* delivery);
  void OnIdle(Delivery* delivery);
  void OnBusy(Delivery* delivery);
  void OnTransaction(int64_t took_ns);
  // The delivery is over: gives its slot back and deletes it.
  void OnOver(Delivery* delivery);
  // `opened`: it was counted by OnOpened.
  void OnLinkClosed(bool opened);
  // A connection begun at started_ns, without an attempt that could say so, found its host not
  // there.
  void OnUnreachable(int64_t started_ns);

  const core::SocketAddress& host(uint8_t index) const { return hosts_[index]; }
  const std::string& host_name(uint8_t index) const { return host_names_[index]; }
  size_t host_count() const { return hosts_.size(); }
  OwnerShard* shard() const { return shard_; }
  LocalSite* site() const { return site_; }
  const std::string& key() const { return key_; }
  // Nothing is left of it but what it remembers.
  bool forgettable() const;

  core::ListLink table_link;  // the table's
  size_t ready() const { return ready_.size(); }
  size_t connections() const { return connection_count_; }

 private:
  // The first host not in `tried` that is not known to be down, else the first one not in `tried`.
  // REQUIRES: there is one.
  uint8_t NextHost(uint64_t tried) const;
  void ReturnUnroutable(Ticket* ticket);
  void ReturnWaiting(Ticket* ticket, ReturnReason reason);
  void Unfresh(Ticket* ticket);
  void Park(Ticket* ticket);
  void ParkAll();
  Attempt* Start(Ticket* ticket);
  bool WantsMore() const;
  void MaybeGrow();
  void MaybeOpenLane();
  void MaybeCloseLane();
  void ArmTimer();
  void OnTimer();
  int64_t now_ns() const;

  OwnerShard* const shard_;
  const std::string key_;
  const uint64_t hash_;
  const std::vector<core::SocketAddress> hosts_;
  std::vector<std::string> host_names_;
  std::vector<int64_t> host_down_until_ns_;
  LocalSite* site_ = nullptr;  // null: no hosts

  ReadyList ready_;
  core::IntrusiveList<Ticket, &Ticket::fresh_link> fresh_;  // the oldest first
  uint32_t fresh_count_ = 0;
  core::IntrusiveList<Attempt, &Attempt::link> homeless_;  // attempts between two hosts
  core::IntrusiveList<Delivery, &Delivery::link> deliveries_;
  core::IntrusiveList<Delivery, &Delivery::idle_place> idle_;  // the last used first
  uint32_t attempts_ = 0;                                      // not returned yet
  uint32_t connection_count_ = 0;                              // deliveries
  uint32_t open_count_ = 0;                                    // of them, with a session
  bool asking_ = false;                                        // waiting for a slot
  bool lane_open_ = false;
  int64_t retry_period_ns_ = core::kNsPerMinute;  // of the ticket that came last
  uint64_t taken_ = 0;                            // tickets taken out of the ready list, ever
  uint64_t taken_at_timer_ = 0;                   // the same when the timer fired last
  int64_t pace_ns_ = 0;     // of one transaction on one connection, smoothed; 0: not known
  int64_t crowded_ns_ = 0;  // when the ready list was last long enough for lanes
  int64_t empty_since_ns_ = 0;
  core::Timer timer_;
  int64_t timer_at_ns_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_H_
