// AttemptDsn: what the senders of a ticket's recipients want to hear of (RFC 3461), in memory of
// its own, and what of it is left for us to say.
//
// An attempt has one only when its message has such parameters. A host with DSN is told all of
// them, and answers for them from then on. What another host takes is confirmed by us where NOTIFY
// has SUCCESS (RFC 3461 5.2.2): home learns it from the result.
#ifndef OUTBOX_QUEUE_ATTEMPT_DSN_H_
#define OUTBOX_QUEUE_ATTEMPT_DSN_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "queue/message_meta.h"
#include "smtp/delivery_result.h"
#include "smtp/dsn_parameters.h"

namespace outbox::queue {

struct Ticket;
struct TicketResult;

class AttemptDsn {
 public:
  // Copies what is about the ticket.
  AttemptDsn(const MetaView& meta, const Ticket& ticket);
  AttemptDsn(const AttemptDsn&) = delete;
  AttemptDsn& operator=(const AttemptDsn&) = delete;

  // Of an envelope with these recipients (bits of the ticket's mask); valid until the next Begin.
  const smtp::EnvelopeDsn* Begin(std::span<const uint8_t> bits);

  // Of the ticket's recipients, those whose delivery somebody wants to hear of.
  uint64_t wants_success() const { return wants_success_; }
  // A host has taken the message for the recipient with this bit: notes in `ticket`'s result what
  // that leaves for us to say, if anything.
  void OnDelivered(uint64_t bit, const smtp::RecipientResult& result, std::string_view mailhost,
                   Ticket* ticket) const;

 private:
  struct Entry {
    uint8_t bit;
    smtp::NotifyBits notify;
    uint32_t orcpt_at;  // in text_
    uint32_t orcpt_size;
  };

  std::string text_;  // ENVID, and what ORCPT said
  size_t envid_size_ = 0;
  std::vector<Entry> entries_;  // by bit
  uint64_t wants_success_ = 0;
  std::vector<smtp::RecipientDsn> recipients_;  // of the envelope
  smtp::EnvelopeDsn envelope_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ATTEMPT_DSN_H_
