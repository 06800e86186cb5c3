#include "queue/queue_sorter.h"

#include <algorithm>
#include <bit>

#include "core/check.h"
#include "core/limits.h"
#include "queue/home.h"

namespace outbox::queue {
namespace {

// Noted for the second walk in a turn.
constexpr size_t kListedPerTurn = 512;

}  // namespace

QueueSorter::QueueSorter(io::Io* io, Home* home, std::vector<Store*> stores, QueueQuery query,
                         QueueListSink* sink)
    : io_(io), home_(home), stores_(std::move(stores)), query_(std::move(query)), sink_(sink) {
  CHECK(query_.sort.has_value() && query_.limit > 0 && query_.limit <= core::kSortedLinesMax);
  QueueWalker* const walker = this;
  walk_ = std::make_unique<QueueWalk>(io_, home_, stores_, walker, query_.filter.id);
}

bool QueueSorter::wants_turn() const {
  if (done_) return false;
  return step_ == Step::kList || walk_->wants_turn();
}

void QueueSorter::Stop() {
  stopping_ = true;
  walk_->Stop();
}

void QueueSorter::Tick() {
  if (done_) return;
  if (sink_->gone()) Stop();
  if (step_ == Step::kList) {
    if (ListSome() && !stopping_) return;
    if (ids_.empty() || stopping_) return End();
    QueueWalker* const walker = this;
    walk_ = std::make_unique<QueueWalk>(io_, home_, stores_, walker, std::move(ids_));
    step_ = Step::kShow;
    return;
  }
  walk_->Tick();
  if (!walk_->done()) return;
  if (step_ == Step::kShow || stopping_) return End();
  ids_.reserve(best_.size());
  listed_.reserve(best_.size());
  chosen_.reserve(best_.size());
  step_ = Step::kList;
}

bool QueueSorter::ListSome() {
  for (size_t i = 0; i < kListedPerTurn && !best_.empty(); ++i) {
    QueueSortKey key = std::move(best_.back());
    best_.pop_back();
    // A message may have several of them: it is visited once.
    const uint64_t id = key.id;
    if (listed_.insert(id).second) ids_.push_back(id);
    const Place place = {id, key.index};
    chosen_.emplace(place, std::move(key));
  }
  return !best_.empty();
}

void QueueSorter::End() {
  if (!lines_.empty()) sink_->Lines(std::exchange(lines_, {}));
  NoteUnseen(*io_, *home_, stores_, query_.filter, &gaps_);
  done_ = true;
  sink_->Done(gaps_);
}

QueueWalker::Interest QueueSorter::Look(const Message& message) {
  if (step_ == Step::kChoose) {
    return LookFor(message, query_.filter, ColumnBit(*query_.sort), io_->now_ns());
  }
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (NeedsMeta(*ticket, query_.columns)) return Interest::kMeta;
  }
  return Interest::kTickets;
}

void QueueSorter::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  if (step_ == Step::kShow) return Show(*message, meta, part);
  ForEachMatch(*message, meta, part, query_.filter, io_->now_ns(),
               [this](const QueueItem& item) { Consider(item); });
}

void QueueSorter::Consider(const QueueItem& item) {
  const auto before = [this](const QueueSortKey& a, const QueueSortKey& b) { return Before(a, b); };
  ++gaps_.found;
  MakeSortKey(item, *query_.sort, *io_, query_.filter.live, &key_);
  if (best_.size() == query_.limit) {
    if (!Before(key_, best_.front())) return;
    std::pop_heap(best_.begin(), best_.end(), before);
    best_.pop_back();
  }
  best_.push_back(key_);
  std::push_heap(best_.begin(), best_.end(), before);
}

// Those that were chosen, as they are now.
void QueueSorter::Show(const Message& message, const MetaView* meta, const WalkPart& part) {
  for (const HomeTicket* ticket = FirstTicket(&message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (!part.Has(*ticket)) continue;
    for (uint64_t mask = ticket->pending_mask(); mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      const auto chosen = chosen_.find(Place(message.id, index));
      if (chosen == chosen_.end()) continue;
      const QueueItem item = {.ticket = ticket,
                              .index = index,
                              .meta = meta,
                              .recipient = meta == nullptr ? nullptr : part.Find(index)};
      lines_.push_back(MakeQueueLine(item, *io_, query_.filter.live, query_.columns));
      lines_.back().key = std::move(chosen->second);
      chosen_.erase(chosen);
      if (lines_.size() == kQueueLinesPerChunk && !sink_->Lines(std::exchange(lines_, {}))) {
        return Stop();
      }
    }
  }
}

void QueueSorter::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  gaps_.unreadable += query_.filter.MayMatchFrom(*message, from, io_->now_ns());
}

}  // namespace outbox::queue
