#include "queue/queue_line.h"

#include <algorithm>

#include "core/domain_name.h"
#include "core/idna.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/queue_filter.h"
#include "queue/ticket_view.h"

namespace outbox::queue {
namespace {

int64_t AgeOf(const HomeTicket& ticket, const io::Io& io) {
  return std::max<int64_t>(0, io.now_ns() - ticket.accepted_ns);
}

int64_t NextAttempt(const HomeTicket& ticket, const io::Io& io) {
  if (ticket.where != TicketPlace::kWaiting || ticket.purged) return 0;
  if (ticket.next_attempt_ns <= io.now_ns()) return 0;
  return io.wall_ns() + (ticket.next_attempt_ns - io.now_ns());
}

std::string_view DomainOfItem(const QueueItem& item) {
  return item.recipient != nullptr ? DomainOf(item.recipient->address) : KnownDomain(*item.ticket);
}

void SetLower(std::string_view text, std::string* out) {
  out->assign(text);
  for (char& c : *out) c = core::ToLower(c);
}

}  // namespace

std::string_view KnownDomain(const HomeTicket& ticket) {
  const DestinationKey key = ParseDestinationKey(ticket.destination->key);
  if (!key.via_mx()) return {};
  // Of the text that stays: the key is gone in a moment.
  const std::string_view text = ticket.destination->key;
  return text.substr(text.find(':') + 1, key.domain.size());
}

bool NeedsMeta(const HomeTicket& ticket, QueueColumns columns) {
  constexpr QueueColumns kAlways = ColumnBit(QueueColumn::kSender) |
                                   ColumnBit(QueueColumn::kRecipient) |
                                   ColumnBit(QueueColumn::kRoute);
  if ((columns & kAlways) != 0) return true;
  return (columns & ColumnBit(QueueColumn::kDomain)) != 0 && KnownDomain(ticket).empty();
}

QueueLine MakeQueueLine(const QueueItem& item, const io::Io& io, const LiveHosts* live,
                        QueueColumns columns) {
  const auto has = [columns](QueueColumn column) { return (columns & ColumnBit(column)) != 0; };
  const HomeTicket& ticket = *item.ticket;
  QueueLine line;
  line.id = ticket.message_id;
  line.state = ShownState(ticket);
  line.attempts = ticket.attempts;
  line.age_ns = AgeOf(ticket, io);
  line.size = item.meta != nullptr ? item.meta->smtp_size() : ticket.size_bytes;
  line.next_attempt_wall_ns = NextAttempt(ticket, io);
  if (has(QueueColumn::kMailhost)) line.mailhost = ShownMailhost(ticket, live);
  if (has(QueueColumn::kSource)) line.source = std::string(SourceOf(ticket.destination->key));
  if (has(QueueColumn::kReply) && ticket.reply != nullptr) {
    line.last_reply = ReplyText(*ticket.reply);
  }
  if (has(QueueColumn::kDomain)) line.domain = std::string(DomainOfItem(item));
  if (item.recipient != nullptr) {
    if (has(QueueColumn::kRecipient)) line.recipient = std::string(item.recipient->address);
    if (has(QueueColumn::kRoute)) line.route = std::string(RouteName(ticket, *item.recipient));
  }
  if (item.meta != nullptr && has(QueueColumn::kSender)) {
    line.sender = std::string(item.meta->reverse_path());
  }
  return line;
}

void MakeSortKey(const QueueItem& item, QueueColumn column, const io::Io& io, const LiveHosts* live,
                 QueueSortKey* key) {
  const HomeTicket& ticket = *item.ticket;
  key->number = 0;
  key->text.clear();
  key->id = ticket.message_id;
  key->index = item.index;
  switch (column) {
    case QueueColumn::kId:
      key->number = static_cast<int64_t>(ticket.message_id);
      break;
    case QueueColumn::kState:
      key->number = static_cast<int64_t>(ShownState(ticket));
      break;
    case QueueColumn::kAge:
      key->number = -ticket.accepted_ns;  // what does not grow meanwhile
      break;
    case QueueColumn::kTries:
      key->number = ticket.attempts;
      break;
    case QueueColumn::kNext:
      key->number = NextAttempt(ticket, io);
      break;
    case QueueColumn::kSize:
      key->number = ticket.size_bytes;
      break;
    case QueueColumn::kSender:
      SetLower(item.meta == nullptr ? std::string_view() : item.meta->reverse_path(), &key->text);
      break;
    case QueueColumn::kRecipient:
      SetLower(item.recipient == nullptr ? std::string_view() : item.recipient->address,
               &key->text);
      break;
    case QueueColumn::kRoute:
      SetLower(item.recipient == nullptr ? std::string_view() : RouteName(ticket, *item.recipient),
               &key->text);
      break;
    case QueueColumn::kDomain:
      core::ToALabels(DomainOfItem(item), &key->text);
      break;
    case QueueColumn::kMailhost:
      SetLower(ShownMailhost(ticket, live), &key->text);
      break;
    case QueueColumn::kReply:
      SetLower(ticket.reply == nullptr ? std::string() : ReplyText(*ticket.reply), &key->text);
      break;
    case QueueColumn::kSource:
      SetLower(SourceOf(ticket.destination->key), &key->text);
      break;
  }
}

}  // namespace outbox::queue
