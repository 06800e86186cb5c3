#include "io/ring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/time.h"

namespace outbox::io {
namespace {

// What Linux 6.1 has and we cannot do without: completions are never dropped, waits carry a time
// limit, sockets are polled instead of blocking a worker, what a submission points to is read when
// it is submitted, and a success can stay silent.
constexpr uint32_t kNeededFeatures = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG |
                                     IORING_FEAT_FAST_POLL | IORING_FEAT_SUBMIT_STABLE |
                                     IORING_FEAT_CQE_SKIP;

core::Status SetupError(int error) {
  using core::Status;
  using core::StatusCode;
  switch (error) {
    case ENOSYS:
      return Status(StatusCode::kUnimplemented,
                    "io_uring: this kernel has none; Linux 6.1 or newer is needed");
    case EPERM:
      return Status(StatusCode::kPermissionDenied,
                    "io_uring is forbidden here: see sysctl kernel.io_uring_disabled, or the "
                    "seccomp profile of the container");
    case ENOMEM:
      return Status(StatusCode::kResourceExhausted,
                    "io_uring: no memory for the ring; raise RLIMIT_MEMLOCK (ulimit -l, or "
                    "LimitMEMLOCK= of the service) or the memory of the machine");
    case EMFILE:
    case ENFILE:
      return Status(
          StatusCode::kResourceExhausted,
          "io_uring: too many open files; raise RLIMIT_NOFILE (ulimit -n, or LimitNOFILE= "
          "of the service)");
    default:
      return Status::FromErrno(error, "io_uring_setup");
  }
}

}  // namespace

core::Result<std::unique_ptr<Ring>> Ring::Create(const Options& options) {
  constexpr uint32_t kAlways =
      IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL;
  constexpr uint32_t kCooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr uint32_t kDeferred =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  // From the best to the least that will do; a kernel says EINVAL to a flag that it does not know.
  std::vector<uint32_t> attempts;
  if (options.defer_taskrun && options.single_issuer) attempts.push_back(kDeferred);
  if (options.single_issuer) attempts.push_back(IORING_SETUP_SINGLE_ISSUER | kCooperative);
  attempts.push_back(kCooperative);
  attempts.push_back(0);
  int result = -EINVAL;
  auto ring = std::make_unique<io_uring>();
  io_uring_params params = {};
  for (size_t i = 0; i < attempts.size() && result == -EINVAL; ++i) {
    params = {};
    params.flags = kAlways | attempts[i];
    params.cq_entries = options.completion_entries;
    result = io_uring_queue_init_params(options.submission_entries, ring.get(), &params);
  }
  if (result < 0) return SetupError(-result);
  std::unique_ptr<Ring> made(new Ring(std::move(ring)));
  if ((params.features & kNeededFeatures) != kNeededFeatures) {
    return core::Status(core::StatusCode::kUnimplemented,
                        "io_uring: this kernel is too old; Linux 6.1 or newer is needed");
  }
  return made;
}

Ring::Ring(std::unique_ptr<io_uring> ring)
    : ring_(std::move(ring)), headers_(*ring_->sq.kring_entries) {
  io_uring_probe* probe = io_uring_get_probe_ring(ring_.get());
  has_message_ = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_MSG_RING) != 0;
  io_uring_free_probe(probe);
}

Ring::~Ring() { io_uring_queue_exit(ring_.get()); }

void Ring::Enable() {
  CHECK(!enabled_);
  // Not io_uring_enable_rings(): the shared library of liburing 2.3 does not export it.
  const unsigned fd = static_cast<unsigned>(ring_->ring_fd);
  CHECK(io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) == 0);
  enabled_ = true;
}

int Ring::fd() const { return ring_->ring_fd; }

bool Ring::single_issuer() const { return (ring_->flags & IORING_SETUP_SINGLE_ISSUER) != 0; }

bool Ring::defers_taskrun() const { return (ring_->flags & IORING_SETUP_DEFER_TASKRUN) != 0; }

bool Ring::RegisterBufferRing(uint16_t group, void* memory, uint32_t entries) {
  io_uring_buf_reg request = {};
  request.ring_addr = reinterpret_cast<uintptr_t>(memory);
  request.ring_entries = entries;
  request.bgid = group;
  return io_uring_register_buf_ring(ring_.get(), &request, 0) == 0;
}

io_uring_sqe* Ring::NextEntry() {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  if (entry != nullptr || !enabled_) return entry;
  Submit();
  return io_uring_get_sqe(ring_.get());
}

void Ring::Submit() {
  if (io_uring_sq_ready(ring_.get()) == 0) return;
  ++enters_;
  const int result = io_uring_submit(ring_.get());
  CHECK(result >= 0 || result == -EAGAIN || result == -EBUSY || result == -EINTR ||
        result == -ENOMEM);
}

bool Ring::PrepareAccept(int socket, bool multishot, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  if (multishot) {
    io_uring_prep_multishot_accept(entry, socket, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(entry, socket, nullptr, nullptr, SOCK_CLOEXEC);
  }
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareConnect(int socket, const sockaddr* address, socklen_t size, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_connect(entry, socket, address, size);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareReceiveProvided(int socket, uint16_t group, bool multishot, bool poll_first,
                                  uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  if (multishot) {
    io_uring_prep_recv_multishot(entry, socket, nullptr, 0, 0);
  } else {
    io_uring_prep_recv(entry, socket, nullptr, 0, 0);
  }
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = group;
  if (poll_first) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareReceive(int socket, std::span<char> into, bool poll_first, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_recv(entry, socket, into.data(), into.size(), 0);
  if (poll_first) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
  entry->user_data = user_data;
  return true;
}

bool Ring::PreparePollReadable(int file, bool multishot, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  if (multishot) {
    io_uring_prep_poll_multishot(entry, file, POLLIN);
  } else {
    io_uring_prep_poll_add(entry, file, POLLIN);
  }
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareSend(int socket, const iovec& part, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_send(entry, socket, part.iov_base, part.iov_len, MSG_WAITALL | MSG_NOSIGNAL);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareSendParts(int socket, std::span<const iovec> parts, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  msghdr& header = headers_[static_cast<size_t>(entry - ring_->sq.sqes)];
  header = {};
  header.msg_iov = const_cast<iovec*>(parts.data());
  header.msg_iovlen = parts.size();
  io_uring_prep_sendmsg(entry, socket, &header, MSG_WAITALL | MSG_NOSIGNAL);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareRead(int file, std::span<char> into, uint64_t offset, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_read(entry, file, into.data(), static_cast<unsigned>(into.size()), offset);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareWrite(int file, const iovec& part, uint64_t offset, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_write(entry, file, part.iov_base, static_cast<unsigned>(part.iov_len), offset);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareWriteParts(int file, std::span<const iovec> parts, uint64_t offset,
                             uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_writev(entry, file, parts.data(), static_cast<unsigned>(parts.size()), offset);
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareCancel(uint64_t target, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_cancel64(entry, target, 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = user_data;
  return true;
}

bool Ring::PrepareMessage(int ring_fd, uint64_t message, uint64_t user_data) {
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr) return false;
  io_uring_prep_msg_ring(entry, ring_fd, 0, message, 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = user_data;
  return true;
}

void Ring::Enter(int64_t wait_ns) {
  int result = 0;
  if (wait_ns == core::kNever) {
    ++enters_;
    result = io_uring_submit_and_wait(ring_.get(), 1);
  } else if (wait_ns > 0) {
    ++enters_;
    __kernel_timespec limit = {wait_ns / core::kNsPerSecond, wait_ns % core::kNsPerSecond};
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, &limit, nullptr);
  } else {
    const uint32_t flags = IO_URING_READ_ONCE(*ring_->sq.kflags);
    if (io_uring_sq_ready(ring_.get()) == 0 &&
        (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0) {
      return;
    }
    ++enters_;
    result = io_uring_submit_and_get_events(ring_.get());
  }
  // ETIME: the time was up. EINTR: a signal. EAGAIN, EBUSY, ENOMEM: the kernel takes no submission
  // now; they stay queued. Everything else is a misuse of the ring, or (EBADR) a lost completion,
  // after which no operation's promise would hold.
  CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
        result == -EBUSY || result == -ENOMEM);
}

uint32_t Ring::ready() const { return io_uring_cq_ready(ring_.get()); }

bool Ring::overflowing() const { return io_uring_cq_has_overflow(ring_.get()); }

std::span<Ring::Completion> Ring::Take(std::span<Completion> out) {
  const uint32_t count = static_cast<uint32_t>(std::min<size_t>(ready(), out.size()));
  uint32_t taken = 0;
  uint32_t head = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, entry) {
    if (taken == count) break;
    Completion& completion = out[taken++];
    completion.user_data = entry->user_data;
    completion.result = entry->res;
    completion.has_buffer = (entry->flags & IORING_CQE_F_BUFFER) != 0;
    completion.buffer = static_cast<uint16_t>(entry->flags >> IORING_CQE_BUFFER_SHIFT);
    completion.more = (entry->flags & IORING_CQE_F_MORE) != 0;
    completion.nonempty = (entry->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
  }
  io_uring_cq_advance(ring_.get(), taken);
  return out.first(taken);
}

}  // namespace outbox::io
