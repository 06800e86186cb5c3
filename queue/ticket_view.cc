#include "queue/ticket_view.h"

#include "queue/live_hosts.h"

namespace outbox::queue {
RecipientState ShownState(const HomeTicket& ticket) {
  const RecipientState state = ticket.state.load(std::memory_order_relaxed);
  if (state != RecipientState::kReady || ticket.attempts == 0) return state;
  return ticket.notified ? RecipientState::kDelayed : RecipientState::kDeferred;
}

std::string ShownMailhost(const HomeTicket& ticket, const LiveHosts* live) {
  // When the ticket has another place by now, the one that was read may be somebody else's.
  const uint32_t place = ticket.host.load(std::memory_order_acquire);
  std::string host = live == nullptr ? std::string() : live->Read(place);
  if (!host.empty() && ticket.host.load(std::memory_order_relaxed) == place) return host;
  return ticket.reply == nullptr ? std::string() : std::string(ticket.reply->mailhost());
}

std::string ReplyText(const LastReply& reply) {
  std::string text;
  if (reply.code() > 0) text = std::to_string(reply.code()) + " ";
  if (!reply.enhanced().empty()) text.append(reply.enhanced()).append(" ");
  return text.append(reply.text());
}

}  // namespace outbox::queue
