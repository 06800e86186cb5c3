// ShardMail: what shards say to each other, and how it gets there.
//
// Shards share no data but the site table; everything else is a Mail in a bounded single-producer,
// single-consumer ring, one ring for every ordered pair of shards (Exchange). A shard posts and
// drains through its PostOffice. When a ring is full the mail waits in its sender's PostOffice, in
// order, and follows at the end of a later turn: a full ring stops nobody. What can wait there is
// bounded by the tickets that exist: at most an offer or a return, a recall, a fetch and its
// windows for each.
//
// The conversation about a ticket, home on the left:
//
//     Offer    ->              the owner holds the ticket from here on
//              <-  Fetch       "lend me part n of the message"; one at a time for a ticket
//     Fetched  ->              the window, or a null one if the part cannot be read
//              <-  Release     a window goes back (given up, or used)
//              <-  Started     a host talks to us about it (only if home wants to know)
//              <-  Progress    some recipients are delivered, the attempt goes on for others
//     Recall   ->              "give it back": the ticket returns, after its attempt if one is
//     going on
//              <-  Return      home holds the ticket from here on; all windows were released before
//
// A Recall may cross the Return that makes it needless. PostOffice keeps that from home: a Return
// is held back until the owner has answered the crossing Recall, so that no mail that names a
// ticket is on its way while home may free it.
//
// Mail to oneself takes the same way through a queue, so that order and re-entrance are the same
// with one shard and with many: nothing is ever handled inside the call that posts it.
#ifndef OUTBOX_QUEUE_SHARD_MAIL_H_
#define OUTBOX_QUEUE_SHARD_MAIL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "queue/message_meta.h"
#include "queue/ticket.h"
#include "queue/window.h"

namespace outbox::io {
class Io;
}

namespace outbox::queue {

enum class MailKind : uint8_t {
  kOffer,
  kReturn,
  kRecall,
  kRecallMissed,  // the owner's answer to a recall of a ticket that it has returned already
  kFetch,
  kFetched,
  kRelease,
  kStarted,
  kProgress,
  kLane,
  kLift,
  kSlotGrant,
  kSiteNews,  // a grant without a slot
  kSlotWanted,
  kCommand,
  kReply,
};

// One mail, as it lies in a ring.
struct Mail {
  void* object = nullptr;  // Ticket, LaneNotice, LiftNotice, or a command
  Window window;           // kFetched, kRelease; kFetch: data is the Extent; kProgress: a mask
  uint32_t number = 0;     // part of a message, or site
  MailKind kind = MailKind::kOffer;
  uint8_t from = 0;
};

// "From now on keep tickets of this destination for yourself" (open), or "offer them to its owner".
struct LaneNotice {
  std::string key;
  uint64_t hash = 0;
  bool open = false;
};

// "Look again at this destination, whatever its site has done to us": an operator wants it.
struct LiftNotice {
  std::string key;
  uint64_t hash = 0;
  bool ask_again = false;  // the DNS, however good its last answer is
};

// What home hears (queue/home.h).
class HomeMail {
 public:
  virtual ~HomeMail() = default;
  // The ticket is home's again. ticket->result says why.
  virtual void OnReturn(Ticket* ticket) = 0;
  // Answer with PostOffice::Fetched, now or later, exactly once. Part 0 is meta, prefix and inline
  // body; 1..n are the extents; `extent` says where, from the meta that the owner holds (null for
  // part 0; in place until the answer). The ticket stays the owner's: home reads only its constant
  // fields.
  virtual void OnFetch(Ticket* ticket, uint32_t part, const Extent* extent) = 0;
  virtual void OnRelease(Ticket* ticket, const Window& window) = 0;
  // The recipients in `delivered` (as Ticket::mask) have been delivered, while the attempt goes on
  // for others. What comes with the return counts them again. To be ignored by who can wait for
  // that.
  virtual void OnProgress(Ticket*, uint64_t /*delivered*/) {}
  // A transaction for the ticket, which has `tell_start`, has begun.
  virtual void OnStarted(Ticket*) {}
  virtual void OnLane(const LaneNotice& notice) = 0;
};

// What the owner of destinations hears (queue/destination_table.h).
class OwnerMail {
 public:
  virtual ~OwnerMail() = default;
  virtual void OnOffer(Ticket* ticket) = 0;
  // Only for a ticket that this shard holds.
  virtual void OnRecall(Ticket* ticket) = 0;
  virtual void OnFetched(Ticket* ticket, uint32_t part, const Window& window) = 0;
  virtual void OnLift(const LiftNotice& notice) = 0;
  // With a slot: it is ours to use or to pass on. Without: the site has changed, look again.
  virtual void OnSlotGrant(uint32_t site, bool slot) = 0;
  // Somebody waits for a slot of the site: close idle connections to it.
  virtual void OnSlotWanted(uint32_t site) = 0;
};

// What the control plane hears (queue/shard.h). The object is its own affair.
class ControlMail {
 public:
  virtual ~ControlMail() = default;
  virtual void OnCommand(uint8_t from, void* command) = 0;
  virtual void OnReply(uint8_t from, void* reply) = 0;
};

// The rings between `shards` shards. Made before the shards, gone after them; shared by all.
class Exchange {
 public:
  // `tiny`: rings of two mails instead of limits.h: kMailboxCapacity, for tests of what happens
  // when they are full.
  explicit Exchange(uint32_t shards, bool tiny = false);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  uint32_t shards() const { return shards_; }
  LiveHosts* live_hosts() { return &live_hosts_; }

 private:
  friend class PostOffice;
  struct Ring;
  Ring* ring(uint32_t from, uint32_t to) const { return rings_[from * shards_ + to].get(); }

  const uint32_t shards_;
  std::vector<std::unique_ptr<Ring>> rings_;
  LiveHosts live_hosts_;
};

// One shard's end of all its rings. Lives on that shard.
class PostOffice {
 public:
  struct Counters {
    uint64_t posted = 0;  // to other shards
    uint64_t drained = 0;
    uint64_t full = 0;   // posts that met a full ring and had to wait
    uint64_t wakes = 0;  // Io::Wake calls, one a batch
  };

  PostOffice(Exchange* exchange, uint8_t self);
  // Deletes the notices that were not delivered; everything else belongs to others.
  ~PostOffice();
  PostOffice(const PostOffice&) = delete;
  PostOffice& operator=(const PostOffice&) = delete;

  // Both before the first post. `ios` has every shard's Io by shard; empty: nobody is woken (tests
  // that turn their shards by hand).
  void SetHandlers(HomeMail* home, OwnerMail* owner, ControlMail* control);
  void SetIos(std::vector<io::Io*> ios);

  // Home's.
  void Offer(uint8_t to, Ticket* ticket);
  // The ticket comes back by OnReturn, whatever crosses it. REQUIRES: it is out, no recall of it is
  // pending. Home reads ticket->holder, which it set before the offer.
  void Recall(Ticket* ticket);
  void Fetched(Ticket* ticket, uint32_t part, const Window& window);
  // To every shard, behind the offers that were posted before.
  void Lift(const std::string& key, uint64_t hash, bool ask_again);
  // The owner's.
  // REQUIRES: no fetch outstanding, no window lent.
  void Return(Ticket* ticket);
  // REQUIRES: no fetch outstanding.
  // part >= 1: `extent` stays in place until the answer. Part 0: null.
  void Fetch(Ticket* ticket, uint32_t part, const Extent* extent);
  void Release(Ticket* ticket, const Window& window);
  void Started(Ticket* ticket);
  void Progress(Ticket* ticket, uint64_t delivered);
  // To every shard, ourselves included.
  void Lane(const std::string& key, uint64_t hash, bool open);
  void SlotGrant(uint8_t to, uint32_t site, bool slot);
  void SlotWanted(uint8_t to, uint32_t site);
  // The control plane's.
  void Command(uint8_t to, void* command);
  void Reply(uint8_t to, void* reply);

  // Results of tickets, for reuse: an owner takes one, the ticket carries it home, home gives it
  // back to its own office.
  std::unique_ptr<TicketResult> TakeResult();
  void GiveResult(std::unique_ptr<TicketResult> result);

  // Handles all mail that is there: each ring up to its capacity, our own queue a few rounds.
  // Returns the number of mails. Once a turn, behind the completions.
  size_t Drain();
  // Moves what waited into the rings, wakes the shards that we wrote to. At the end of each turn.
  void Flush();
  // Something can be drained now: the loop must not sleep. Looks at all rings.
  bool HasMail() const;
  // Mails waiting for room in a ring: > 0 means turn again soon (a millisecond), nobody wakes us
  // for it.
  size_t waiting() const { return waiting_; }
  // Fetches that we, as the owner, have asked for and have no answer to.
  uint32_t fetches() const { return fetches_; }

  uint8_t self() const { return self_; }
  LiveHosts* live_hosts() const { return exchange_->live_hosts(); }
  uint32_t shards() const { return exchange_->shards(); }
  const Counters& counters() const { return counters_; }

 private:
  void Post(uint8_t to, MailKind kind, void* object, uint32_t number = 0,
            const Window& window = {});
  void Handle(const Mail& mail);
  void HandleReturn(Ticket* ticket);
  void Deliver(Ticket* ticket);
  void HandleRecall(const Mail& mail);
  void HandleRecallMissed(Ticket* ticket);

  Exchange* const exchange_;
  const uint8_t self_;
  HomeMail* home_ = nullptr;
  OwnerMail* owner_ = nullptr;
  ControlMail* control_ = nullptr;
  std::vector<io::Io*> ios_;
  std::vector<Mail> local_;     // to ourselves
  std::vector<Mail> draining_;  // the same, while it is handled
  std::vector<std::deque<Mail>> overflow_;  // by target
  std::vector<std::unique_ptr<TicketResult>> results_;  // empty ones
  size_t waiting_ = 0;
  uint32_t fetches_ = 0;
  uint64_t written_ = 0;  // mask of the targets written to since the last wake
  Counters counters_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_MAIL_H_
