#include "bench/peer_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/outside.h"
#include "core/limits.h"

namespace outbox::bench {
namespace {

constexpr size_t kBufferBytes = 16 * 1024;
constexpr uint32_t kBuffers = 256;

}  // namespace

PeerIo::PeerIo() : address_{core::IpAddress::V4(127, 0, 0, 1), 25} {
  for (uint32_t i = 0; i < kBuffers; ++i) {
    buffers_.push_back(std::make_unique<char[]>(kBufferBytes));
    free_buffers_.push_back(i);
  }
}

io::Socket PeerIo::Add(std::unique_ptr<SmtpPeer> peer) {
  if (free_.empty()) {
    free_.push_back(static_cast<io::Socket>(connections_.size()));
    connections_.push_back(std::make_unique<Connection>());
  }
  const io::Socket socket = free_.back();
  free_.pop_back();
  connections_[static_cast<size_t>(socket)]->peer = std::move(peer);
  return socket;
}

void PeerIo::Call(std::unique_ptr<SmtpPeer> client) {
  CHECK(accept_ != nullptr);
  io::OpResult result;
  result.result = Add(std::move(client));
  result.more = true;
  Finish(accept_, result);
}

void PeerIo::Accept(io::Op* op, io::Socket) {
  op->in_flight = true;
  accept_ = op;
}

void PeerIo::Connect(io::Op* op, const core::SocketAddress&, const core::SocketAddress*) {
  Outside([&] {
    Complete(op, refuse_ ? -ECONNREFUSED : Add(std::make_unique<ServerPeer>(&delivered_)));
  });
}

void PeerIo::Recv(io::Op* op, io::Socket socket) { RecvInto(op, socket, {}); }

void PeerIo::RecvInto(io::Op* op, io::Socket socket, std::span<char> into) {
  Connection& connection = *connections_[static_cast<size_t>(socket)];
  CHECK(connection.receive == nullptr);
  op->in_flight = true;
  op->handle = socket;
  connection.receive = op;
  connection.into = into;
}

void PeerIo::Send(io::Op* op, io::Socket socket, std::span<const iovec> parts) {
  Connection& connection = *connections_[static_cast<size_t>(socket)];
  CHECK(connection.send == nullptr);
  op->in_flight = true;
  op->handle = socket;
  connection.send = op;
  connection.parts = parts;
}

void PeerIo::CloseSocket(io::Socket socket, bool) {
  if (socket == kListener) return;
  Outside([&] {
    *connections_[static_cast<size_t>(socket)] = Connection();
    free_.push_back(socket);
  });
}

void PeerIo::Cancel(io::Op* op) {
  if (!op->in_flight) return;
  io::OpResult cancelled;
  cancelled.result = -ECANCELED;
  if (op == accept_) {
    accept_ = nullptr;
    return Finish(op, cancelled);
  }
  for (const auto& connection : connections_) {
    if (connection->receive == op) {
      connection->receive = nullptr;
      return Finish(op, cancelled);
    }
  }
}

void PeerIo::Turn(int64_t until_ns) {
  Outside([this] { Exchange(); });
  MemoryIo::Turn(until_ns);
}

void PeerIo::Exchange() {
  for (const auto& at : connections_) {
    Connection& connection = *at;
    if (connection.peer == nullptr) continue;
    io::OpResult result;
    if (connection.send != nullptr) {
      for (const iovec& part : connection.parts) {
        connection.peer->Hear({static_cast<const char*>(part.iov_base), part.iov_len});
        result.result += static_cast<int32_t>(part.iov_len);
      }
      Finish(std::exchange(connection.send, nullptr), result);
    }
    std::string& say = connection.peer->say;
    if (connection.receive == nullptr || say.empty()) continue;
    result = {};
    std::span<char> into = connection.into;
    if (into.empty()) {
      if (free_buffers_.empty()) continue;
      result.buffer = free_buffers_.back();
      free_buffers_.pop_back();
      into = {buffers_[result.buffer].get(), kBufferBytes};
    }
    const size_t size = std::min(into.size(), say.size());
    std::memcpy(into.data(), say.data(), size);
    say.erase(0, size);
    result.result = static_cast<int32_t>(size);
    if (connection.into.empty()) result.data = into.first(size);
    Finish(std::exchange(connection.receive, nullptr), result);
  }
}

}  // namespace outbox::bench
