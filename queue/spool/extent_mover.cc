#include "queue/spool/extent_mover.h"

#include <algorithm>

#include "core/limits.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// Of the suspect segments that there may be, this many may be ours.
constexpr size_t kSuspectsMax = core::kSuspectSegmentsMax / 2;
// Passes over a segment that still has live extents (records were on their way, writes failed)
// before it is left alone; and the time between them.
constexpr uint32_t kExtentPasses = 10;
constexpr int64_t kExtentPassDelayNs = 100 * core::kNsPerMs;

bool LiesIn(std::span<const Extent> extents, uint64_t generation) {
  return std::ranges::any_of(extents,
                             [&](const Extent& extent) { return extent.generation == generation; });
}

}  // namespace

ExtentMover::ExtentMover(Log* log) : log_(log) {
  fetch_.Bind<&ExtentMover::OnFetched>(this);
  stream_.Bind<&ExtentMover::OnRoom, &ExtentMover::OnFinished>(this);
}

int64_t ExtentMover::NextDeadline() const {
  if (victim_ == nullptr || stopped_) return core::kNever;
  if (phase_ == Phase::kMove) return log_->writer.moves_waiting() == 0 ? 0 : core::kNever;
  return phase_ == Phase::kScan || phase_ == Phase::kNext ? not_before_ns_ : core::kNever;
}

void ExtentMover::Tick() {
  if (stopped_) return;
  if (victim_ == nullptr) {
    if (log_->io->now_ns() < not_before_ns_) return;
    victim_ = Pick();
    if (victim_ == nullptr) return;
    log_->pool.set_reclaiming(true);
    generation_ = victim_->use.generation;
    phase_ = Phase::kScan;
    cursor_ = passes_ = 0;
    not_before_ns_ = 0;
  }
  CHECK(victim_->use.generation == generation_ && victim_->state == SegmentState::kSealed);
  if (phase_ == Phase::kMove && log_->writer.moves_waiting() == 0) FinishMove();
  if (log_->io->now_ns() < not_before_ns_) return;
  if (phase_ == Phase::kScan) Scan();
  if (phase_ == Phase::kNext) StartNext();
}

bool ExtentMover::HasRoom() const {
  return log_->pool.above_reserve() || log_->pool.available() > 1 || log_->pool.may_take_extents();
}

bool ExtentMover::MayLeaveCopies() const { return log_->segments.suspects().size() < kSuspectsMax; }

void ExtentMover::Stop() {
  stopped_ = true;
  if (victim_ == nullptr) return;
  // What the writer has is written, or falls with it.
  if (phase_ == Phase::kMove) return;
  if (stream_.active()) stream_.Abort();
  if (phase_ != Phase::kFetch) GiveUp();
}

void ExtentMover::Abandon() {
  fetch_.in_flight = false;
  piece_ = {};
}

// Null: nothing would be gained.
Segment* ExtentMover::Pick() const {
  if (!MayLeaveCopies() || !HasRoom()) return nullptr;
  // The constant: one that is being filled, one that is ready, and some to choose from. Without
  // these when segments run short.
  const uint64_t live = log_->segments.extent_live_bytes();
  const uint64_t spare = log_->pool.above_reserve() ? live / 2 + 4 * log_->options.segment_bytes
                                                    : 2 * log_->options.segment_bytes;
  const uint64_t enough = live + spare;
  if (log_->segments.extent_bytes() <= enough) return nullptr;
  Segment* best = nullptr;
  for (uint32_t i = 0; i < log_->segments.count(); ++i) {
    Segment& segment = log_->segments[i];
    if (segment.kind != SegmentKind::kExtents || segment.state != SegmentState::kSealed ||
        segment.stuck || segment.pins > 0 || segment.dead()) {
      continue;
    }
    if (best == nullptr || segment.live_bytes < best->live_bytes) best = &segment;
  }
  if (best == nullptr) return nullptr;
  return best->live_bytes < best->bytes - best->bytes / 8 ? best : nullptr;
}

void ExtentMover::Scan() {
  const bool more =
      log_->messages.ForEach(&cursor_, core::kSpoolEntriesPerTurn, [&](const Message* message) {
        if ((message->flags & kFlagExtents) == 0) return;
        const auto found = log_->extents.find(message->id);
        if (found != log_->extents.end() && LiesIn(found->second, generation_)) {
          ids_.push_back(message->id);
        }
      });
  if (!more) phase_ = Phase::kNext;
}

void ExtentMover::StartNext() {
  while (!ids_.empty()) {
    // The Reclaimer's turn.
    if (!MayLeaveCopies() || !HasRoom()) return Forget();
    id_ = ids_.front();
    const auto extents = log_->extents.find(id_);
    // Done or moved meanwhile; or its record could not be written: not once more.
    if (extents == log_->extents.end() || !LiesIn(extents->second, generation_) ||
        log_->kept_extents.contains(id_)) {
      ids_.pop_front();
      continue;
    }
    if (!log_->streams.Begin(&stream_, 0)) {  // as many as may be are receiving
      Forget();
      not_before_ns_ = log_->io->now_ns() + kExtentPassDelayNs;
      return;
    }
    ids_.pop_front();
    return Fetch(0);
  }
  EndPass();
}

void ExtentMover::Fetch(uint32_t part) {
  Message* message = log_->messages.Find(id_);
  if (message == nullptr) return GiveUp();
  if (part == 0) from_ = message->place;
  phase_ = Phase::kFetch;
  fetch_.message = message;
  fetch_.part = part;
  if (part > 0) fetch_.extent = before_[part - 1];
  log_->fetcher.Fetch(&fetch_);
}

void ExtentMover::OnFetched(const core::Status& status, Window window) {
  if (stopped_ || !status.ok()) {
    if (status.ok()) log_->fetcher.Return(window.buffer);
    return GiveUp();
  }
  if (fetch_.part == 0) {
    OnRecord(window.bytes());
    log_->fetcher.Return(window.buffer);
    return before_.empty() ? GiveUp() : Fetch(1);
  }
  piece_ = window;
  left_ = {window.data, window.size};
  Feed();
}

void ExtentMover::OnRecord(std::span<const char> record) {
  before_.clear();
  const auto meta = MetaView::Parse(record);
  if (!meta || meta->id() != id_) return;
  record_.assign(record.data(), record.size());
  for (uint32_t i = 0; i < meta->extent_count(); ++i) before_.push_back(meta->extent(i));
}

void ExtentMover::Feed() {
  if (stream_.failed()) return GiveUp();
  left_ = stream_.Write(left_);
  if (!left_.empty()) {
    phase_ = Phase::kRoom;
    return;
  }
  log_->fetcher.Return(piece_.buffer);
  piece_ = {};
  if (fetch_.part < before_.size()) return Fetch(fetch_.part + 1);
  phase_ = Phase::kSync;
  stream_.Finish();
}

void ExtentMover::OnRoom() {
  if (phase_ == Phase::kRoom) Feed();
}

void ExtentMover::OnFinished(const core::Status& status) {
  if (!status.ok()) return GiveUp();
  // Pieces of the same sizes with the same sums: the record keeps its size, and who is sending the
  // body finds its next piece.
  const std::span<const Extent> fresh = stream_.extents();
  const bool same = std::ranges::equal(fresh, before_, [](const Extent& a, const Extent& b) {
    return a.length == b.length && a.crc == b.crc;
  });
  const Message* message = log_->messages.Find(id_);
  if (!same || message == nullptr || !(message->place == from_)) return GiveUp();
  ReplaceExtents(record_, fresh);
  after_ = log_->streams.TakeExtents(&stream_);
  log_->streams.Claimed(&stream_);
  log_->segments.MarkSuspect(&log_->segments[from_.segment()]);
  phase_ = Phase::kMove;
  Writer::Move move;
  move.type = EntryType::kMessage;
  move.id = id_;
  move.from = from_;
  move.data = record_;
  move.extents = &after_;
  log_->writer.AddMove(move);
}

void ExtentMover::FinishMove() {
  // Still ours when nothing was written.
  if (after_.empty()) ++log_->stats.moved_bodies;
  for (const Extent& extent : after_) log_->DropExtent(extent);
  after_.clear();
  phase_ = Phase::kNext;
}

void ExtentMover::GiveUp() {
  if (piece_) log_->fetcher.Return(piece_.buffer);
  piece_ = {};
  if (stream_.active()) stream_.Abort();
  phase_ = Phase::kNext;
  if (stopped_) Forget();
}

void ExtentMover::EndPass() {
  ids_.clear();
  if (!victim_->dead() && ++passes_ < kExtentPasses) {
    phase_ = Phase::kScan;
    cursor_ = 0;
    not_before_ns_ = log_->io->now_ns() + kExtentPassDelayNs;
    return;
  }
  victim_->stuck = !victim_->dead();  // Log retires it if it is
  Forget();
}

void ExtentMover::Forget() {
  ids_.clear();
  victim_ = nullptr;
  log_->pool.set_reclaiming(false);
  log_->segments.set_may_be_dead(true);
}

}  // namespace outbox::queue
