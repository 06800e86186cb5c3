// QueueFilter: which queued recipients an operator means.
//
// The shard that has the mail looks through it, so that nobody else has to: a listing, a retry and
// a removal take the same filter. What can be told without the message's strings is looked at
// first; only what is left is read.
//
// Patterns are those of queue/address_match.h; an empty one is anything.
#ifndef OUTBOX_QUEUE_QUEUE_FILTER_H_
#define OUTBOX_QUEUE_QUEUE_FILTER_H_

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"
#include "queue/address_match.h"
#include "queue/home_ticket.h"
#include "queue/queue_column.h"
#include "queue/queue_line.h"
#include "queue/queue_walk.h"
#include "queue/recipient_state.h"

namespace outbox::queue {

class LiveHosts;

struct QueueFilter {
  uint64_t id = 0;  // of one message; 0: any
  StateBits states = kUsualStates;
  int64_t age_min_ns = 0;
  int64_t age_max_ns = core::kNever;
  std::string domain;     // of the recipient; a DomainPattern
  std::string sender;     // an AddressPattern; the null return path is "<>"
  std::string recipient;  // an AddressPattern
  std::string mailhost;
  std::string source;     // that it is sent from
  std::string route;      // its name when the message was accepted
  std::string reply;      // anywhere in what was said last
  uint64_t size_min = 0;  // of the message in bytes
  uint64_t size_max = UINT64_MAX;
  const LiveHosts* live = nullptr;  // set by the shard; null: only who spoke last is known

  // Everything.
  bool empty() const;
  // What the ticket alone tells. False: none of its recipients is meant.
  bool MayMatch(const HomeTicket& ticket, int64_t now_ns) const;
  bool MatchesReply(const HomeTicket& ticket) const;
  // The pending recipients, of tickets that begin at recipient `from` or later, that may be meant.
  uint64_t MayMatchFrom(const Message& message, uint32_t from, int64_t now_ns) const;
  // Strings of the message are asked for, which the ticket alone does not tell. REQUIRES: MayMatch.
  bool NeedsMeta(const HomeTicket& ticket) const;
  bool MatchesSender(std::string_view reverse_path) const;
  // `route`: the recipient's.
  bool MatchesRecipient(std::string_view address, std::string_view route = {}) const;
};

// What a walk is to do with a message, if it is about recipients that the filter means and about
// these columns of them.
QueueWalker::Interest LookFor(const Message& message, const QueueFilter& filter,
                              QueueColumns columns, int64_t now_ns);

// The recipients of a ticket that the filter means, as a part of its message shows them; the sender
// is not looked at. Without a meta all that the ticket alone does not rule out.
uint64_t MeantOf(const QueueFilter& filter, const HomeTicket& ticket, const MetaView* meta,
                 const WalkPart& part, int64_t now_ns);

// Calls `f(const QueueItem&)` for the recipients of a part that the filter means.
template <typename F>
void ForEachMatch(const Message& message, const MetaView* meta, const WalkPart& part,
                  const QueueFilter& filter, int64_t now_ns, F&& f) {
  if (meta != nullptr && !filter.MatchesSender(meta->reverse_path())) return;
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!part.Has(*ticket) || !filter.MayMatch(*ticket, now_ns)) continue;
    QueueItem item = {.ticket = ticket, .index = 0, .meta = meta, .recipient = nullptr};
    for (uint64_t mask = ticket->pending_mask(); mask != 0; mask &= mask - 1) {
      item.index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      if (meta != nullptr) {
        item.recipient = part.Find(item.index);
        if (item.recipient == nullptr ||
            !filter.MatchesRecipient(item.recipient->address,
                                     RouteName(*ticket, *item.recipient))) {
          continue;
        }
      }
      f(item);
    }
  }
}

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_FILTER_H_
