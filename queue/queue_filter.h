// QueueFilter: which queued recipients an operator means.
//
// The shard that has the mail looks through it, so that nobody else has to: a listing, a retry and
// a removal take the same filter. What can be told without the message's strings is looked at
// first; only what is left is read.
//
// A pattern is compared without regard to case; `*` stands for any run of characters, and without
// one it must be the whole. An empty pattern is anything.
#ifndef OUTBOX_QUEUE_QUEUE_FILTER_H_
#define OUTBOX_QUEUE_QUEUE_FILTER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"
#include "queue/recipient_state.h"

namespace outbox::queue {

struct HomeTicket;  // queue/home_ticket.h
struct Message;     // queue/store.h
class LiveHosts;

bool MatchesPattern(std::string_view pattern, std::string_view text);

// The part of an address behind its last "@"; "" for none.
std::string_view DomainOf(std::string_view address);

struct QueueFilter {
  uint64_t id = 0;             // of one message; 0: any
  uint8_t states = UINT8_MAX;  // StateBits
  int64_t age_min_ns = 0;
  int64_t age_max_ns = core::kNever;
  std::string domain;  // of the recipient
  std::string sender;  // the null return path is "<>"
  std::string recipient;
  std::string mailhost;
  const LiveHosts* live = nullptr;  // set by the shard; null: only who spoke last is known

  // Everything.
  bool empty() const;
  // What the ticket alone tells. False: none of its recipients is meant.
  bool MayMatch(const HomeTicket& ticket, int64_t now_ns) const;
  // The pending recipients, of tickets that begin at recipient `from` or later, that may be meant.
  uint64_t MayMatchFrom(const Message& message, uint32_t from, int64_t now_ns) const;
  // Strings of the message are asked for.
  bool needs_meta() const { return !domain.empty() || !sender.empty() || !recipient.empty(); }
  bool MatchesSender(std::string_view reverse_path) const;
  bool MatchesRecipient(std::string_view address) const;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_FILTER_H_
