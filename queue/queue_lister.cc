#include "queue/queue_lister.h"

#include <algorithm>
#include <utility>

#include "queue/home.h"

namespace outbox::queue {

void NoteUnseen(const io::Io& io, const Home& home, const std::vector<Store*>& stores,
                const QueueFilter& filter, ListGaps* gaps) {
  gaps->recovering = static_cast<uint32_t>(std::count_if(
      stores.begin(), stores.end(), [](Store* store) { return !store->recovered(); }));
  if ((filter.states & StateBit(RecipientState::kPurged)) != 0 || home.purged() == 0) return;
  gaps->purged = home.purged();
  gaps->purged_until_wall_ns = io.wall_ns() + (home.purged_until_ns() - io.now_ns());
}

QueueLister::QueueLister(io::Io* io, Home* home, std::vector<Store*> stores, QueueQuery query,
                         QueueListSink* sink)
    : io_(io),
      home_(home),
      stores_(stores),
      query_(std::move(query)),
      sink_(sink),
      walk_(io, home, std::move(stores), this, query_.filter.id) {
  lines_.reserve(kQueueLinesPerChunk);
}

void QueueLister::Tick() {
  if (walk_.done()) return;
  if (sink_->gone()) Stop();
  walk_.Tick();
  // What waits for a slow disk, or for the end, is shown meanwhile.
  if (!lines_.empty() && (walk_.done() || !walk_.wants_turn())) {
    sink_->Lines(std::exchange(lines_, {}));
  }
  if (!walk_.done()) return;
  NoteUnseen(*io_, *home_, stores_, query_.filter, &gaps_);
  sink_->Done(gaps_);
}

void QueueLister::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  gaps_.unreadable += query_.filter.MayMatchFrom(*message, from, io_->now_ns());
}

QueueWalker::Interest QueueLister::Look(const Message& message) {
  return LookFor(message, query_.filter, query_.columns, io_->now_ns());
}

void QueueLister::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  ForEachMatch(*message, meta, part, query_.filter, io_->now_ns(),
               [this](const QueueItem& item) { Show(item); });
}

void QueueLister::Show(const QueueItem& item) {
  ++gaps_.found;
  if (query_.limit > 0 && gaps_.found > query_.limit) return Stop();
  lines_.push_back(MakeQueueLine(item, *io_, query_.filter.live, query_.columns));
  if (lines_.size() < kQueueLinesPerChunk) return;
  if (!sink_->Lines(std::exchange(lines_, {}))) Stop();
  lines_.reserve(kQueueLinesPerChunk);
}

}  // namespace outbox::queue
