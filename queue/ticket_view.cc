#include "queue/ticket_view.h"

#include "queue/directory.h"

namespace outbox::queue {
namespace {

// The host at place `index` of a key "via:a,b,c"; empty when there is none.
std::string_view HostAt(std::string_view key, uint8_t index) {
  if (!key.starts_with("via:")) return {};
  key.remove_prefix(4);
  for (; index > 0; --index) {
    const size_t comma = key.find(',');
    if (comma == std::string_view::npos) return {};
    key.remove_prefix(comma + 1);
  }
  return key.substr(0, key.find(','));
}

}  // namespace

RecipientState ShownState(const HomeTicket& ticket) {
  const RecipientState state = ticket.state.load(std::memory_order_relaxed);
  if (state != RecipientState::kReady || ticket.attempts == 0) return state;
  return ticket.notified ? RecipientState::kDelayed : RecipientState::kDeferred;
}

std::string_view ShownMailhost(const HomeTicket& ticket) {
  const uint8_t host = ticket.host.load(std::memory_order_relaxed);
  if (host != Ticket::kNoHost) return HostAt(ticket.destination->key, host);
  return ticket.reply == nullptr ? std::string_view() : std::string_view(ticket.reply->mailhost);
}

std::string ReplyText(const LastReply& reply) {
  std::string text;
  if (reply.code > 0) text = std::to_string(reply.code) + " ";
  if (!reply.enhanced.empty()) text += reply.enhanced + " ";
  return text + reply.text;
}

}  // namespace outbox::queue
