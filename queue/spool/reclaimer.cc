#include "queue/spool/reclaimer.h"

#include <algorithm>

#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

// One read of the segment being moved.
constexpr size_t kReclaimReadBytes = 1u << 20;
// What a done entry takes when it is moved, at most: with it a list of a few generations.
constexpr uint64_t kGuardRoom = 128;
// Passes over a segment that still has live entries (commits of these are under way, writes failed)
// before it is left alone; and the time between them.
constexpr uint32_t kPasses = 50;
constexpr int64_t kPassDelayNs = 20 * core::kNsPerMs;

}  // namespace

bool Reclaimer::due() const {
  return victim_ != nullptr && !reading_ && scanned_ &&
         (log_->writer.moves_waiting() == 0 || next_ < contents_.entries.size()) &&
         log_->io->now_ns() >= next_pass_ns_;
}

Reclaimer::Reclaimer(Log* log) : log_(log) { op_.Bind<&Reclaimer::OnRead>(this); }

void Reclaimer::Stop() {
  stopped_ = true;
  if (victim_ != nullptr && !reading_ && log_->writer.moves_waiting() == 0) Forget(false);
}

void Reclaimer::Tick() {
  if (victim_ == nullptr) {
    if (stopped_) return;
    victim_ = Pick();
    if (victim_ == nullptr) return;
    generation_ = victim_->use.generation;
    log_->segments.MarkSuspect(victim_);
    bytes_ = AlignedBuffer(victim_->bytes);
    read_ = 0;
    scanned_ = false;
    passes_ = 0;
    next_pass_ns_ = 0;
    Read();
    return;
  }
  if (due()) MoveSome();
}

// Of log segments alone: nothing can be moved out of the others.
bool Reclaimer::Movable(const Segment& segment) {
  return segment.state == SegmentState::kSealed && segment.kind == SegmentKind::kLog &&
         !segment.stuck && segment.pins == 0 && !segment.dead();
}

// Null: nothing needs to be moved, or nothing would be gained.
Segment* Reclaimer::Pick() const {
  const Segments& segments = log_->segments;
  const StoreOptions& options = log_->options;
  if (log_->pool.available() == 0 && log_->pool.free_count() == 0 &&
      log_->writer.active() == nullptr) {
    return nullptr;  // nowhere to move to
  }
  for (const uint32_t suspect : segments.suspects()) {
    if (Movable(segments[suspect])) return &log_->segments[suspect];
  }
  if (segments.suspects().size() + 1 >= core::kSuspectSegmentsMax) return nullptr;
  // Free segments cost disk, too, but no more than the constant.
  constexpr uint64_t kSlackSegments = 4;
  const uint64_t room = segments.log_room();
  const bool wasteful =
      segments.log_bytes() > room + room / 2 + kSlackSegments * options.segment_bytes;
  const bool scarce = !log_->pool.above_reserve();
  // Asked in every turn: a log of any size is walked through only when there is something to gain.
  if (!wasteful && !scarce) return nullptr;
  Segment* best = nullptr;
  uint64_t best_cost = 0;
  for (uint32_t i = 0; i < segments.count(); ++i) {
    Segment& segment = log_->segments[i];
    if (!Movable(segment)) continue;
    const uint64_t cost = segment.live_room + kGuardRoom * segment.guard_refs;
    if (best == nullptr || cost < best_cost) {
      best = &segment;
      best_cost = cost;
    }
  }
  return best != nullptr && best_cost < best->bytes - best->bytes / 8 ? best : nullptr;
}

void Reclaimer::Read() {
  reading_ = true;
  ++victim_->pins;
  const size_t bytes = std::min(kReclaimReadBytes, size_t{victim_->bytes} - read_);
  log_->io->Read(&op_, victim_->file, bytes_.span().subspan(read_, bytes), read_);
}

void Reclaimer::OnRead(const io::OpResult& result) {
  reading_ = false;
  --victim_->pins;
  if (stopped_) return Forget(false);
  if (result.result <= 0) {
    log_->Damage(SegmentFileName(victim_->number), "cannot be read, its mail is not moved");
    return Forget(true);
  }
  read_ += static_cast<size_t>(result.result);
  if (read_ < victim_->data_end) return Read();
  contents_ =
      ScanSegment(bytes_.span().first(read_ / kBlock * kBlock), victim_->use, victim_->durable_end);
  for (const std::string& damage : contents_.damages) {
    log_->Damage(SegmentFileName(victim_->number), damage);
  }
  next_ = 0;
  failures_before_ = log_->writer.move_failures();
  scanned_ = true;
}

void Reclaimer::MoveSome() {
  uint32_t looked = 0;
  while (next_ < contents_.entries.size() && !stopped_) {
    if (++looked > core::kSpoolEntriesPerTurn) return;
    // Enough for two batches is under way.
    constexpr uint32_t kMovesWaitingMax = 256;
    if (log_->writer.moves_waiting() >= kMovesWaitingMax) return;
    MoveEntry(contents_.entries[next_++]);
  }
  if (log_->writer.moves_waiting() == 0) EndPass();
}

void Reclaimer::MoveEntry(const EntryRef& entry) {
  Writer::Move move;
  move.type = entry.type;
  move.id = entry.id;
  if (!RecordPlace::Holds(victim_->number, entry.offset, entry.length)) return;  // not ours
  move.from = {victim_->number, entry.offset, entry.length};
  move.data = entry.data;
  if (entry.type == EntryType::kDone) {
    // A write that failed may have left the end of a message that is still live, together with the
    // DSN that the end caused; alone, it must not go anywhere.
    if (log_->messages.Find(entry.id) != nullptr) return;
    // What it guards and what is still there, but this segment.
    std::string left;
    for (size_t i = 0; i + 8 <= entry.data.size(); i += 8) {
      const uint64_t generation = Get<uint64_t>(entry.data.data() + i);
      const Segment* guarded = log_->segments.ByGeneration(generation);
      if (guarded != nullptr && guarded != victim_ && guarded->in_use()) {
        Add<uint64_t>(&left, generation);
      }
    }
    if (left.empty()) return;
    guards_.push_back(std::move(left));
    move.data = guards_.back();
  } else {
    const Message* message = log_->messages.Find(entry.id);
    if (message == nullptr) return;
    const RecordPlace place = IsMessage(entry.type) ? message->place : message->state;
    if (!(place == move.from)) return;
    if (IsMessage(entry.type) && entry.data.size() < 4) return;
  }
  log_->writer.AddMove(move);
}

// Everything was looked at and nothing is under way.
void Reclaimer::EndPass() {
  CHECK(victim_->use.generation == generation_ && victim_->state == SegmentState::kSealed);
  if (stopped_) return Forget(false);
  const bool failed = log_->writer.move_failures() != failures_before_;
  if (!failed && contents_.damage_count == 0) victim_->guards_moved = true;
  if (victim_->dead()) return Forget(false);  // Log retires it
  // Writes failed, or commits of the messages in it were under way: look again. What stays after
  // that many passes is damaged or held by something that takes long.
  guards_.clear();
  next_ = 0;
  failures_before_ = log_->writer.move_failures();
  next_pass_ns_ = log_->io->now_ns() + kPassDelayNs;
  if (++passes_ >= kPasses) Forget(!failed);
}

void Reclaimer::Forget(bool stuck) {
  victim_->stuck = stuck;
  victim_ = nullptr;
  contents_ = {};
  guards_.clear();
  bytes_.Reset();
  scanned_ = false;
  log_->segments.set_may_be_dead(true);
}

}  // namespace outbox::queue
