#include "queue/spool/segments.h"

#include <algorithm>

#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

// An entry in a record of its own, and its place in the index.
uint32_t RoomOf(uint32_t entry_bytes, uint32_t index_data_bytes) {
  return Align8(kRecordHeaderBytes + entry_bytes) + Align8(kIndexEntryBytes + index_data_bytes);
}

uint32_t MessageRoom(const Message& message) {
  return RoomOf(message.place.length(), message.meta_units * kMetaUnit);
}

uint32_t StateRoom(const Message& message) {
  return RoomOf(message.state.length(), message.state.length() - kEntryHeaderBytes);
}

}  // namespace

uint8_t MetaUnits(const MetaView& meta) {
  return static_cast<uint8_t>(
      std::min<uint32_t>((meta.meta_bytes() + kMetaUnit - 1) / kMetaUnit, UINT8_MAX));
}

Segment& Segments::Ensure(uint32_t number) {
  while (all_.size() <= number) {
    all_.push_back(std::make_unique<Segment>());
    all_.back()->number = static_cast<uint32_t>(all_.size() - 1);
  }
  return *all_[number];
}

Segment& Segments::Unused() {
  for (const auto& segment : all_) {
    if (segment->state == SegmentState::kAbsent) return *segment;
  }
  return Ensure(count());
}

void Segments::Begin(Segment* segment, SegmentKind kind, const SegmentUse& use) {
  segment->kind = kind;
  segment->use = use;
  segment->suspect = segment->failed = segment->stuck = segment->guards_moved = false;
  segment->data_end = segment->durable_end = kSegmentDataAt;
  segment->tries = 0;
  CHECK(segment->live_entries == 0 && segment->guards.empty());
  by_generation_[use.generation] = segment->number;
  (kind == SegmentKind::kExtents ? extent_bytes_ : log_bytes_) += segment->bytes;
}

void Segments::End(Segment* segment) {
  CHECK(segment->live_entries == 0 && segment->pins == 0);
  by_generation_.erase(segment->use.generation);
  (segment->kind == SegmentKind::kExtents ? extent_bytes_ : log_bytes_) -= segment->bytes;
  for (const Segment::Guard& guard : segment->guards) {
    Segment& other = *all_[guard.segment];
    if (other.use.generation != guard.generation || !other.in_use()) continue;
    CHECK(other.guard_refs >= guard.count);
    other.guard_refs -= guard.count;
  }
  segment->guards.clear();
  if (segment->guard_refs > 0) {
    // Its done entries were moved: what it guarded is guarded by others now.
    for (const auto& other : all_) {
      std::erase_if(other->guards, [segment](const Segment::Guard& guard) {
        return guard.segment == segment->number;
      });
    }
    segment->guard_refs = 0;
  }
  if (segment->suspect) std::erase(suspects_, segment->number);
  segment->suspect = segment->failed = segment->stuck = segment->guards_moved = false;
  may_be_dead_ = true;
}

Segment* Segments::ByGeneration(uint64_t generation) {
  const auto found = by_generation_.find(generation);
  return found == by_generation_.end() ? nullptr : all_[found->second].get();
}

void Segments::AddMessage(const Message& message) {
  AddLive(message.place.segment(), message.place.length(), MessageRoom(message));
}

void Segments::DropMessage(const Message& message) {
  DropLive(message.place.segment(), message.place.length(), MessageRoom(message));
}

void Segments::AddState(const Message& message) {
  AddLive(message.state.segment(), message.state.length(), StateRoom(message));
}

void Segments::DropState(const Message& message) {
  DropLive(message.state.segment(), message.state.length(), StateRoom(message));
}

void Segments::AddExtent(uint32_t segment, uint32_t bytes) {
  AddLive(segment, bytes, bytes);
  extent_live_bytes_ += bytes;
}

void Segments::DropExtent(uint32_t segment, uint32_t bytes) {
  DropLive(segment, bytes, bytes);
  extent_live_bytes_ -= bytes;
}

void Segments::AddLive(uint32_t segment, uint32_t bytes, uint32_t room) {
  Segment& s = *all_[segment];
  ++s.live_entries;
  s.live_bytes += bytes;
  s.live_room += room;
  if (s.kind == SegmentKind::kLog) log_room_ += room;
  live_bytes_ += bytes;
}

void Segments::DropLive(uint32_t segment, uint32_t bytes, uint32_t room) {
  Segment& s = *all_[segment];
  CHECK(s.live_entries > 0 && s.live_bytes >= bytes && s.live_room >= room);
  --s.live_entries;
  s.live_bytes -= bytes;
  s.live_room -= room;
  if (s.kind == SegmentKind::kLog) log_room_ -= room;
  live_bytes_ -= bytes;
  if (s.live_entries == 0) may_be_dead_ = true;
}

void Segments::AddGuard(uint32_t guarded, uint64_t generation, uint32_t guard) {
  Segment& copy = *all_[guarded];
  Segment& with = *all_[guard];
  if (guarded == guard || copy.use.generation != generation || !copy.in_use()) return;
  ++with.guard_refs;
  for (Segment::Guard& known : copy.guards) {
    if (known.segment == guard && known.generation == with.use.generation) {
      ++known.count;
      return;
    }
  }
  copy.guards.push_back({guard, with.use.generation, 1});
}

void Segments::MarkSuspect(Segment* segment) {
  if (segment->suspect) return;
  segment->suspect = true;
  suspects_.insert(std::lower_bound(suspects_.begin(), suspects_.end(), segment->number),
                   segment->number);
}

}  // namespace outbox::queue
