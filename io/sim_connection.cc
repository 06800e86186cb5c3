#include "io/sim_connection.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "io/sim_io.h"
#include "io/sim_network.h"
#include "io/sim_world.h"

namespace outbox::io {
namespace {

// The smallest bound of a piece, so that a simulation of large messages stays quick; byte by byte
// is an option of its own.
constexpr size_t kSegmentBytesMin = 64;
// A Send begins to take bytes at some moment after the call, never in it.
constexpr SimRange kSendDelay = {0, 20 * core::kNsPerUs};
constexpr size_t kPipeSlackBytes = 65536;  // read bytes that a pipe keeps before it moves the rest

size_t TotalBytes(std::span<const iovec> parts) {
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  return total;
}

uint64_t HashOf(std::span<const iovec> parts) {
  uint64_t hash = 0;
  for (const iovec& part : parts) hash = SimHash(part.iov_base, part.iov_len, hash);
  return hash;
}

// Appends bytes [from, from + count) of the parts to `out`.
void AppendParts(std::span<const iovec> parts, size_t from, size_t count, std::string* out) {
  for (const iovec& part : parts) {
    if (count == 0) return;
    if (from >= part.iov_len) {
      from -= part.iov_len;
      continue;
    }
    const size_t take = std::min(count, part.iov_len - from);
    out->append(static_cast<const char*>(part.iov_base) + from, take);
    from = 0;
    count -= take;
  }
}

}  // namespace

SimConnection::SimConnection(SimWorld* world, uint64_t id, const core::SocketAddress& client,
                             const core::SocketAddress& server)
    : world_(world), id_(id) {
  ends_[kClient].address = client;
  ends_[kServer].address = server;
  const SimNetworkOptions& options = world->options().network;
  core::Random& random = world->random();
  for (Pipe& pipe : pipes_) {
    pipe.window =
        static_cast<size_t>(random.Between(static_cast<int64_t>(options.window_bytes_min),
                                           static_cast<int64_t>(options.window_bytes_max)));
  }
  if (world->Chance(options.byte_by_byte_ppm)) {
    segment_bytes_ = 1;
  } else {
    // Log-uniform: small pieces are as likely as large ones.
    const size_t steps = static_cast<size_t>(
        std::bit_width(std::max<size_t>(options.segment_bytes_max / kSegmentBytesMin, 1)));
    segment_bytes_ = std::min(options.segment_bytes_max, kSegmentBytesMin << random.Below(steps));
  }
}

int64_t SimConnection::Latency() { return world_->Draw(world_->options().network.latency); }

void SimConnection::Later(int64_t delay_ns, void (SimConnection::*run)(int), int side) {
  world_->Schedule(delay_ns, [world = world_, id = id_, run, side] {
    if (SimConnection* self = world->network().FindConnection(id)) (self->*run)(side);
  });
}

void SimConnection::Attach(int side, SimIo* io, Socket socket) {
  ends_[side].io = io;
  ends_[side].socket = socket;
}

// --- Bytes on their way ---

void SimConnection::Move(int side, int64_t delay_ns) {
  Pipe& pipe = pipes_[side];
  const bool fin = pipe.fin_sent && !pipe.fin_arrived;
  if (pipe.moving || silent_ || broken_ || (pipe.on_its_way() == 0 && !fin)) return;
  const SimNetworkOptions& options = world_->options().network;
  if (world_->Chance(options.stall_ppm)) delay_ns += world_->Draw(options.stall);
  pipe.moving = true;
  Later(delay_ns, &SimConnection::Arrive, side);
}

size_t SimConnection::Piece(size_t available) {
  const size_t bound = std::min(available, segment_bytes_);
  return world_->random().Chance(1, 2) ? bound : 1 + world_->random().Below(bound);
}

void SimConnection::Arrive(int side) {
  Pipe& pipe = pipes_[side];
  pipe.moving = false;
  if (silent_ || broken_ || ends_[1 - side].dead) return;
  const SimNetworkOptions& options = world_->options().network;
  if (world_->Chance(options.reset_ppm)) return Break();
  if (world_->Chance(options.silent_ppm)) return GoSilent();
  if (pipe.on_its_way() > 0) {
    if (ends_[1 - side].closed) {
      // Nobody is there to read: the kernel of that end answers with a reset.
      DropOnItsWay(side);
      Later(Latency(), &SimConnection::FailReset, side);
      return;
    }
    pipe.arrived += Piece(pipe.on_its_way());
  } else if (pipe.fin_sent) {
    pipe.fin_arrived = true;
  }
  TryReceive(1 - side);
  Move(side, world_->Draw(options.segment_gap));
}

void SimConnection::DropOnItsWay(int side) {
  Pipe& pipe = pipes_[side];
  pipe.bytes.resize(pipe.head + pipe.arrived);
  if (!pipe.fin_arrived) pipe.fin_sent = false;
}

// --- Receiving ---

void SimConnection::Receive(int side, uint64_t op_id, std::span<char> into) {
  End& end = ends_[side];
  CHECK(end.receive_op == 0);
  end.receive_op = op_id;
  end.into = into;
  TryReceive(side);
}

void SimConnection::TryReceive(int side) {
  End& end = ends_[side];
  if (end.receive_op == 0) return;
  Pipe& pipe = pipes_[1 - side];
  OpResult result;
  if (pipe.arrived > 0) {
    std::span<char> into = end.into;
    if (into.empty() && !end.io->TakeBuffer(end.socket, &into, &result.buffer)) return;
    const size_t count = std::min(pipe.arrived, into.size());
    memcpy(into.data(), pipe.bytes.data() + pipe.head, count);
    pipe.head += count;
    pipe.arrived -= count;
    if (pipe.size() == 0 || pipe.head > kPipeSlackBytes) {
      pipe.bytes.erase(0, pipe.head);
      pipe.head = 0;
    }
    result.result = static_cast<int32_t>(count);
    if (end.into.empty()) {
      result.data = into.first(count);
    } else {
      world_->Fold(SimHash(into.data(), count));
    }
    // The news that there is room again travels back.
    if (ends_[1 - side].send_op != 0) Later(Latency(), &SimConnection::Pump, 1 - side);
  } else if (end.error != 0) {
    result.result = -end.error;
    end.error = 0;
  } else if (!end.dead && !pipe.fin_arrived) {
    return;
  }
  CompleteReceive(side, result);
}

void SimConnection::CompleteReceive(int side, const OpResult& result) {
  End& end = ends_[side];
  const uint64_t op = end.receive_op;
  end.receive_op = 0;
  end.into = {};
  end.io->Complete(op, result);
}

void SimConnection::CancelReceive(int side) {
  if (ends_[side].receive_op == 0) return;
  OpResult result;
  result.result = -ECANCELED;
  CompleteReceive(side, result);
}

// --- Sending ---

void SimConnection::Send(int side, uint64_t op_id, std::span<const iovec> parts) {
  End& end = ends_[side];
  CHECK(end.send_op == 0);
  end.send_op = op_id;
  end.parts = parts;
  end.send_bytes = TotalBytes(parts);
  end.sent = 0;
  end.send_hash = HashOf(parts);
  Later(world_->Draw(kSendDelay), &SimConnection::Pump, side);
}

void SimConnection::Pump(int side) {
  End& end = ends_[side];
  if (end.send_op == 0) return;
  if (end.error != 0) {
    const int error = end.error;
    end.error = 0;
    return CompleteSend(side, -error);
  }
  if (end.dead || end.write_shut) return CompleteSend(side, -EPIPE);
  Pipe& pipe = pipes_[side];
  const size_t room = pipe.window - std::min(pipe.window, pipe.size());
  const size_t count = std::min(room, end.send_bytes - end.sent);
  AppendParts(end.parts, end.sent, count, &pipe.bytes);
  end.sent += count;
  if (count > 0) {
    Move(side, Latency());
    if (silent_) ArmTimeout(side);
  }
  if (end.sent == end.send_bytes) CompleteSend(side, static_cast<int32_t>(end.sent));
}

void SimConnection::CompleteSend(int side, int32_t result) {
  End& end = ends_[side];
  // Memory that changed while it was being sent is our own mistake.
  CHECK(HashOf(end.parts) == end.send_hash);
  const uint64_t op = end.send_op;
  end.send_op = 0;
  end.parts = {};
  end.io->Complete(op, result);
}

void SimConnection::CancelSend(int side) {
  const End& end = ends_[side];
  if (end.send_op == 0) return;
  CompleteSend(side, end.sent > 0 ? static_cast<int32_t>(end.sent) : -ECANCELED);
}

// --- The end ---

void SimConnection::ShutdownWrite(int side) {
  End& end = ends_[side];
  if (end.dead || end.write_shut) return;
  end.write_shut = true;
  pipes_[side].fin_sent = true;
  if (end.send_op != 0) Later(0, &SimConnection::Pump, side);
  Move(side, Latency());
}

void SimConnection::Close(int side, bool reset) {
  End& end = ends_[side];
  CHECK(!end.closed && end.receive_op == 0 && end.send_op == 0);
  end.closed = true;
  end.io = nullptr;
  if (end.dead || silent_) return;
  if (reset || pipes_[1 - side].arrived > 0) {
    DropOnItsWay(side);
    Later(Latency(), &SimConnection::FailReset, 1 - side);
    return;
  }
  pipes_[side].fin_sent = true;
  Move(side, Latency());
}

void SimConnection::Abort(int side) {
  ends_[side].receive_op = ends_[side].send_op = 0;
  Close(side, false);
}

void SimConnection::Fail(int side, int error) {
  End& end = ends_[side];
  if (end.closed || end.dead) return;
  end.dead = true;
  end.error = error;
  DropOnItsWay(side);
  DropOnItsWay(1 - side);
  if (world_->random().Chance(1, 2)) {
    TryReceive(side);
    Pump(side);
  } else {
    Pump(side);
    TryReceive(side);
  }
}

void SimConnection::FailReset(int side) {
  if (!silent_) Fail(side, ECONNRESET);
}

void SimConnection::FailTimeout(int side) { Fail(side, ETIMEDOUT); }

void SimConnection::Break() {
  if (broken_) return;
  broken_ = true;
  DropOnItsWay(0);
  DropOnItsWay(1);
  Later(Latency(), &SimConnection::FailReset, kClient);
  Later(Latency(), &SimConnection::FailReset, kServer);
}

void SimConnection::GoSilent() {
  silent_ = true;
  for (const int side : {kClient, kServer}) {
    if (pipes_[side].on_its_way() > 0) ArmTimeout(side);
  }
}

void SimConnection::ArmTimeout(int side) {
  if (ends_[side].timing_out) return;
  ends_[side].timing_out = true;
  Later(world_->options().network.retransmit_timeout_ns, &SimConnection::FailTimeout, side);
}

void SimConnection::LosePower(int side) {
  End& end = ends_[side];
  Pipe& pipe = pipes_[side];
  end.receive_op = end.send_op = 0;
  end.closed = true;
  end.io = nullptr;
  if (end.dead || silent_) return;
  if (pipe.on_its_way() > 0) {
    const size_t kept = world_->random().Below(pipe.on_its_way() + 1);
    pipe.bytes.resize(pipe.head + pipe.arrived + kept);
  }
  pipe.fin_sent = pipe.fin_arrived;
  if (world_->random().Chance(1, 2)) {
    // The machine is back soon and knows nothing of this connection.
    Later(world_->random().Between(Latency(), core::kNsPerMinute), &SimConnection::FailReset,
          1 - side);
  } else {
    GoSilent();
  }
}

}  // namespace outbox::io
