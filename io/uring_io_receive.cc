// How UringIo receives: once into a provided buffer, or into the owner's memory; and standing, with
// one receive that stays armed as long as the peer speaks only when it is spoken to
// (standing_receives.h).
#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "io/tcp_socket.h"
#include "io/uring_io.h"
#include "io/uring_op.h"

namespace outbox::io {
namespace {

// In OpResult::buffer: a buffer of the standing receives.
constexpr uint32_t kStandingBuffer = 1u << 31;

}  // namespace

void UringIo::Recv(Op* op, Socket socket) {
  Begin(op, kRecv, socket);
  if (features_.multishot_receive && FindsStanding(op, standing_.Get(socket))) return;
  Submit(op);
}

void UringIo::RecvInto(Op* op, Socket socket, std::span<char> into) {
  CHECK(!into.empty() && into.size() <= INT32_MAX);
  Begin(op, kRecvInto, socket);
  op->scratch[0] = WordOf(into.data());
  op->scratch[1] = into.size();
  StandingReceive* standing = standing_.Find(socket);
  if (standing != nullptr) {
    standing->single = true;
    EndStanding(standing);
    if (FindsStanding(op, standing)) return;
  }
  Submit(op);
}

void UringIo::ReturnBuffer(uint32_t buffer) {
  if ((buffer & kStandingBuffer) != 0) {
    standing_buffers_->Return(buffer - kStandingBuffer);
  } else {
    buffers_->Return(buffer);
  }
}

bool UringIo::PrepareRecv(Op* op) {
  const bool wait = features_.poll_first && !HasMark(op, kMarkNonempty);
  if (op->kind == kRecvInto) {
    return ring_->PrepareReceive(op->handle, SpanIn(op), wait, UserData(op));
  }
  if (!features_.provided_buffer_ring) {
    return ring_->PreparePollReadable(op->handle, false, UserData(op));
  }
  StandingReceive* standing = features_.multishot_receive ? standing_.Find(op->handle) : nullptr;
  const bool stands = standing != nullptr && !standing->single && !HasMark(op, kMarkOnce) &&
                      standing_buffers_->free_count() > 0;
  if (!stands) {
    return ring_->PrepareReceiveProvided(op->handle, kGroup, false, wait, UserData(op));
  }
  if (!ring_->PrepareReceiveProvided(op->handle, kStandingGroup, true, wait, UserData(standing))) {
    return false;
  }
  standing->armed = true;
  standing->op = op;
  SetPlace(op, UringPlace::kStanding);
  return true;
}

void UringIo::CompleteRecv(Op* op, const Ring::Completion& completion) {
  const int32_t result = completion.result;
  if (op->kind == kRecvInto) {
    SetMark(op, kMarkNonempty, completion.nonempty);
    return Finish(op, result);
  }
  if (!features_.provided_buffer_ring) {
    // `result` is what poll found.
    return result >= 0 ? ReceiveNow(op) : Finish(op, result);
  }
  OpResult outcome;
  outcome.result = result;
  if (completion.has_buffer) {
    outcome.buffer = completion.buffer;
    outcome.data = buffers_->Taken(completion.buffer, result > 0 ? static_cast<size_t>(result) : 0);
    if (result <= 0) buffers_->Return(completion.buffer);
  }
  if (result == -ENOBUFS) {
    return op->cancelled ? Finish(op, -ECANCELED) : Park(op);
  }
  SetMark(op, kMarkNonempty, completion.nonempty);
  Finish(op, outcome);
}

// Receives into a buffer of our choice, now that the socket is readable: where the kernel cannot
// choose.
void UringIo::ReceiveNow(Op* op) {
  if (op->cancelled) return Finish(op, -ECANCELED);
  // The free buffers are for those that have waited.
  const bool last_come = !parked_.empty() && !HasMark(op, kMarkTicket);
  if (buffers_->free_count() == 0 || last_come) return Park(op);
  const uint32_t buffer = buffers_->Acquire();
  const std::span<char> memory = buffers_->Memory(buffer);
  const ssize_t received = recv(op->handle, memory.data(), memory.size(), MSG_DONTWAIT);
  const int error = errno;
  if (received > 0) {
    OpResult outcome;
    outcome.result = static_cast<int32_t>(received);
    outcome.data = memory.first(static_cast<size_t>(received));
    outcome.buffer = buffer;
    return Finish(op, outcome);
  }
  buffers_->Return(buffer);
  if (received == 0) return Finish(op, 0);
  if (error == EAGAIN || error == EINTR) return Submit(op);
  Finish(op, -error);
}

// --- For want of a buffer ------------------------------------------------------------------------

// Lets as many parked receives try again as there are free buffers: more would come back at once.
void UringIo::UnparkReceives() {
  for (uint32_t free = buffers_->free_count(); free > 0; --free) {
    Op* op = parked_.PopFront();
    if (op == nullptr) return;
    Submit(op);
  }
}

// Parks a receive that found no buffer. One that was parked before keeps its place: it goes in
// front of all that came later.
void UringIo::Park(Op* op) {
  ++counters_.receives_parked;
  SetPlace(op, UringPlace::kParked);
  if (!HasMark(op, kMarkTicket)) {
    SetMark(op, kMarkTicket | kMarkNonempty, true);
    op->scratch[0] = parkings_++;
    parked_.PushBack(op);
    return;
  }
  OpList older;  // than op, the oldest last; few: those that came back before it in this turn
  while (parked_.front() != nullptr && parked_.front()->scratch[0] < op->scratch[0]) {
    older.PushFront(parked_.PopFront());
  }
  parked_.PushFront(op);
  while (Op* before = older.PopFront()) parked_.PushFront(before);
}

// --- Standing receives ---------------------------------------------------------------------------

// True: the operation gets what is there, or waits for what comes; no receive of its own is needed.
bool UringIo::FindsStanding(Op* op, StandingReceive* standing) {
  CHECK(standing->op == nullptr);
  if (!standing->early.empty() || standing->ended) {
    SetMark(op, kMarkEarly, true);
    MakeReady(op, 0);
    return true;
  }
  if (!standing->armed) return false;
  standing->op = op;
  SetPlace(op, UringPlace::kStanding);
  return true;
}

void UringIo::EndStanding(StandingReceive* standing) {
  if (!standing->armed || standing->ending) return;
  standing->ending = true;
  if (!ring_->PrepareCancel(UserData(standing), kTagCancel)) unsent_ends_.push_back(standing);
}

void UringIo::CompleteStanding(StandingReceive* standing, const Ring::Completion& completion) {
  const int32_t result = completion.result;
  if (!completion.more) {
    standing->armed = standing->ending = false;
    if (!unsent_ends_.empty()) std::erase(unsent_ends_, standing);
  }
  if (completion.more || result >= 0) standing_proven_ = true;
  if (completion.has_buffer) {
    const size_t size = result > 0 ? static_cast<size_t>(result) : 0;
    const std::span<char> bytes = standing_buffers_->Taken(completion.buffer, size);
    Op* op = standing->op;
    if (size == 0 || standing->socket == kNoHandle) {
      standing_buffers_->Return(completion.buffer);
    } else if (op != nullptr && op->kind == kRecv) {
      standing->op = nullptr;
      return Finish(op, {result, false, bytes, completion.buffer | kStandingBuffer});
    } else {
      standing->early.push_back({completion.buffer, 0, static_cast<uint32_t>(size)});
    }
  }
  if (standing->socket == kNoHandle) {
    if (!standing->armed) standing_.Forget(standing);
    return;
  }
  // The kernel has no way to say beforehand whether it can; once it has, it can.
  const bool no_multishot = result == -EINVAL && !standing_proven_;
  if (no_multishot) features_.multishot_receive = false;
  const bool goes_on = no_multishot || result == -ENOBUFS || result == -ECANCELED;
  if (result <= 0 && !goes_on) {
    standing->ended = true;
    standing->end = result;
  }
  Op* op = standing->op;
  if (op == nullptr) {
    if (standing->early.empty()) return;
    standing->single = true;  // a peer that sends ahead
    return EndStanding(standing);
  }
  if (!standing->early.empty() || standing->ended) {
    standing->op = nullptr;
    return DeliverEarly(op, standing);
  }
  if (standing->armed) return;
  standing->op = nullptr;
  SetMark(op, kMarkOnce, true);
  Submit(op);
}

void UringIo::DeliverEarly(Op* op, StandingReceive* standing) {
  SetMark(op, kMarkEarly, false);
  if (standing->early.empty()) {
    CHECK(standing->ended);
    standing->ended = false;
    return Finish(op, standing->end);
  }
  EarlyBytes& early = standing->early.front();
  const std::span<char> bytes =
      standing_buffers_->Memory(early.buffer).subspan(early.offset, early.size);
  if (op->kind == kRecv) {
    OpResult outcome;
    outcome.result = static_cast<int32_t>(bytes.size());
    outcome.data = bytes;
    outcome.buffer = early.buffer | kStandingBuffer;
    standing->early.erase(standing->early.begin());
    return Finish(op, outcome);
  }
  const size_t size = std::min(bytes.size(), SpanIn(op).size());
  std::memcpy(SpanIn(op).data(), bytes.data(), size);
  early.offset += static_cast<uint32_t>(size);
  early.size -= static_cast<uint32_t>(size);
  if (early.size == 0) {
    standing_buffers_->Return(early.buffer);
    standing->early.erase(standing->early.begin());
  }
  Finish(op, static_cast<int32_t>(size));
}

// A receive that stands holds the socket: it ends with the next submission, and the stream with it.
void UringIo::CloseSocket(Socket socket, bool reset) {
  if (StandingReceive* standing = standing_.Find(socket); standing != nullptr) {
    for (const EarlyBytes& early : standing->early) standing_buffers_->Return(early.buffer);
    standing->early.clear();
    EndStanding(standing);
    standing_.Close(standing);
  }
  CloseTcp(socket, reset);
}

}  // namespace outbox::io
