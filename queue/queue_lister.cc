#include "queue/queue_lister.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "queue/home.h"

namespace outbox::queue {

QueueLine MakeQueueLine(const HomeTicket& ticket, const MetaView& meta, std::string_view recipient,
                        const io::Io& io, const LiveHosts* live) {
  QueueLine line;
  line.id = ticket.message_id;
  line.sender = std::string(meta.reverse_path());
  line.recipient = std::string(recipient);
  line.domain = std::string(DomainOf(line.recipient));
  line.state = ShownState(ticket);
  line.attempts = ticket.attempts;
  line.age_ns = std::max<int64_t>(0, io.now_ns() - ticket.accepted_ns);
  line.size = meta.smtp_size();
  line.mailhost = ShownMailhost(ticket, live);
  if (ticket.reply != nullptr) line.last_reply = ReplyText(*ticket.reply);
  if (ticket.where == TicketPlace::kWaiting && ticket.next_attempt_ns > io.now_ns()) {
    line.next_attempt_wall_ns = io.wall_ns() + (ticket.next_attempt_ns - io.now_ns());
  }
  return line;
}

QueueLister::QueueLister(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
                         QueueListSink* sink)
    : io_(io),
      home_(home),
      stores_(stores),
      filter_(std::move(filter)),
      sink_(sink),
      walk_(home, std::move(stores), this, filter_.id) {}

void QueueLister::Tick() {
  if (walk_.done()) return;
  if (sink_->gone()) Stop();
  walk_.Tick();
  if (!walk_.done()) return;
  if (!lines_.empty()) sink_->Lines(std::exchange(lines_, {}));
  gaps_.recovering = static_cast<uint32_t>(std::count_if(
      stores_.begin(), stores_.end(), [](Store* store) { return !store->recovered(); }));
  sink_->Done(gaps_);
}

void QueueLister::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  gaps_.unreadable += filter_.MayMatchFrom(*message, from, io_->now_ns());
}

QueueWalker::Interest QueueLister::Look(const Message& message) {
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (filter_.MayMatch(*ticket, io_->now_ns())) return Interest::kMeta;
  }
  return Interest::kNone;
}

void QueueLister::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  if (!filter_.MatchesSender(meta->reverse_path())) return;
  for (const HomeTicket* ticket = FirstTicket(message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!part.Has(*ticket) || !filter_.MayMatch(*ticket, io_->now_ns())) continue;
    for (uint64_t mask = ticket->pending_mask(); mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      const WalkPart::Recipient* recipient = part.Find(index);
      if (recipient == nullptr || !filter_.MatchesRecipient(recipient->address)) continue;
      lines_.push_back(MakeQueueLine(*ticket, *meta, recipient->address, *io_, filter_.live));
      if (lines_.size() == kQueueLinesPerChunk && !sink_->Lines(std::exchange(lines_, {}))) {
        return Stop();
      }
    }
  }
}

}  // namespace outbox::queue
