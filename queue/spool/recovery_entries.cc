// What recovery makes of the entries, which it sees newest first.
#include <algorithm>
#include <bit>

#include "queue/message_id.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"
#include "queue/spool/recovery.h"

namespace outbox::queue {

void Recovery::TakeEntry(const EntryRef& entry) {
  switch (entry.type) {
    case EntryType::kDone:
      return TakeDone(entry);
    case EntryType::kState:
      return Holds(entry) ? TakeState(entry) : void();
    case EntryType::kMessage:
    case EntryType::kMovedMessage:
      return Holds(entry) ? TakeMessage(entry) : void();
  }
  // A type of a later version: not ours to judge.
}

// A place that no log writes: whatever its checksum says.
bool Recovery::Holds(const EntryRef& entry) {
  if (RecordPlace::Holds(segment_->number, entry.offset, entry.length)) return true;
  log_->Damage(SegmentFileName(segment_->number),
               "offset " + std::to_string(entry.offset) + ": an entry of " +
                   std::to_string(entry.length) + " bytes cannot be here");
  return false;
}

void Recovery::AddDone(uint64_t id, uint64_t generation) {
  const auto [at, fresh] = done_.try_emplace(id, UINT32_MAX);
  done_nodes_.push_back({generation, at->second});
  at->second = static_cast<uint32_t>(done_nodes_.size() - 1);
}

void Recovery::NoteDone(uint64_t id, std::span<const char> generations) {
  done_.try_emplace(id, UINT32_MAX);
  for (size_t i = 0; i + 8 <= generations.size(); i += 8) {
    AddDone(id, Get<uint64_t>(generations.data() + i));
  }
}

bool Recovery::Guarded(uint64_t id, uint64_t generation) const {
  const auto found = done_.find(id);
  if (found == done_.end()) return false;
  for (uint32_t i = found->second; i != UINT32_MAX; i = done_nodes_[i].next) {
    if (done_nodes_[i].generation == generation) return true;
  }
  return false;
}

void Recovery::TakeDone(const EntryRef& entry) {
  AddDone(entry.id, segment_->use.generation);
  for (size_t i = 0; i + 8 <= entry.data.size(); i += 8) {
    const uint64_t generation = Get<uint64_t>(entry.data.data() + i);
    const Segment* guarded = log_->segments.ByGeneration(generation);
    if (guarded == nullptr) continue;
    AddDone(entry.id, generation);
    log_->segments.AddGuard(guarded->number, generation, segment_->number);
  }
}

void Recovery::TakeState(const EntryRef& entry) {
  if (done_.contains(entry.id)) return;
  const RecordPlace place = {segment_->number, entry.offset, entry.length};
  Message* message = log_->messages.Find(entry.id);
  if (message == nullptr) {
    const auto [at, fresh] = states_.try_emplace(entry.id);
    if (fresh) at->second = {place, std::string(entry.data.data(), entry.data.size())};
    return;
  }
  const auto moved = moved_index_.find(entry.id);
  if (moved == moved_index_.end()) return;  // older than the one we have, or than what home wrote
  Moved& waiting = moved_[moved->second];
  moved_index_.erase(moved);
  const auto meta = MetaView::Parse(waiting.meta);
  CHECK(meta.has_value());
  waiting.message = nullptr;
  Report(message, *meta, &place, entry.data);
  waiting.meta.clear();
}

void Recovery::TakeMessage(const EntryRef& entry) {
  const uint64_t generation = segment_->use.generation;
  if (done_.contains(entry.id)) {
    // A copy that no done entry names: from a write that failed, or a move that a crash cut off.
    if (!Guarded(entry.id, generation)) {
      log_->writer.Ghost(entry.id, segment_->number, generation);
      AddDone(entry.id, generation);
    }
    return;
  }
  if (log_->messages.Find(entry.id) != nullptr) {
    // An older copy of a live message: every done entry must guard it until it is overwritten.
    log_->segments.MarkSuspect(segment_);
    return;
  }
  const auto meta = MetaView::Parse(entry.data);
  if (!meta || meta->id() != entry.id) {
    log_->Damage(SegmentFileName(segment_->number),
                 "offset " + std::to_string(entry.offset) + ": envelope damaged");
    return;
  }
  Message* message = log_->messages.AddUnknown(entry.id);
  if (message == nullptr) {
    log_->Damage(SegmentFileName(segment_->number), "more messages than can be held");
    return;
  }
  log_->NoteId(entry.id + 1);
  message->flags = meta->flags();
  message->place = {segment_->number, entry.offset, entry.length};
  message->meta_units = MetaUnits(*meta);
  log_->segments.AddMessage(*message);
  CountExtents(*meta);
  const auto state = states_.find(entry.id);
  if (state != states_.end()) {
    const FoundState found = std::move(state->second);
    states_.erase(state);
    Report(message, *meta, &found.place, found.bytes);
  } else if (entry.type == EntryType::kMovedMessage) {
    moved_index_.emplace(entry.id, static_cast<uint32_t>(moved_.size()));
    moved_.push_back({message, std::string(entry.data.data(), meta->meta_bytes())});
  } else {
    Report(message, *meta, nullptr, {});
  }
}

// Extents are live with their message. One whose segment is gone is lost, with a word to the
// operator.
void Recovery::CountExtents(const MetaView& meta) {
  if (meta.extent_count() == 0) return;
  std::vector<Extent>& list = log_->extents[meta.id()];
  uint32_t lost = 0;
  for (uint32_t i = 0; i < meta.extent_count(); ++i) {
    const Extent extent = meta.extent(i);
    const Segment* segment = log_->segments.ByGeneration(extent.generation);
    if (segment == nullptr || segment->kind != SegmentKind::kExtents) {
      ++lost;
      list.emplace_back();
      continue;
    }
    list.push_back(extent);
    log_->segments.AddExtent(segment->number, Align(extent.length, kBlock));
  }
  if (lost > 0) {
    log_->Damage("message " + FormatMessageId(meta.id()),
                 std::to_string(lost) + " pieces of its body are lost");
  }
}

void Recovery::Report(Message* message, const MetaView& meta, const RecordPlace* place,
                      std::span<const char> state_bytes) {
  StateView state;
  uint32_t pending = meta.recipient_count();
  if (place != nullptr) {
    message->state = *place;
    log_->segments.AddState(*message);
    const auto parsed = StateView::Parse(state_bytes);
    if (parsed) {
      state = *parsed;
      pending = 0;
      StatePart part;
      for (uint32_t at = 0; state.Next(&at, &part);) {
        pending += static_cast<uint32_t>(std::popcount(part.mask));
      }
    } else {
      log_->Damage(SegmentFileName(place->segment()),
                   "offset " + std::to_string(place->offset()) + ": state damaged");
    }
  }
  message->pending = static_cast<uint16_t>(std::min(pending, uint32_t{UINT16_MAX}));
  ++report_.messages;
  log_->sink->OnMessage(message, meta, state);
}

void Recovery::Finish() {
  // Moved messages whose state was damaged: better tried again than lost.
  for (Moved& moved : moved_) {
    if (moved.message == nullptr) continue;
    log_->Damage("message " + std::to_string(moved.message->id), "its state is lost");
    const auto meta = MetaView::Parse(moved.meta);
    CHECK(meta.has_value());
    Report(moved.message, *meta, nullptr, {});
  }
  moved_ = {};
  moved_index_ = {};
  done_ = {};
  done_nodes_ = {};
  states_ = {};
  durable_ = {};
  order_ = {};
  phase_ = Phase::kFinished;
  log_->segments.set_may_be_dead(true);
  report_.damages = log_->stats.damages;
  log_->sink->OnRecovered(report_);
}

}  // namespace outbox::queue
