// Where staged records go: room in the gathering batch, a fresh batch, a fresh segment.
#include "core/check.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"
#include "queue/spool/writer.h"

namespace outbox::queue {

bool Writer::Fits(const Segment& segment, uint32_t offset, uint32_t bytes,
                  uint32_t index_bytes) const {
  const uint64_t index = &segment == active_ ? index_.bytes() : 0;
  const uint64_t index_room = (index + index_bytes + kBlock - 1) / kBlock * kBlock;
  return uint64_t{Align(offset + bytes, kBlock)} + index_room + kBlock <= segment.bytes;
}

Writer::Room Writer::MakeRoom(uint32_t entry_bytes, uint32_t index_bytes, bool for_mail) {
  const uint32_t bytes = kRecordHeaderBytes + entry_bytes;
  const uint32_t index = index_bytes + kIndexEntryBytes + 8;
  Batch& batch = *gather_;
  if (!batch.open) {
    Room why = Room::kLater;
    return OpenBatch(bytes, index, for_mail, &why) ? Room::kOk : why;
  }
  const size_t left = batch.arena->memory.size() -
                      static_cast<size_t>(batch.at - batch.arena->memory.data()) - batch.bytes;
  if (bytes > left || !Fits(*batch.segment, batch.offset, batch.bytes + bytes, index)) {
    batch.full = true;
    return Room::kLater;
  }
  return Room::kOk;
}

bool Writer::OpenBatch(uint32_t bytes, uint32_t index_bytes, bool for_mail, Room* why) {
  const uint32_t total = kBatchHeaderBytes + bytes;
  if (active_ == nullptr || !Fits(*active_, next_offset_, total, index_bytes)) {
    if (to_seal_ != nullptr) return false;  // its last batch is in flight still
    Segment* next = log_->pool.TakeLog(for_mail);
    if (next == nullptr) {
      if (for_mail && log_->pool.available() < log_->options.reserve_segments) {
        *why = Room::kNoSpace;
      } else {
        blocked_for_space_ = true;
      }
      return false;
    }
    Rotate(next);
  }
  if (arena_ == nullptr || arena_->memory.size() - arena_->filled < total) {
    if (arena_ != nullptr) --arena_->users;
    arena_ = log_->hot.Take(*active_, next_offset_);
    ++arena_->users;
  }
  Batch& batch = *gather_;
  batch.open = true;
  batch.arena = arena_;
  ++arena_->users;
  batch.at = arena_->memory.data() + arena_->filled;
  batch.segment = active_;
  batch.offset = next_offset_;
  batch.bytes = kBatchHeaderBytes;
  batch.records = batch.mails = 0;
  batch.move_bytes = 0;
  return true;
}

void Writer::Rotate(Segment* next) {
  if (active_ != nullptr) {
    active_->data_end = next_offset_;
    seal_index_.Clear();
    seal_index_.Swap(&index_);
    if (in_flight_ && flight_->segment == active_) {
      to_seal_ = active_;
    } else {
      log_->pool.Seal(active_, &seal_index_);
    }
  }
  active_ = next;
  next_offset_ = kSegmentDataAt;
  index_.Clear();
  if (arena_ != nullptr) --arena_->users;
  arena_ = nullptr;
}

}  // namespace outbox::queue
