// The operations of UringIo: Begin, Submit (into the ring, or the backlog when the ring is full),
// then a completion, which Complete() judges by the operation's kind: it goes on with the same Op
// (a short send, a receive without a buffer) or to Finish, which alone calls the owner for the last
// time.
#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "io/tcp_socket.h"
#include "io/uring_io.h"
#include "io/uring_op.h"

namespace outbox::io {
namespace {

// The kernel's bound on the parts of one call (UIO_MAXIOV).
constexpr size_t kPartsMax = 1024;

uint64_t BytesOf(std::span<const iovec> parts) {
  uint64_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  return total;
}

}  // namespace

// --- Starting ------------------------------------------------------------------------------------

void UringIo::Begin(Op* op, Kind kind, int handle) {
  CHECK(!op->in_flight && op->done != nullptr && !op->link.linked());
  const bool same_receive =
      (op->kind == kRecv || op->kind == kRecvInto) && op->handle == handle && !op->cancelled;
  SetMark(op, kMarkTicket | kMarkEarly | kMarkOnce, false);
  if (!same_receive) SetMark(op, kMarkNonempty, false);
  op->kind = kind;
  op->handle = handle;
  op->cancelled = false;
  op->in_flight = true;
  ++in_flight_;
}

void UringIo::Submit(Op* op) {
  if (backlog_.empty() && Prepare(op)) return;
  SetPlace(op, UringPlace::kInBacklog);
  backlog_.PushBack(op);
}

bool UringIo::Prepare(Op* op) {
  SetPlace(op, UringPlace::kInKernel);
  switch (op->kind) {
    case kAccept:
      return ring_->PrepareAccept(op->handle, features_.multishot_accept, UserData(op));
    case kConnect: {
      const TcpAddress* address = reinterpret_cast<const TcpAddress*>(op->scratch);
      const socklen_t size =
          address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
      return ring_->PrepareConnect(op->handle, &address->any, size, UserData(op));
    }
    case kRecv:
    case kRecvInto:
      return PrepareRecv(op);
    case kSend:
      return PrepareSend(op);
    case kRead:
      return ring_->PrepareRead(op->handle, SpanIn(op), op->scratch[2], UserData(op));
    case kWrite: {
      const std::span<const iovec> parts = PartsIn(op);
      if (parts.size() == 1) {
        return ring_->PrepareWrite(op->handle, parts[0], op->scratch[2], UserData(op));
      }
      return ring_->PrepareWriteParts(op->handle, parts, op->scratch[2], UserData(op));
    }
    default:
      CHECK(false);
      return false;
  }
}

// Goes on behind what was sent. In the middle of a part, the rest of that part is a send of its
// own, so that the owner's parts serve as they are.
bool UringIo::PrepareSend(Op* op) {
  std::span<const iovec> parts = PartsIn(op);
  size_t skip = SentIn(op);
  while (skip >= parts[0].iov_len) {
    skip -= parts[0].iov_len;
    parts = parts.subspan(1);
  }
  if (skip > 0 || parts.size() == 1) {
    const iovec rest = {static_cast<char*>(parts[0].iov_base) + skip, parts[0].iov_len - skip};
    return ring_->PrepareSend(op->handle, rest, UserData(op));
  }
  return ring_->PrepareSendParts(op->handle, parts.first(std::min(parts.size(), kPartsMax)),
                                 UserData(op));
}

// Gives an operation its result without the kernel; the owner hears of it in the next turn.
void UringIo::MakeReady(Op* op, int32_t result) {
  SetReadyResult(op, result);
  SetPlace(op, UringPlace::kReady);
  ready_.PushBack(op);
  ++ready_count_;
}

void UringIo::Accept(Op* op, Socket listener) {
  Begin(op, kAccept, listener);
  Submit(op);
}

void UringIo::Connect(Op* op, const core::SocketAddress& peer, const core::SocketAddress* local) {
  const int socket = OpenTcp(peer, local);
  Begin(op, kConnect, socket >= 0 ? socket : kNoHandle);
  if (socket < 0) return MakeReady(op, socket);
  TcpAddress address;
  ToSystemAddress(peer, &address);
  memcpy(op->scratch, &address, sizeof(address));
  Submit(op);
}

void UringIo::ConnectUnix(Op* op, const std::string& path) {
  CHECK(!path.empty() && path.size() <= kUnixPathBytes);
  int socket = kNoHandle;
  const int32_t result = ConnectUnixNow(path, &socket);
  Begin(op, kConnect, socket);
  MakeReady(op, result);
}

void UringIo::Send(Op* op, Socket socket, std::span<const iovec> parts) {
  const uint64_t total = BytesOf(parts);
  CHECK(total > 0 && total <= INT32_MAX);
  Begin(op, kSend, socket);
  op->scratch[0] = WordOf(parts.data());
  op->scratch[1] = parts.size();
  op->scratch[2] = total << 32;
  Submit(op);
}

void UringIo::Read(Op* op, File file, std::span<char> into, uint64_t offset) {
  CHECK(!into.empty() && into.size() <= INT32_MAX);
  Begin(op, kRead, file);
  op->scratch[0] = WordOf(into.data());
  op->scratch[1] = into.size();
  op->scratch[2] = offset;
  Submit(op);
}

void UringIo::Write(Op* op, File file, std::span<const iovec> parts, uint64_t offset) {
  CHECK(!parts.empty() && parts.size() <= kPartsMax && BytesOf(parts) <= INT32_MAX);
  Begin(op, kWrite, file);
  op->scratch[0] = WordOf(parts.data());
  op->scratch[1] = parts.size();
  op->scratch[2] = offset;
  Submit(op);
}

void UringIo::StartOnHelper(Op* op, HelperThread::Work work) {
  Begin(op, kHelper, kNoHandle);
  SetPlace(op, UringPlace::kAtHelper);
  op->scratch[0] = WordOf(helper_->Start(op, std::move(work)));
}

void UringIo::RunLong(Op* op, std::function<int32_t()> work) {
  Begin(op, kHelper, kNoHandle);
  SetPlace(op, UringPlace::kAtLongHelper);
  op->scratch[0] = WordOf(long_helper_->Start(
      op, [work = std::move(work)](const std::atomic<bool>&) { return work(); }));
}

void UringIo::Cancel(Op* op) {
  if (!op->in_flight || op->cancelled) return;
  op->cancelled = true;
  switch (PlaceOf(op)) {
    case UringPlace::kReady:
      return;
    case UringPlace::kParked:
    case UringPlace::kInBacklog:
      op->link.Unlink();
      return MakeReady(op, -ECANCELED);
    case UringPlace::kAtHelper:
    case UringPlace::kAtLongHelper: {
      HelperThread* helper =
          PlaceOf(op) == UringPlace::kAtHelper ? helper_.get() : long_helper_.get();
      if (helper->Cancel(reinterpret_cast<HelperThread::Job*>(op->scratch[0]))) {
        MakeReady(op, -ECANCELED);
      }
      return;
    }
    case UringPlace::kStanding:
      standing_.Find(op->handle)->op = nullptr;
      return MakeReady(op, -ECANCELED);
    case UringPlace::kInKernel:
      if (!unsent_cancels_.empty() || !ring_->PrepareCancel(UserData(op), kTagCancel)) {
        unsent_cancels_.PushBack(op);
      }
      return;
  }
}

// --- Completions ---------------------------------------------------------------------------------

void UringIo::Complete(Op* op, const Ring::Completion& completion) {
  if (HasMark(op, kMarkEarly)) return DeliverEarly(op, standing_.Find(op->handle));
  switch (op->kind) {
    case kAccept:
      return CompleteAccept(op, completion);
    case kConnect:
      return CompleteConnect(op, completion.result);
    case kRecv:
    case kRecvInto:
      return CompleteRecv(op, completion);
    case kSend:
      return CompleteSend(op, completion.result);
    default:
      return Finish(op, completion.result);
  }
}

void UringIo::CompleteAccept(Op* op, const Ring::Completion& completion) {
  const int32_t result = completion.result;
  const bool ended = !completion.more;
  const bool cancelled = op->cancelled;
  if (result >= 0) {
    // Armed again before the owner hears of it, so that it finds the operation as always.
    if (ended && !cancelled) {
      ++counters_.accepts_rearmed;
      Submit(op);
    }
    OpResult accepted;
    accepted.result = result;
    accepted.more = true;
    op->done(op, accepted);
    if (ended && cancelled) Finish(op, -ECANCELED);
    return;
  }
  // A client that was gone before we took it is none of the owner's business.
  const bool gone = result == -ECONNABORTED || result == -EPROTO || result == -EINTR;
  // The kernel has no way to say beforehand whether it can accept more than once.
  const bool no_multishot = result == -EINVAL && features_.multishot_accept;
  if (!cancelled && (gone || no_multishot)) {
    if (no_multishot) features_.multishot_accept = false;
    ++counters_.accepts_rearmed;
    return Submit(op);
  }
  Finish(op, gone ? -ECANCELED : result);
}

void UringIo::CompleteConnect(Op* op, int32_t result) {
  if (result >= 0 && !op->cancelled) return Finish(op, op->handle);
  if (op->handle != kNoHandle) CloseTcp(op->handle, false);
  Finish(op, result < 0 ? result : -ECANCELED);
}

void UringIo::CompleteSend(Op* op, int32_t result) {
  if (result > 0) op->scratch[2] += static_cast<uint32_t>(result);
  const uint32_t sent = SentIn(op);
  const bool all = sent == TotalIn(op);
  if (!all && !op->cancelled && result > 0) {
    ++counters_.short_sends;
    return Submit(op);
  }
  if (all || (op->cancelled && sent > 0)) {
    return Finish(op, static_cast<int32_t>(sent));
  }
  Finish(op, result < 0 ? result : -EIO);
}

void UringIo::Finish(Op* op, const OpResult& result) {
  op->in_flight = false;
  --in_flight_;
  op->done(op, result);
}

void UringIo::Finish(Op* op, int32_t result) {
  OpResult outcome;
  // A worker of the kernel that was cancelled in the middle of a call says EINTR.
  outcome.result = op->cancelled && result == -EINTR ? -ECANCELED : result;
  Finish(op, outcome);
}

}  // namespace outbox::io
