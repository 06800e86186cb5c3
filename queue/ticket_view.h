// How a ticket is shown to an operator: its state in the words of queue/recipient_state.h, the host
// it is at, what was said last. Home's view, on home's shard: of a ticket that is out only what
// its holder keeps in atomics is looked at.
#ifndef OUTBOX_QUEUE_TICKET_VIEW_H_
#define OUTBOX_QUEUE_TICKET_VIEW_H_

#include <string>
#include <string_view>

#include "queue/home_ticket.h"

namespace outbox::queue {

// What waits at its destination with a failed attempt behind it is deferred (or delayed) in the
// operator's words.
RecipientState ShownState(const HomeTicket& ticket);

// The host that it is being sent to (if `live` says; it may be null), or that spoke last; may be
// empty.
std::string ShownMailhost(const HomeTicket& ticket, const LiveHosts* live);

// "450 4.2.1 mailbox busy", or our own sentence; empty: none.
std::string ReplyText(const LastReply& reply);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_TICKET_VIEW_H_
