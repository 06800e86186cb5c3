#include "queue/purge_preview.h"

#include <algorithm>
#include <utility>

#include "core/idna.h"
#include "core/limits.h"
#include "queue/home.h"
#include "queue/ticket_view.h"

namespace outbox::queue {
namespace {

// What belongs to a further name counts in the sums alone.
void AddTo(const std::string& name, const PurgeFacts::Group& more, PurgeFacts::Groups* groups) {
  auto found = groups->find(name);
  if (found == groups->end()) {
    if (groups->size() >= core::kQueueGroupsMax) return;
    found = groups->try_emplace(name).first;
  }
  found->second.recipients += more.recipients;
  found->second.bytes += more.bytes;
}

}  // namespace

void PurgeFacts::Add(const PurgeFacts& other) {
  recipients += other.recipients;
  messages += other.messages;
  bytes += other.bytes;
  sending += other.sending;
  oldest_ns = std::max(oldest_ns, other.oldest_ns);
  for (const auto& [name, group] : other.senders) AddTo(name, group, &senders);
  for (const auto& [name, group] : other.domains) AddTo(name, group, &domains);
  gaps += other.gaps;
}

PurgePreview::PurgePreview(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
                           PurgePreviewSink* sink)
    : io_(io),
      home_(home),
      stores_(stores),
      filter_(std::move(filter)),
      sink_(sink),
      walk_(io, home, std::move(stores), this, filter_.id) {
  // No turn is to move them all.
  facts_.senders.reserve(core::kQueueGroupsMax);
  facts_.domains.reserve(core::kQueueGroupsMax);
}

void PurgePreview::Tick() {
  if (walk_.done()) return;
  if (sink_->gone()) Stop();
  walk_.Tick();
  if (!walk_.done()) return;
  NoteUnseen(*io_, *home_, stores_, filter_, &facts_.gaps);
  sink_->OnPurgeFacts(std::move(facts_));
}

QueueWalker::Interest PurgePreview::Look(const Message& message) {
  return LookFor(message, filter_,
                 ColumnBit(QueueColumn::kSender) | ColumnBit(QueueColumn::kDomain), io_->now_ns());
}

void PurgePreview::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  ForEachMatch(*message, meta, part, filter_, io_->now_ns(),
               [this](const QueueItem& item) { Count(item); });
}

void PurgePreview::Count(const QueueItem& item) {
  const HomeTicket& ticket = *item.ticket;
  ++facts_.recipients;
  if (counted_ != ticket.message_id) {
    counted_ = ticket.message_id;
    ++facts_.messages;
    facts_.bytes += ticket.size_bytes;
  }
  facts_.sending += ShownState(ticket) == RecipientState::kSending;
  facts_.oldest_ns = std::max(facts_.oldest_ns, io_->now_ns() - ticket.accepted_ns);
  const PurgeFacts::Group one = {.recipients = 1, .bytes = ticket.size_bytes};
  const auto add = [&](PurgeFacts::Groups* groups) {
    if (name_.size() > core::kQueueGroupNameBytes) name_.resize(core::kQueueGroupNameBytes);
    AddTo(name_, one, groups);
  };
  if (item.meta != nullptr) {
    core::SetAddressKey(item.meta->reverse_path(), &name_);
    add(&facts_.senders);
  }
  if (item.recipient != nullptr) {
    core::ToALabels(DomainOf(item.recipient->address), &name_);
    add(&facts_.domains);
  }
}

void PurgePreview::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  facts_.gaps.unreadable += filter_.MayMatchFrom(*message, from, io_->now_ns());
}

}  // namespace outbox::queue
