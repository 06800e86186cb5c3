// The loop of UringIo: making it, turning it, waking it. What an operation goes through is in
// uring_io_ops.cc.
#include "io/uring_io.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/time.h"
#include "io/uring_op.h"

namespace outbox::io {
namespace {

// How long a turn waits at most while parked receives and free buffers are both there. That state
// ends by itself in the turn that issues the receives again, unless bytes that were announced did
// not come.
constexpr int64_t kParkedWaitMaxNs = core::kNsPerMs;

// Completions between two submissions. Fewer cost more system calls, more lose the caches.
constexpr size_t kPiece = 32;
constexpr uint64_t kLineBytes = 64;  // of a cache

// Asks for the cache lines around an operation: its owner is what contains it. A wrong address does
// no harm.
void PrefetchOwner(uint64_t user_data) {
  const uint64_t first = user_data - 2 * kLineBytes;
  for (uint64_t line = 0; line < 5; ++line) {
    __builtin_prefetch(reinterpret_cast<const void*>(first + line * kLineBytes));
  }
}

StandingReceive* StandingIn(const Ring::Completion& completion) {
  if ((completion.user_data & kTagMask) != kTagReceive) return nullptr;
  return reinterpret_cast<StandingReceive*>(completion.user_data - kTagReceive);
}

// Where the operation of a standing receive is stands in it: one step more.
void PrefetchOwners(std::span<const Ring::Completion> completions) {
  for (const Ring::Completion& completion : completions) {
    const StandingReceive* standing = StandingIn(completion);
    if (standing != nullptr) {
      __builtin_prefetch(standing);
    } else {
      PrefetchOwner(completion.user_data);
    }
  }
  for (const Ring::Completion& completion : completions) {
    const StandingReceive* standing = StandingIn(completion);
    if (standing != nullptr) PrefetchOwner(UserData(standing->op));
  }
}

// Hands the buffers to the kernel, as that group. False: it has no such rings.
bool Publish(Ring* ring, uint16_t group, BufferPool* buffers) {
  if (!ring->RegisterBufferRing(group, buffers->ring_memory(), buffers->count())) return false;
  buffers->PublishAll();
  return true;
}

int64_t ReadClock(clockid_t clock) {
  timespec now = {};
  CHECK(clock_gettime(clock, &now) == 0);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

}  // namespace

core::Result<std::unique_ptr<UringIo>> UringIo::Create(const UringOptions& options) {
  Features features;
  Ring::Options ring_options;
  ring_options.submission_entries = options.submission_entries;
  ring_options.completion_entries = options.completion_entries;
  for (const std::string& name : options.disable) {
    if (name == "defer_taskrun") {
      ring_options.defer_taskrun = false;
    } else if (name == "single_issuer") {
      ring_options.single_issuer = false;
    } else if (name == "multishot_accept") {
      features.multishot_accept = false;
    } else if (name == "multishot_receive") {
      features.multishot_receive = false;
    } else if (name == "provided_buffer_ring") {
      features.provided_buffer_ring = false;
    } else if (name == "msg_ring") {
      features.msg_ring = false;
    } else if (name == "poll_first") {
      features.poll_first = false;
    } else {
      return core::Status(core::StatusCode::kInvalidArgument,
                          "io.disable: unknown feature \"" + name + "\"");
    }
  }
  core::Result<std::unique_ptr<Ring>> ring = Ring::Create(ring_options);
  if (!ring.ok()) return ring.status();
  core::Result<std::unique_ptr<BufferPool>> buffers =
      BufferPool::Create(options.buffer_count, options.buffer_bytes);
  if (!buffers.ok()) return buffers.status();
  features.provided_buffer_ring =
      features.provided_buffer_ring && Publish(ring->get(), kGroup, buffers->get());
  std::unique_ptr<BufferPool> standing;
  features.multishot_receive = features.multishot_receive && features.provided_buffer_ring;
  if (features.multishot_receive) {
    core::Result<std::unique_ptr<BufferPool>> made =
        BufferPool::Create(options.standing_buffer_count, options.standing_buffer_bytes);
    if (!made.ok()) return made.status();
    standing = std::move(*made);
    features.multishot_receive = Publish(ring->get(), kStandingGroup, standing.get());
  }
  features.msg_ring = features.msg_ring && (*ring)->has_message();
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) return core::Status::FromErrno(errno, "eventfd");
  return std::unique_ptr<UringIo>(
      new UringIo(std::move(*ring), std::move(*buffers), std::move(standing), features, event));
}

std::vector<std::pair<const char*, bool>> UringIo::FeaturesInUse() const {
  return {{"single_issuer", ring_->single_issuer()},
          {"defer_taskrun", ring_->defers_taskrun()},
          {"multishot_accept", features_.multishot_accept},
          {"multishot_receive", features_.multishot_receive},
          {"provided_buffer_ring", features_.provided_buffer_ring},
          {"msg_ring", features_.msg_ring},
          {"poll_first", features_.poll_first}};
}

uint64_t UringIo::RaiseOpenFiles() {
  rlimit limit = {};
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t soft = std::exchange(limit.rlim_cur, limit.rlim_max);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

core::Status UringIo::ReserveOpenFiles(uint64_t files) {
  rlimit limit = {};
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= files) return core::OkStatus();
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = std::min<rlim_t>(files, hard);
  if (hard >= files && setrlimit(RLIMIT_NOFILE, &limit) == 0) return core::OkStatus();
  return core::Status(core::StatusCode::kResourceExhausted,
                      "open files: " + std::to_string(files) + " are needed, the hard limit is " +
                          std::to_string(hard) +
                          "; raise RLIMIT_NOFILE (ulimit -n, or LimitNOFILE= of the service) or "
                          "lower the configured connections");
}

UringIo::UringIo(std::unique_ptr<Ring> ring, std::unique_ptr<BufferPool> buffers,
                 std::unique_ptr<BufferPool> standing_buffers, Features features, int event)
    : ring_(std::move(ring)),
      buffers_(std::move(buffers)),
      standing_buffers_(std::move(standing_buffers)),
      features_(features),
      event_(event),
      helper_(std::make_unique<HelperThread>([this] {
        if (ClaimSleeper()) WriteEvent();
      })),
      long_helper_(std::make_unique<HelperThread>([this] {
        if (ClaimSleeper()) WriteEvent();
      })) {
  ReadClocks();
}

UringIo::~UringIo() {
  CHECK(in_flight_ == 0);
  helper_.reset();  // its thread writes to our eventfd
  long_helper_.reset();
  ring_.reset();
  close(event_);
}

void UringIo::Start() {
  CHECK(!started_);
  started_ = true;
  ring_->Enable();
}

bool UringIo::Drain(int64_t limit_ns) {
  const int64_t until_ns = now_ns_ + limit_ns;
  while (in_flight_ > 0 && now_ns_ < until_ns) Turn(until_ns);
  return in_flight_ == 0;
}

int64_t UringIo::ProcessorNs() const { return ReadClock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t UringIo::RandomU64() {
  uint64_t value = 0;
  CHECK(getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
  return value;
}

// --- The turn ------------------------------------------------------------------------------------

void UringIo::ReadClocks() {
  now_ns_ = ReadClock(CLOCK_BOOTTIME);
  wall_ns_ = ReadClock(CLOCK_REALTIME);
}

void UringIo::Turn(int64_t until_ns) {
  if (!started_) Start();
  ++counters_.turns;
  ArmEvent();
  SubmitBacklog();
  UnparkReceives();
  Enter(until_ns);
  ReadClocks();
  RunReady();
  RunCompletions();
  RunHelped();
}

// The poll that turns writes to the eventfd into completions. It ends when the completion queue
// overruns.
void UringIo::ArmEvent() {
  if (event_armed_) return;
  event_armed_ = ring_->PreparePollReadable(event_, true, kTagEvent);
}

void UringIo::SubmitBacklog() {
  while (Op* op = unsent_cancels_.front()) {
    if (!ring_->PrepareCancel(UserData(op), kTagCancel)) return;
    unsent_cancels_.Remove(op);
  }
  while (!unsent_ends_.empty()) {
    if (!ring_->PrepareCancel(UserData(unsent_ends_.back()), kTagCancel)) return;
    unsent_ends_.pop_back();
  }
  while (Op* op = backlog_.front()) {
    if (!Prepare(op)) {
      SetPlace(op, UringPlace::kInBacklog);
      return;
    }
    backlog_.Remove(op);
  }
}

void UringIo::Enter(int64_t until_ns) {
  bool wait = until_ns > now_ns_ && !woken_ && ready_.empty() && backlog_.empty() &&
              unsent_cancels_.empty() && unsent_ends_.empty() && event_armed_;
  woken_ = false;
  if (wait) {
    // The helper asks the same question as another shard: does it sleep?
    sleeping_.store(true, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    wait = !helper_->has_done() && !long_helper_->has_done();
  }
  int64_t wait_ns = 0;
  if (wait) {
    if (!parked_.empty() && buffers_->free_count() > 0) {
      until_ns = std::min(until_ns, now_ns_ + kParkedWaitMaxNs);
    }
    // The frozen time is older than the functions that ran in the last turn took.
    wait_ns = until_ns == core::kNever ? core::kNever
                                       : std::max<int64_t>(until_ns - ReadClock(CLOCK_BOOTTIME), 0);
  }
  if (ring_->overflowing()) ++counters_.overflows;
  ring_->Enter(wait_ns);
  sleeping_.store(false, std::memory_order_relaxed);
}

// Only those that were there when the turn began: what their owners start next is for the next
// turn.
void UringIo::RunReady() {
  for (uint64_t left = ready_count_; left > 0; --left) {
    Op* op = ready_.PopFront();
    --ready_count_;
    Ring::Completion completion;
    completion.result = ReadyResultOf(op);
    ++counters_.completions;
    Complete(op, completion);
  }
}

void UringIo::RunHelped() {
  FinishHelped(helper_.get());
  FinishHelped(long_helper_.get());
}

void UringIo::FinishHelped(HelperThread* helper) {
  for (const std::unique_ptr<HelperThread::Job>& job : helper->TakeDone()) {
    ++counters_.completions;
    Finish(job->op, job->result);
  }
}

// Runs what had completed when the turn began, piece by piece. The kernel sends while the
// connections of a piece are still in the caches, and not after a whole turn's.
void UringIo::RunCompletions() {
  std::array<Ring::Completion, kPiece> piece;
  for (size_t left = ring_->ready(); left > 0;) {
    const std::span<Ring::Completion> taken =
        ring_->Take(std::span(piece).first(std::min(left, piece.size())));
    left -= taken.size();
    PrefetchOwners(taken);
    for (const Ring::Completion& completion : taken) Dispatch(completion);
    if (left > 0) ring_->Submit();
  }
}

void UringIo::Dispatch(const Ring::Completion& completion) {
  switch (completion.user_data & kTagMask) {
    case kTagOp: {
      Op* op = reinterpret_cast<Op*>(completion.user_data);
      // A cancel that was not sent yet need not be any more.
      if (!completion.more && op->link.linked()) op->link.Unlink();
      ++counters_.completions;
      return Complete(op, completion);
    }
    case kTagReceive:
      ++counters_.completions;
      return CompleteStanding(StandingIn(completion), completion);
    case kTagEvent:
      if (!completion.more) event_armed_ = false;
      return;
    case kTagMessage: {
      const uint64_t one = 1;
      const int event = static_cast<int>(completion.user_data >> kTagBits);
      CHECK(write(event, &one, sizeof(one)) > 0 || errno == EAGAIN);
      ++counters_.wakes_by_eventfd;
      return;
    }
    default:
      return;
  }
}

// --- Sleep and wake ------------------------------------------------------------------------------

void UringIo::PrepareToSleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// True for the one caller that has to wake us. The fence orders what the caller wrote to our
// mailbox before the question.
bool UringIo::ClaimSleeper() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return sleeping_.load(std::memory_order_relaxed) &&
         sleeping_.exchange(false, std::memory_order_acq_rel);
}

void UringIo::WriteEvent() {
  const int error = errno;  // we may be in a signal handler
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so there is a wake on its way.
  CHECK(write(event_, &one, sizeof(one)) > 0 || errno == EAGAIN);
  errno = error;
}

void UringIo::Wake(Io* other) {
  UringIo* target = static_cast<UringIo*>(other);  // all Ios of a process are of one kind
  if (target == this) {
    woken_ = true;
    return;
  }
  if (!target->ClaimSleeper()) return;
  const uint64_t on_failure = (static_cast<uint64_t>(target->event_) << kTagBits) | kTagMessage;
  if (features_.msg_ring && ring_->PrepareMessage(target->ring_->fd(), kTagWake, on_failure)) {
    ++counters_.wakes_by_ring;
    return;
  }
  ++counters_.wakes_by_eventfd;
  target->WriteEvent();
}

void UringIo::WakeFromOutside() { WriteEvent(); }

}  // namespace outbox::io
