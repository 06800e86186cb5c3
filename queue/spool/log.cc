#include "queue/spool/log.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

// What the table may hold above the bound of new mail: DSNs, and what was under way at the bound.
constexpr uint32_t kMessagesMargin = 1u << 22;
// Segments retired at a time.
constexpr uint32_t kRetirePerTick = 8;

}  // namespace

Log::Log(io::Io* the_io, const StoreOptions& the_options)
    : io(the_io),
      options(the_options),
      messages(core::kMessagesPerLog + kMessagesMargin),
      hot(the_options.batch_bytes_max, the_options.hot_bytes_max),
      pool(this),
      writer(this),
      fetcher(this),
      streams(this),
      reclaimer(this),
      extent_mover(this),
      recovery(this) {
  CHECK(options.segment_bytes % kBlock == 0 && options.batch_bytes_max % kBlock == 0);
  CHECK(options.segment_bytes >= 16 * kBlock && options.segment_bytes <= core::kSegmentBytesMax);
  CHECK(options.log_id < 1u << kLogIdBits);
  close_op_.Bind<&Log::OnFileClosed>(this);
}

std::string Log::PathOf(uint32_t segment) const {
  return options.directory + "/" + SegmentFileName(segment);
}

void Log::NoteId(uint64_t id) { next_counter = std::max(next_counter, (id >> kLogIdBits) + 1); }

void Log::Damage(std::string_view segment_name, std::string_view what) {
  ++stats.damages;
  std::string text = options.directory;
  text.append("/").append(segment_name).append(": ").append(what);
  if (sink != nullptr) sink->OnDamage(text);
}

void Log::NoteWriteError(int32_t result) {
  ++stats.commit_errors;
  last_error = core::Status::FromErrno(result < 0 ? -result : EIO, "write to " + options.directory);
}

void Log::AddExtents(const MetaView& meta) {
  std::vector<Extent>& list = extents[meta.id()];
  for (uint32_t i = 0; i < meta.extent_count(); ++i) list.push_back(meta.extent(i));
}

const std::vector<Extent>& Log::ShareExtents(uint64_t id, uint64_t of) {
  std::vector<Extent> shared = extents[of];
  std::vector<Extent>& list = extents[id];
  // Of a write that failed: its record may be whole.
  if (!list.empty()) KeepExtents(id, &list);
  for (const Extent& extent : shared) {
    if (extent.length == 0) continue;
    const Segment* segment = segments.ByGeneration(extent.generation);
    CHECK(segment != nullptr);
    segments.AddExtent(segment->number, Align(extent.length, kBlock));
  }
  list = std::move(shared);
  return list;
}

void Log::Drop(Message* message) {
  segments.DropMessage(*message);
  if (message->state.set()) segments.DropState(*message);
  if ((message->flags & kFlagExtents) != 0) DropExtents(message->id);
  messages.Remove(message);
}

void Log::DropExtents(uint64_t id) {
  for (auto* map : {&extents, &kept_extents}) {
    const auto found = map->find(id);
    if (found == map->end()) continue;
    for (const Extent& extent : found->second) DropExtent(extent);
    map->erase(found);
  }
}

void Log::DropExtent(const Extent& extent) {
  if (extent.length == 0) return;
  const Segment* segment = segments.ByGeneration(extent.generation);
  CHECK(segment != nullptr);
  segments.DropExtent(segment->number, Align(extent.length, kBlock));
}

void Log::MoveExtents(uint64_t id, std::vector<Extent>* fresh) {
  std::vector<Extent>& list = extents[id];
  CHECK(list.size() == fresh->size());
  for (const Extent& extent : list) {
    DropExtent(extent);
    stats.moved_bytes += extent.length;
  }
  list = std::exchange(*fresh, {});
}

void Log::KeepExtents(uint64_t id, std::vector<Extent>* kept) {
  std::vector<Extent>& list = kept_extents[id];
  list.insert(list.end(), kept->begin(), kept->end());
  kept->clear();
}

bool Log::accepting() const {
  return writable && phase_ == Phase::kRunning && !options.adopted && pool.above_reserve() &&
         (writer.active() != nullptr || !pool.hopeless()) && !writer.resting() &&
         segments.suspects().size() < core::kSuspectSegmentsMax &&
         messages.size() < core::kMessagesPerLog;
}

core::Status Log::status() const {
  if (accepting()) return core::Status();
  if (!writable && !last_error.ok()) return last_error;
  if (!writable) return core::Status(core::StatusCode::kUnavailable, "the spool is being opened");
  if (phase_ != Phase::kRunning) {
    return core::Status(core::StatusCode::kUnavailable, "the spool is being closed");
  }
  if (options.adopted) {
    return core::Status(core::StatusCode::kUnavailable, "an adopted log takes no new mail");
  }
  if (writer.resting() || segments.suspects().size() >= core::kSuspectSegmentsMax) {
    return last_error.ok() ? core::Status(core::StatusCode::kIoError, "writes to the spool fail")
                           : last_error;
  }
  if (messages.size() >= core::kMessagesPerLog) {
    return core::Status(core::StatusCode::kResourceExhausted, "too many messages in the spool");
  }
  return core::Status(core::StatusCode::kResourceExhausted, "the spool is full");
}

void Log::Tick() {
  const int64_t now = io->now_ns();
  recovery.Tick();
  pool.Tick(now);
  if (recovery.finished() && writable) {
    RetireDead();
    if (extent_mover.idle()) reclaimer.Tick();
    if (reclaimer.idle()) extent_mover.Tick();
  }
  streams.Tick();
  pool.Tick(now);  // once more: a stream may have asked for a segment, and nothing else may wake us
  fetcher.Tick();
  writer.Tick(now);
  hot.Tick(now);
  if (flush_done_) FinishFlush();
  if (phase_ == Phase::kClosing) CloseFiles();
}

int64_t Log::NextDeadline() const {
  const bool running = phase_ == Phase::kRunning;
  if (recovery.due() || fetcher.due()) return 0;
  if (recovery.finished() && running && (segments.may_be_dead() || reclaimer.due())) return 0;
  int64_t next = std::min(
      {writer.NextDeadline(), pool.NextDeadline(), streams.NextDeadline(), hot.NextDeadline()});
  if (running && recovery.finished()) {
    if (reclaimer.NextDeadline() > io->now_ns()) next = std::min(next, reclaimer.NextDeadline());
    next = std::min(next, extent_mover.NextDeadline());
  }
  return next;
}

// A segment with done entries that staged ghosts will guard must wait for these.
void Log::RetireDead() {
  if (!segments.may_be_dead() || phase_ != Phase::kRunning) return;
  segments.set_may_be_dead(false);
  if (writer.ghosts_waiting() > 0) return;
  uint32_t retired = 0;
  for (uint32_t i = 0; i < segments.count(); ++i) {
    Segment& segment = segments[i];
    if (!segment.dead() || reclaimer.moving(&segment) || extent_mover.moving(&segment)) {
      continue;
    }
    pool.Retire(&segment);
    if (++retired == kRetirePerTick) {
      segments.set_may_be_dead(true);
      return;
    }
  }
}

void Log::StartFlush(std::function<void(const core::Status&)> done) {
  CHECK(!flush_done_);
  flush_done_ = std::move(done);
  writer.set_hurry(true);
}

void Log::FinishFlush() {
  core::Status status;
  if (!writer.idle()) {
    const bool stuck = (writer.blocked_for_space() && pool.hopeless() && reclaimer.idle()) ||
                       writer.resting() || !writable;
    if (!stuck) return;
    status = last_error.ok()
                 ? core::Status(core::StatusCode::kResourceExhausted, "the spool is full")
                 : last_error;
    writer.FailWaiting(status);
    if (!writer.idle()) return;
  }
  writer.set_hurry(false);
  const auto done = std::move(flush_done_);
  flush_done_ = nullptr;
  done(status);
}

void Log::StartClose(std::function<void(const core::Status&)> done) {
  recovery.Stop();
  reclaimer.Stop();
  extent_mover.Stop();
  CHECK(phase_ == Phase::kRunning && streams.active() == 0);
  close_done_ = std::move(done);
  StartFlush([this](const core::Status& status) {
    phase_ = Phase::kClosing;
    pool.Stop();
    last_error = status;
  });
}

void Log::Abandon() {
  writer.Abandon();
  fetcher.Abandon();
  streams.Abandon();
  pool.Abandon();
  reclaimer.Abandon();
  extent_mover.Abandon();
  recovery.Abandon();
}

void Log::CloseFiles() {
  if (!pool.idle() || recovery.busy() || reclaimer.reading() || !fetcher.idle() ||
      !streams.idle()) {
    return;
  }
  phase_ = Phase::kClosingFiles;
  OnFileClosed({});
}

void Log::OnFileClosed(const io::OpResult&) {
  while (closing_ < segments.count()) {
    Segment& segment = segments[closing_++];
    if (segment.file == io::kNoHandle) continue;
    const io::File file = segment.file;
    segment.file = io::kNoHandle;
    io->CloseFile(&close_op_, file);
    return;
  }
  phase_ = Phase::kClosed;
  writable = false;
  const auto done = std::move(close_done_);
  close_done_ = nullptr;
  done(last_error);
}

}  // namespace outbox::queue
