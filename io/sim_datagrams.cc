#include "io/sim_datagrams.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "io/sim_io.h"
#include "io/sim_network.h"
#include "io/sim_world.h"

namespace outbox::io {
namespace {

constexpr size_t kSocketDatagramsMax = 64;  // a socket's buffer; more are dropped
constexpr SimRange kDatagramSendDelay = {0, 20 * core::kNsPerUs};  // until the kernel has taken it
constexpr int64_t kFirstUdpPort = 1024;                            // of those that the kernel draws
constexpr int64_t kLastUdpPort = 65535;

core::IpAddress LoopbackLike(const core::IpAddress& peer) {
  if (peer.is_v4()) return core::IpAddress::V4(127, 0, 0, 1);
  std::array<uint8_t, 16> octets = {};
  octets[15] = 1;
  return core::IpAddress::V6(octets);
}

}  // namespace

void SimDatagrams::SetHost(const core::SocketAddress& address, Host host) {
  if (host) {
    hosts_[address] = std::move(host);
  } else {
    hosts_.erase(address);
  }
}

std::vector<core::SocketAddress> SimDatagrams::LocalAddresses() const {
  std::vector<core::SocketAddress> addresses;
  for (const auto& [socket, end] : sockets_) addresses.push_back(end.local);
  return addresses;
}

bool SimDatagrams::PortIsTaken(const core::SocketAddress& local) const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [&](const auto& entry) { return entry.second.local == local; });
}

int SimDatagrams::Open(SimIo* io, const core::SocketAddress& peer,
                       const core::SocketAddress* local) {
  if (world_->Chance(world_->options().network.udp_open_error_ppm)) return -EMFILE;
  core::SocketAddress bound;
  if (local != nullptr) {
    bound = *local;
    const int no = world_->network().WhyNotFrom(bound, peer);
    if (no != 0) return -no;
  } else {
    bound.ip = LoopbackLike(peer.ip);
  }
  if (bound.port != 0 && PortIsTaken(bound)) return -EADDRINUSE;
  while (bound.port == 0 || PortIsTaken(bound)) {
    bound.port = static_cast<uint16_t>(world_->random().Between(kFirstUdpPort, kLastUdpPort));
  }
  const Socket socket = world_->NextHandle();
  End& end = sockets_[socket];
  end.io = io;
  end.local = bound;
  end.peer = peer;
  return socket;
}

// --- On the way ---

void SimDatagrams::SendFrom(const core::SocketAddress& from, const core::SocketAddress& to,
                            std::string bytes) {
  const SimNetworkOptions& options = world_->options().network;
  int copies = 1;
  if (world_->Chance(options.datagram_twice_ppm)) ++copies;
  if (world_->Chance(options.datagram_lost_ppm)) --copies;
  for (int i = 0; i < copies; ++i) {
    int64_t delay_ns = world_->Draw(options.latency);
    if (world_->Chance(options.datagram_late_ppm)) delay_ns += world_->Draw(options.datagram_late);
    world_->Schedule(delay_ns, [this, from, to, bytes] { Arrive(from, to, bytes); });
  }
}

void SimDatagrams::Arrive(const core::SocketAddress& from, const core::SocketAddress& to,
                          const std::string& bytes) {
  const SimReach reach = network_->RuleFor(to);
  if (reach == SimReach::kRefused) return Refuse(from, to);
  if (reach != SimReach::kNormal) return;
  if (const auto host = hosts_.find(to); host != hosts_.end()) {
    world_->Fold(SimHash(bytes.data(), bytes.size()));
    return host->second(from, bytes);
  }
  End* end = Find(to, from);
  if (end == nullptr) return Refuse(from, to);
  if (end->arrived.size() >= kSocketDatagramsMax) return;
  end->arrived.push_back(bytes);
  TryReceive(end);
}

// The machine of `to` says that nobody listens there.
void SimDatagrams::Refuse(const core::SocketAddress& from, const core::SocketAddress& to) {
  world_->Schedule(world_->Draw(world_->options().network.latency), [this, from, to] {
    End* end = Find(from, to);
    if (end == nullptr) return;
    end->error = ECONNREFUSED;
    TryReceive(end);
  });
}

SimDatagrams::End* SimDatagrams::Find(const core::SocketAddress& local,
                                      const core::SocketAddress& peer) {
  for (auto& [socket, end] : sockets_) {
    if (end.local == local && end.peer == peer) return &end;
  }
  return nullptr;
}

// --- The operations ---

void SimDatagrams::Send(uint64_t op_id, Socket socket, std::span<const iovec> parts) {
  End& end = sockets_.at(socket);
  CHECK(end.send_op == 0);
  end.send_op = op_id;
  std::string bytes;
  for (const iovec& part : parts)
    bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
  end.send_result = static_cast<int32_t>(bytes.size());
  if (end.error != 0) {
    end.send_result = -std::exchange(end.error, 0);
  } else {
    SendFrom(end.local, end.peer, std::move(bytes));
  }
  world_->Schedule(world_->Draw(kDatagramSendDelay),
                   [this, socket, op_id] { FinishSend(socket, op_id); });
}

void SimDatagrams::FinishSend(Socket socket, uint64_t op_id) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end() || found->second.send_op != op_id) return;
  End& end = found->second;
  end.io->Complete(std::exchange(end.send_op, 0), end.send_result);
}

void SimDatagrams::CancelSend(Socket socket) { FinishSend(socket, sockets_.at(socket).send_op); }

void SimDatagrams::Receive(uint64_t op_id, Socket socket, std::span<char> into) {
  End& end = sockets_.at(socket);
  CHECK(end.receive_op == 0 && !into.empty());
  end.receive_op = op_id;
  end.into = into;
  TryReceive(&end);
}

void SimDatagrams::TryReceive(End* end) {
  if (end->receive_op == 0) return;
  int32_t result = 0;
  if (end->error != 0) {
    result = -std::exchange(end->error, 0);
  } else if (!end->arrived.empty()) {
    const std::string& bytes = end->arrived.front();
    const size_t count = std::min(bytes.size(), end->into.size());
    memcpy(end->into.data(), bytes.data(), count);
    world_->Fold(SimHash(bytes.data(), count));
    result = static_cast<int32_t>(count);
    end->arrived.pop_front();
  } else {
    return;
  }
  end->io->Complete(std::exchange(end->receive_op, 0), result);
}

void SimDatagrams::CancelReceive(Socket socket) {
  End& end = sockets_.at(socket);
  if (end.receive_op == 0) return;
  end.io->Complete(std::exchange(end.receive_op, 0), -ECANCELED);
}

void SimDatagrams::Close(Socket socket) {
  const End& end = sockets_.at(socket);
  CHECK(end.send_op == 0 && end.receive_op == 0);
  sockets_.erase(socket);
}

void SimDatagrams::Forget(const SimIo* io) {
  std::erase_if(sockets_, [io](const auto& entry) { return entry.second.io == io; });
}

}  // namespace outbox::io
