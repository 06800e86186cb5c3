// HomeTicket: a ticket together with what home alone keeps of it.
//
// The owner of a destination sees the Ticket; the rest is home's at all times, also while the
// ticket is out. Lives in home's slab from the commit (or recovery) of its message until its
// recipients are final.
#ifndef OUTBOX_QUEUE_HOME_TICKET_H_
#define OUTBOX_QUEUE_HOME_TICKET_H_

#include <bit>
#include <cstdint>

#include "core/intrusive_list.h"
#include "queue/period_table.h"
#include "queue/reply_table.h"
#include "queue/routing_table.h"
#include "queue/store.h"
#include "queue/ticket.h"

namespace outbox::queue {

// Where a ticket is, as home knows it.
enum class TicketPlace : uint8_t {
  kWaiting,  // at home, for its timer
  kOut,      // offered, not yet returned
  // At home, its recipients are in a Notice that is not committed yet, or on their way to another
  // envelope (queue/redirector.h).
  kNotice,
};

struct HomeTicket : Ticket {
  HomeTicket* sibling = nullptr;  // the message's next ticket; Message::home is the first
  const PeriodSet* periods = nullptr;
  // By an operator's command: counts instead of the message's group. Null: that one counts.
  const Routing* routing = nullptr;
  LastReply* reply = nullptr;  // of the last failed attempt; null: none
  int64_t since_ns = 0;        // steady time at which it began to be where it is
  core::ListLink notice_link;  // of what it is in with kNotice
  TicketPlace where = TicketPlace::kWaiting;
  bool notified = false;  // its sender has had the delay notice
  bool expired = false;   // in a Notice because retry-until passed
  bool ending = false;    // the snapshot being written leaves its recipients out: final
  bool rerouting = false;  // its route is gone: it gets another when it is at home
  bool released = false;   // an operator has released it: no route holds it again
  bool archive = false;   // a copy for an archive
  bool delivered = false;  // and its sender is yet to be told so (queue/home_delivered.cc)
  bool ordered = false;   // an operator wants some of its recipients gone (queue/home_purge.cc)
  bool diverted = false;  // or routed again (queue/home_redirect.cc), when it is at home

  // Of `mask`, delivered in an attempt that still goes on for others. Final, and on their way to
  // the disk; the mask itself is constant while the ticket is out.
  uint64_t settled = 0;

  // Of `mask`, to be held as soon as the ticket is at home; there, all of it or nothing.
  uint64_t hold = 0;
  int64_t released_ns = 0;  // steady time, with `released`

  // An operator has purged all of them, at purged_ns: they go nowhere, and are removed at final_ns
  // unless he takes that back. `hold` and next_attempt_ns are what they go on with then.
  bool purged = false;
  int64_t purged_ns = 0;  // steady times
  int64_t final_ns = 0;
  int64_t paused_ns = 0;  // they were purged for so long before

  bool held() const {
    return hold != 0 && hold == mask && where == TicketPlace::kWaiting && !purged;
  }
  // From when on its periods count: held mail has all of them before it, and the time for which
  // mail was purged does not count.
  int64_t periods_begin_ns() const { return (released ? released_ns : accepted_ns) + paused_ns; }
  // Somebody hears what becomes of it: neither the null reverse-path, nor of an archive's copy.
  bool tells_sender() const { return (message->flags & kFlagNullSender) == 0 && !archive; }
  uint64_t pending_mask() const { return mask & ~settled; }
  int recipients() const { return std::popcount(mask); }
};

// Null: it has none; those on a shelf have none either.
inline HomeTicket* FirstTicket(const Message* message) {
  return message->shelved() ? nullptr : static_cast<HomeTicket*>(message->home);
}

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HOME_TICKET_H_
