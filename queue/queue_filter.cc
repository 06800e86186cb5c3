#include "queue/queue_filter.h"

#include <bit>

#include "core/domain_name.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/ticket_view.h"

namespace outbox::queue {

bool QueueFilter::empty() const {
  return id == 0 && states == kUsualStates && age_min_ns == 0 && age_max_ns == core::kNever &&
         mailhost.empty() && domain.empty() && sender.empty() && recipient.empty() &&
         source.empty() && route.empty() && reply.empty() && size_min == 0 &&
         size_max == UINT64_MAX;
}

bool QueueFilter::MayMatch(const HomeTicket& ticket, int64_t now_ns) const {
  if (ticket.pending_mask() == 0) return false;
  if (id != 0 && ticket.message_id != id) return false;
  const int64_t age_ns = now_ns - ticket.accepted_ns;
  if (age_ns < age_min_ns || age_ns > age_max_ns) return false;
  if ((states & StateBit(ShownState(ticket))) == 0) return false;
  if (ticket.size_bytes < size_min || ticket.size_bytes > size_max) return false;
  if (!reply.empty() && !MatchesReply(ticket)) return false;
  if (!mailhost.empty() && !MatchesPattern(mailhost, ShownMailhost(ticket, live))) return false;
  if (!source.empty() && !MatchesPattern(source, SourceOf(ticket.destination->key))) return false;
  // A domain that is routed by MX is a destination of its own.
  if (domain.empty()) return true;
  const std::string_view known = KnownDomain(ticket);
  return known.empty() || MatchesDomain(domain, known);
}

bool QueueFilter::MatchesReply(const HomeTicket& ticket) const {
  return ticket.reply != nullptr && MatchesPattern("*" + reply + "*", ReplyText(*ticket.reply));
}

bool QueueFilter::NeedsMeta(const HomeTicket& ticket) const {
  if (!sender.empty() || !recipient.empty() || !route.empty()) return true;
  return !domain.empty() && KnownDomain(ticket).empty();
}

uint64_t QueueFilter::MayMatchFrom(const Message& message, uint32_t from, int64_t now_ns) const {
  uint64_t recipients = 0;
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (ticket->first < from || !MayMatch(*ticket, now_ns)) continue;
    recipients += static_cast<uint64_t>(std::popcount(ticket->pending_mask()));
  }
  return recipients;
}

bool QueueFilter::MatchesSender(std::string_view reverse_path) const {
  return sender.empty() || queue::MatchesSender(sender, reverse_path);
}

bool QueueFilter::MatchesRecipient(std::string_view address, std::string_view route_name) const {
  return (route.empty() || MatchesPattern(route, route_name)) &&
         (domain.empty() || MatchesDomain(domain, DomainOf(address))) &&
         (recipient.empty() || MatchesAddress(recipient, address));
}

uint64_t MeantOf(const QueueFilter& filter, const HomeTicket& ticket, const MetaView* meta,
                 const WalkPart& part, int64_t now_ns) {
  if (!part.Has(ticket) || !filter.MayMatch(ticket, now_ns)) return 0;
  uint64_t meant = ticket.pending_mask();
  if (meta == nullptr) return meant;
  for (uint64_t left = meant; left != 0; left &= left - 1) {
    const uint32_t index = ticket.first + static_cast<uint32_t>(std::countr_zero(left));
    const WalkPart::Recipient* recipient = part.Find(index);
    if (recipient == nullptr ||
        !filter.MatchesRecipient(recipient->address, RouteName(ticket, *recipient))) {
      meant &= ~(left & (~left + 1));
    }
  }
  return meant;
}

QueueWalker::Interest LookFor(const Message& message, const QueueFilter& filter,
                              QueueColumns columns, int64_t now_ns) {
  auto interest = QueueWalker::Interest::kNone;
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!filter.MayMatch(*ticket, now_ns)) continue;
    if (filter.NeedsMeta(*ticket) || NeedsMeta(*ticket, columns)) {
      return QueueWalker::Interest::kMeta;
    }
    interest = QueueWalker::Interest::kTickets;
  }
  return interest;
}

}  // namespace outbox::queue
