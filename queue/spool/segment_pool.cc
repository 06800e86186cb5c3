#include "queue/spool/segment_pool.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/crc32c.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {

// One chain of operations on one segment. Never outlives its last completion.
struct SegmentPool::Job {
  SegmentPool* pool = nullptr;
  Segment* segment = nullptr;
  AlignedBuffer buffer;
  iovec part = {};
  io::Op op;
  std::string path;
  bool fresh = false;
  bool in_use = false;
  // Where the chain goes on.
  void (SegmentPool::*next)(Job*, int32_t) = nullptr;

  void OnDone(const io::OpResult& result) {
    const auto step = next;
    (pool->*step)(this, result.result);
  }
  template <auto Step>
  void Then() {
    next = Step;
  }
};

namespace {
constexpr int64_t kRetryNs = core::kSpoolRetryMs * core::kNsPerMs;
// Free segments that are kept whatever is in use; as many again as are in use are kept as well.
constexpr uint64_t kFreeKept = 16;
// A peak that comes again within this time finds its segments still there.
constexpr int64_t kExcessNs = 60 * core::kNsPerSecond;
}  // namespace

SegmentPool::SegmentPool(Log* log) : log_(log) { space_op_.Bind<&SegmentPool::OnSpace>(this); }
SegmentPool::~SegmentPool() { CHECK(idle()); }

void SegmentPool::Start(uint64_t next_generation) {
  next_generation_ = next_generation;
  started_ = true;
}

SegmentPool::Job* SegmentPool::NewJob(Segment* segment, size_t buffer_bytes) {
  Job* job = nullptr;
  for (const auto& candidate : jobs_) {
    if (!candidate->in_use) job = candidate.get();
  }
  if (job == nullptr) {
    jobs_.push_back(std::make_unique<Job>());
    job = jobs_.back().get();
    job->pool = this;
    job->op.Bind<&Job::OnDone>(job);
  }
  job->in_use = true;
  job->segment = segment;
  if (job->buffer.size() != buffer_bytes) job->buffer = AlignedBuffer(buffer_bytes);
  job->part = {job->buffer.data(), job->buffer.size()};
  ++jobs_in_flight_;
  return job;
}

void SegmentPool::EndJob(Job* job) {
  job->in_use = false;
  if (job->buffer.size() > kBlock) job->buffer.Reset();
  --jobs_in_flight_;
}

void SegmentPool::Tick(int64_t now_ns) {
  if (!started_ || stopped_) return;
  if (!asking_space_ && !making_ && now_ns >= next_space_ns_) AskSpace(now_ns);
  if (now_ns < not_before_ns_) return;
  if (ready_log_ == nullptr && !starting_[static_cast<int>(SegmentKind::kLog)]) {
    StartUse(SegmentKind::kLog);
  }
  if (want_extents_ && ready_extents_ == nullptr && may_take_extents() &&
      !starting_[static_cast<int>(SegmentKind::kExtents)]) {
    StartUse(SegmentKind::kExtents);
  }
  MakeAhead(now_ns);
  Trim(now_ns);
}

// Disk use stays under twice the bytes of the segments in use and a constant, also when most of a
// large spool has gone at once.
void SegmentPool::Trim(int64_t now_ns) {
  const uint64_t used = log_->segments.log_bytes() + log_->segments.extent_bytes();
  const uint64_t kept = used + kFreeKept * log_->options.segment_bytes;
  if (free_count_ * log_->options.segment_bytes <= kept) {
    excess_since_ns_ = 0;
    return;
  }
  if (excess_since_ns_ == 0) {
    excess_since_ns_ = now_ns;
    trim_below_ = log_->segments.count();
  }
  if (trimming_ != nullptr || now_ns - excess_since_ns_ < kExcessNs) return;
  while (trim_below_ > 0) {
    Segment& segment = log_->segments[--trim_below_];
    if (segment.state != SegmentState::kFree) continue;
    --free_count_;
    segment.state = SegmentState::kMaking;
    trimming_ = &segment;
    return Remove(NewJob(&segment, kBlock));
  }
  excess_since_ns_ = 0;  // from the top again, in a while
}

// The space is asked for anew before each segment that is made: other logs and other programs take
// from it as well, and what they leave to the operator is not ours.
void SegmentPool::MakeAhead(int64_t now_ns) {
  if (free_count_ >= log_->options.spare_segments) {
    asked_to_make_ = declined_ = false;
    return;
  }
  if (making_ || asking_space_) return;
  if (!asked_to_make_) {
    if (!declined_) AskSpace(now_ns);
    return;
  }
  asked_to_make_ = false;
  declined_ = available() <= free_count_;
  if (!declined_) Make();
}

int64_t SegmentPool::NextDeadline() const {
  if (!started_ || stopped_) return core::kNever;
  int64_t next = asking_space_ || making_ ? core::kNever : next_space_ns_;
  if (not_before_ns_ > log_->io->now_ns()) next = std::min(next, not_before_ns_);
  return next;
}

uint32_t SegmentPool::available() const {
  const StoreOptions& options = log_->options;
  const uint64_t used = log_->segments.disk_bytes();
  const uint64_t by_bound = options.max_bytes > used ? options.max_bytes - used : 0;
  const uint64_t by_disk = space_.free_bytes > options.disk_reserve_bytes
                               ? space_.free_bytes - options.disk_reserve_bytes
                               : 0;
  const uint64_t more = std::min(by_bound, by_disk) / options.segment_bytes;
  const uint32_t by_number = core::kSegmentsPerLog - log_->segments.count();
  return free_count_ + static_cast<uint32_t>(std::min<uint64_t>(more, by_number));
}

uint32_t SegmentPool::reserve() const { return log_->options.reserve_segments; }

bool SegmentPool::hopeless() const {
  return ready_log_ == nullptr && jobs_in_flight_ == 0 && (available() == 0 || stopped_);
}

void SegmentPool::AskSpace(int64_t now_ns) {
  asking_space_ = true;
  asked_to_make_ = free_count_ < log_->options.spare_segments;
  next_space_ns_ = now_ns + core::kSpoolSpacePollMs * core::kNsPerMs;
  ++jobs_in_flight_;
  log_->io->Space(&space_op_, log_->options.directory, &asked_space_);
}

void SegmentPool::OnSpace(const io::OpResult& result) {
  asking_space_ = false;
  --jobs_in_flight_;
  space_ = result.result < 0 ? io::SpaceInfo() : asked_space_;
}

void SegmentPool::AddFree(Segment* segment) {
  segment->state = SegmentState::kFree;
  ++free_count_;
}

Segment* SegmentPool::TakeLog(bool for_mail) {
  if (ready_log_ == nullptr || (for_mail && available() < reserve())) return nullptr;
  Segment* segment = ready_log_;
  ready_log_ = nullptr;
  segment->state = SegmentState::kActive;
  return segment;
}

Segment* SegmentPool::TakeExtents() {
  if (ready_extents_ == nullptr) {
    WantExtents();
    return nullptr;
  }
  Segment* segment = ready_extents_;
  ready_extents_ = nullptr;
  segment->state = SegmentState::kActive;
  return segment;
}

void SegmentPool::StartUse(SegmentKind kind) {
  Segment* free = nullptr;
  for (uint32_t i = 0; free_count_ > 0 && i < log_->segments.count(); ++i) {
    Segment& segment = log_->segments[i];
    if (segment.state == SegmentState::kFree) {
      free = &segment;
      break;
    }
  }
  if (free == nullptr) return;
  --free_count_;
  free->state = SegmentState::kStarting;
  starting_[static_cast<int>(kind)] = true;
  SegmentHeader header;
  header.kind = kind;
  header.log_id = log_->options.log_id;
  header.use = {next_generation_++, log_->io->RandomU64()};
  header.segment_bytes = free->bytes;
  header.next_id = log_->next_id();
  log_->segments.Begin(free, kind, header.use);
  Job* job = NewJob(free, kBlock);
  EncodeSegmentHeader(header, std::span<char, io::kBlockBytes>(job->buffer.data(), kBlock));
  job->Then<&SegmentPool::OnStarted>();
  log_->io->Write(&job->op, free->file, {&job->part, 1}, 0);
}

void SegmentPool::OnStarted(Job* job, int32_t result) {
  Segment* segment = job->segment;
  starting_[static_cast<int>(segment->kind)] = false;
  EndJob(job);
  if (result != static_cast<int32_t>(kBlock)) {
    // Its header may be written or not or in part; an empty use is as good as a free segment, and
    // the next use writes a new header. This is also how a disk that has failed is tried again.
    log_->segments.End(segment);
    AddFree(segment);
    not_before_ns_ = log_->io->now_ns() + kRetryNs;
    log_->NoteWriteError(result);
    return;
  }
  segment->state = SegmentState::kReady;
  if (segment->kind == SegmentKind::kLog) {
    ready_log_ = segment;
  } else {
    ready_extents_ = segment;
  }
}

void SegmentPool::Make() {
  making_ = true;
  Segment* segment = &log_->segments.Unused();
  segment->state = SegmentState::kMaking;
  segment->bytes = static_cast<uint32_t>(log_->options.segment_bytes);
  log_->segments.AddFile(segment->bytes);
  Job* job = NewJob(segment, kBlock);
  job->path = log_->PathOf(segment->number);
  io::OpenOptions open;
  open.write = open.create = open.dsync = true;
  open.direct = log_->options.direct;
  job->Then<&SegmentPool::OnMade>();
  log_->io->Open(&job->op, job->path, open);
}

void SegmentPool::OnMade(Job* job, int32_t result) {
  if (result == -EINVAL && log_->options.direct) {
    // A file system without O_DIRECT: all that we open from now on is buffered, and still dsync.
    log_->options.direct = false;
    io::OpenOptions open;
    open.write = open.create = open.dsync = true;
    return log_->io->Open(&job->op, job->path, open);
  }
  if (result < 0) return MakeFailed(job, -result);
  job->segment->file = result;
  job->Then<&SegmentPool::OnFilled>();
  log_->io->Fill(&job->op, job->segment->file, job->segment->bytes);
}

void SegmentPool::OnFilled(Job* job, int32_t result) {
  if (result < 0) return MakeFailed(job, -result);
  job->Then<&SegmentPool::OnDirectorySynced>();
  log_->io->SyncDirectory(&job->op, log_->options.directory);
}

void SegmentPool::OnDirectorySynced(Job* job, int32_t result) {
  if (result < 0) return MakeFailed(job, -result);
  job->segment->use = {};
  WriteMark(job, /*fresh=*/true);
}

void SegmentPool::MakeFailed(Job* job, int error) {
  space_.free_bytes = 0;  // until it is asked for again
  not_before_ns_ = log_->io->now_ns() + kRetryNs;
  next_space_ns_ = std::min(next_space_ns_, not_before_ns_);
  if (error != ENOSPC && error != EDQUOT) log_->NoteWriteError(-error);
  making_ = false;
  Remove(job);
}

// Closes and removes the file; whatever happens, the segment is gone for us.
void SegmentPool::Remove(Job* job) {
  job->path = log_->PathOf(job->segment->number);
  if (job->segment->file == io::kNoHandle) return OnClosed(job, 0);
  job->Then<&SegmentPool::OnClosed>();
  log_->io->CloseFile(&job->op, job->segment->file);
  job->segment->file = io::kNoHandle;
}

void SegmentPool::OnClosed(Job* job, int32_t) {
  job->Then<&SegmentPool::OnRemoved>();
  log_->io->Unlink(&job->op, job->path);
}

void SegmentPool::OnRemoved(Job* job, int32_t result) {
  if (result < 0 && result != -ENOENT) {
    if (trimming_ == job->segment) trimming_ = nullptr;
    // It is still there, with what is in it: keep it and try to retire it another time.
    job->next = nullptr;
    if (job->segment->state == SegmentState::kMaking) {
      job->segment->state = SegmentState::kAbsent;
      log_->segments.DropFile(job->segment->bytes);
    } else {
      --retiring_;
      job->segment->state = SegmentState::kSealed;
      job->segment->stuck = true;
    }
    EndJob(job);
    return;
  }
  job->Then<&SegmentPool::OnGone>();
  log_->io->SyncDirectory(&job->op, log_->options.directory);
}

void SegmentPool::OnGone(Job* job, int32_t result) {
  Segment* segment = job->segment;
  EndJob(job);
  if (trimming_ == segment) trimming_ = nullptr;
  if (segment->state == SegmentState::kRetiring) {
    --retiring_;
    if (result < 0) {
      segment->state = SegmentState::kSealed;
      segment->stuck = true;
      return;
    }
    log_->segments.End(segment);
  }
  segment->state = SegmentState::kAbsent;
  log_->segments.DropFile(segment->bytes);
}

void SegmentPool::Seal(Segment* segment, IndexBuilder* index) {
  segment->state = SegmentState::kSealed;
  log_->segments.set_may_be_dead(true);
  if (segment->failed || index->entry_count() == 0) return;
  const uint32_t index_room = Align(index->bytes(), kBlock);
  const uint32_t footer_at = segment->bytes - kBlock;
  CHECK(segment->data_end + index_room <= footer_at);
  ++segment->pins;
  Job* job = NewJob(segment, index_room + kBlock);
  std::memset(job->buffer.data(), 0, job->buffer.size());
  std::memcpy(job->buffer.data(), index->out().data(), index->bytes());
  Footer footer;
  footer.use = segment->use;
  footer.log_id = log_->options.log_id;
  footer.data_end = segment->data_end;
  footer.index_at = footer_at - index_room;
  footer.index_bytes = index->bytes();
  footer.index_crc =
      core::Crc32cExtend(footer.use.Seed(footer.index_at), {index->out().data(), index->bytes()});
  footer.entry_count = index->entry_count();
  footer.next_id = log_->next_id();
  EncodeFooter(footer, std::span<char, io::kBlockBytes>(job->buffer.data() + index_room, kBlock));
  job->Then<&SegmentPool::OnSealed>();
  log_->io->Write(&job->op, segment->file, {&job->part, 1}, footer.index_at);
}

void SegmentPool::OnSealed(Job* job, int32_t result) {
  // Without an index recovery goes through the batches.
  if (result < 0) log_->NoteWriteError(result);
  --job->segment->pins;
  log_->segments.set_may_be_dead(true);
  EndJob(job);
}

void SegmentPool::Retire(Segment* segment) {
  CHECK(segment->dead());
  segment->state = SegmentState::kRetiring;
  ++retiring_;
  WriteMark(NewJob(segment, kBlock), /*fresh=*/false);
}

void SegmentPool::WriteMark(Job* job, bool fresh) {
  job->fresh = fresh;
  const RetireMark mark = {log_->options.log_id, job->segment->use.generation, log_->next_id()};
  EncodeRetireMark(mark, std::span<char, io::kBlockBytes>(job->buffer.data(), kBlock));
  job->Then<&SegmentPool::OnMarked>();
  log_->io->Write(&job->op, job->segment->file, {&job->part, 1}, kRetireMarkAt);
}

void SegmentPool::OnMarked(Job* job, int32_t result) {
  Segment* segment = job->segment;
  if (result != static_cast<int32_t>(kBlock)) {
    if (job->fresh) return MakeFailed(job, result < 0 ? -result : EIO);
    log_->NoteWriteError(result);
    constexpr uint32_t kTries = 3;
    if (++segment->tries < kTries) return WriteMark(job, false);
    return Remove(job);
  }
  EndJob(job);
  if (job->fresh) {
    making_ = false;
    // The next answer will know; until then, what we took counts.
    space_.free_bytes -= std::min<uint64_t>(space_.free_bytes, segment->bytes);
  } else {
    --retiring_;
    log_->segments.End(segment);
  }
  AddFree(segment);
}

}  // namespace outbox::queue
