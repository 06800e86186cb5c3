// Ticket: one message for one destination, with up to 64 of its recipients inside.
//
// A ticket is one object. Home (the shard that accepted the message) allocates it, and whoever
// *holds* it owns every field: home while it is at home, the shard that owns the destination while
// it is out. Handing over is a mailbox message (queue/shard_mail.h), whose release and acquire
// order the fields. Home never touches a ticket that is out; a command that changes a recipient's
// fate recalls it first. So a recipient has at most one live ticket by construction.
//
// Lifecycle: made by home when a message is committed or recovered -> offered -> waiting, sending
// at the destination's owner -> returned with a TicketResult -> offered again, or freed when its
// recipients are final.
#ifndef OUTBOX_QUEUE_TICKET_H_
#define OUTBOX_QUEUE_TICKET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/intrusive_list.h"
#include "queue/live_hosts.h"
#include "queue/recipient_state.h"
#include "queue/window.h"

namespace outbox::queue {

struct Message;         // queue/store.h; home's
struct DirectoryEntry;  // queue/directory.h; home's
class Store;            // queue/store.h; the log that the message is in

// Why a ticket came home.
enum class ReturnReason : uint8_t {
  kAttempted,  // an attempt was made: see results
  kDeadline,   // its notification or expiry deadline passed while it waited
  kRecalled,
  kShutdown,
};

// What became of one recipient in an attempt (queue/outcome.h judges).
enum class Verdict : uint8_t {
  kDelivered,
  kDeferred,  // try again after the retry period
  kBounced,   // permanent
};

struct RecipientResult {
  uint16_t recipient = 0;  // index in the message
  Verdict verdict = Verdict::kDeferred;
  uint16_t code = 0;     // the reply's three digits; 0: no reply (connection trouble)
  std::string enhanced;  // RFC 3463, "5.1.1"; empty: none was given
  std::string text;      // the reply as the peer gave it, or our sentence about the trouble
  std::string address{};  // the recipient's, if the attempt has come so far that it is known
};

// A host has taken a recipient's mail, and its sender is to hear so from us (RFC 3461 5.2.2).
struct Confirmation {
  RecipientResult words;
  std::string mailhost;
};

// The result of one attempt. On the common path, all recipients delivered, `failed` is empty:
// nothing is allocated but the result itself is reused by the ticket.
struct TicketResult {
  ReturnReason reason = ReturnReason::kAttempted;
  bool unreachable = false;             // no host of the destination would talk
  uint64_t delivered = 0;               // mask of the ticket's recipients, as Ticket::mask
  std::vector<RecipientResult> failed;  // deferred and bounced ones
  std::string mailhost;                 // the host that said so, "10.1.2.3:25"; set with `failed`
  std::vector<Confirmation> confirm;    // of `delivered`; home was not told of these before
};

struct Ticket {
  // --- Set by home before the ticket leaves, constant while it is out ---
  Message* message = nullptr;
  Store* store = nullptr;
  DirectoryEntry* destination = nullptr;
  uint64_t mask = 0;  // bit i: recipient first + i is in it
  uint64_t message_id = 0;
  uint64_t sender_hash = 0;  // fairness: senders take turns
  uint32_t size_bytes = 0;   // RFC 1870 size of what is sent, prefix included
  uint16_t first = 0;        // index of its first recipient in the message
  uint16_t group = 0;        // the message's destination group that it belongs to
  uint16_t attempts = 0;
  uint8_t home = 0;        // shard
  uint8_t priority = 0;    // class, 0 is first
  bool eight_bit = false;  // body has octets above 127
  bool may_repeat = false;  // it may have been delivered before, without our knowing
  bool tell_start = false;  // home wants to hear when a transaction begins
  uint32_t retry_s = 0;    // its retry period, seconds: bounds the backoff of its destination
  int64_t accepted_ns = 0;  // steady time of acceptance, derived once
  // Steady time of the earlier of notification and expiry; kNever if neither.
  int64_t deadline_ns = 0;

  // --- The holder's ---
  bool recalled = false;  // the owner has had the recall
  bool held = false;      // by the owner; the owner alone reads and writes it
  bool fetching = false;  // a Fetch of it is not answered yet
  void* place = nullptr;  // what the owner keeps it in: a sender's queue or a delivery
  Window window;          // the lease that travels with it, if any; part 0 of the message
  core::ListLink link;    // the holder's list: a sender's queue, home's waiting list
  core::ListLink
      fresh_link;  // the owner's: tickets that have just come and keep their lease a while
  uint32_t timer = UINT32_MAX;           // the holder's wheel node
  int64_t next_attempt_ns = 0;           // steady; home's, while deferred
  std::unique_ptr<TicketResult> result;  // set by the owner when it returns the ticket

  // --- Written by the holder, read by home at any time: the overlay of a listing. Relaxed ---
  std::atomic<RecipientState> state{RecipientState::kReady};

  // --- Home's, also while the ticket is out ---
  uint8_t holder = 0;           // the shard that it was offered to
  bool recall_pending = false;  // PostOffice's: a recall is on its way
  bool return_waits =
      false;  // PostOffice's: returned, but a recall that crosses is not answered yet

  // --- The overlay, too ---
  std::atomic<uint32_t> host{LiveHosts::kNone};  // that it is being sent to
};

// The one way from state to state, for whoever holds the ticket.
inline void EnterState(Ticket* ticket, RecipientState to) {
  CHECK(MayFollow(ticket->state.load(std::memory_order_relaxed), to));
  ticket->state.store(to, std::memory_order_relaxed);
}

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_TICKET_H_
