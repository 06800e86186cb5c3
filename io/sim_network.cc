#include "io/sim_network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.h"
#include "io/sim_io.h"
#include "io/sim_world.h"

namespace outbox::io {
namespace {

constexpr int64_t kSynRetryNs = core::kNsPerSecond;  // a full backlog drops the SYN
constexpr uint16_t kFirstPort = 32768;               // of those that the kernel chooses
constexpr uint16_t kLastPort = 60999;

}  // namespace

SimNetwork::SimNetwork(SimWorld* world) : world_(world), datagrams_(world, this) {}

void SimNetwork::SetReach(const core::SocketAddress& address, SimReach reach) {
  if (reach == SimReach::kNormal) {
    rules_.erase(address);
  } else {
    rules_[address] = reach;
  }
}

void SimNetwork::BreakConnections(const core::IpAddress& host, bool silently) {
  for (auto& [id, connection] : connections_) {
    if (connection->address(SimConnection::kClient).ip != host &&
        connection->address(SimConnection::kServer).ip != host) {
      continue;
    }
    if (silently) {
      connection->GoSilent();
    } else {
      connection->Break();
    }
  }
}

SimReach SimNetwork::RuleFor(const core::SocketAddress& address) const {
  auto found = rules_.find(address);
  if (found == rules_.end()) found = rules_.find({address.ip, 0});
  return found == rules_.end() ? SimReach::kNormal : found->second;
}

SimReach SimNetwork::ReachOf(const core::SocketAddress& address) {
  if (const SimReach rule = RuleFor(address); rule != SimReach::kNormal) return rule;
  const SimNetworkOptions& options = world_->options().network;
  if (world_->Chance(options.connect_refused_ppm)) return SimReach::kRefused;
  if (world_->Chance(options.connect_lost_ppm)) return SimReach::kBlackhole;
  return SimReach::kNormal;
}

void SimNetwork::Later(int64_t delay_ns, void (SimNetwork::*run)(uint64_t), uint64_t op_id) {
  world_->Schedule(delay_ns, [this, run, op_id] { (this->*run)(op_id); });
}

uint16_t SimNetwork::NextPort() {
  last_port_ = last_port_ >= kLastPort ? kFirstPort : static_cast<uint16_t>(last_port_ + 1);
  return last_port_;
}

// --- Listening ---

core::Result<Socket> SimNetwork::Listen(SimIo* io, const core::SocketAddress& address, bool share) {
  core::SocketAddress bound = address;
  if (bound.port == 0) bound.port = NextPort();
  for (const auto& [socket, listener] : listeners_) {
    if (listener.address == bound && !(share && listener.share)) {
      return core::Status::FromErrno(EADDRINUSE, "listen on " + bound.ToString());
    }
  }
  const Socket socket = world_->NextHandle();
  Listener& listener = listeners_[socket];
  listener.io = io;
  listener.address = bound;
  listener.share = share;
  return socket;
}

core::Result<Socket> SimNetwork::ListenUnix(SimIo* io, const std::string& path) {
  const auto found = unix_paths_.find(path);
  if (found != unix_paths_.end() && ChooseListener(found->second) != nullptr) {
    return core::Status(core::StatusCode::kAlreadyExists,
                        path + ": another server is listening there");
  }
  const core::SocketAddress behind = {core::IpAddress::V4(127, 0, 0, 1), NextPort()};
  core::Result<Socket> socket = Listen(io, behind, false);
  if (!socket.ok()) return socket;
  listeners_.at(*socket).is_unix = true;
  AddUnixPath(path, behind);
  return socket;
}

SimNetwork::Listener* SimNetwork::ChooseListener(const core::SocketAddress& address) {
  Listener* chosen = nullptr;
  for (const core::IpAddress& ip :
       {address.ip, core::IpAddress(), core::IpAddress::V4(0, 0, 0, 0)}) {
    uint64_t same = 0;
    for (auto& [socket, listener] : listeners_) {
      if (listener.address != core::SocketAddress{ip, address.port}) continue;
      if (world_->random().Chance(1, ++same)) chosen = &listener;
    }
    if (chosen != nullptr) break;
  }
  return chosen;
}

void SimNetwork::Accept(SimIo* io, uint64_t op_id, Socket socket) {
  const auto found = listeners_.find(socket);
  CHECK(found != listeners_.end() && found->second.io == io && found->second.accept_op == 0);
  found->second.accept_op = op_id;
  TryAccept(&found->second);
}

void SimNetwork::TryAccept(Listener* listener) {
  while (listener->accept_op != 0 && !listener->backlog.empty()) {
    if (world_->Chance(world_->options().network.accept_error_ppm)) {
      const uint64_t op = std::exchange(listener->accept_op, 0);
      listener->io->Complete(op, -EMFILE);
      return;
    }
    SimConnection* connection = FindConnection(listener->backlog.front());
    listener->backlog.pop_front();
    CHECK(connection != nullptr);
    const Socket socket = world_->NextHandle();
    connection->Attach(SimConnection::kServer, listener->io, socket);
    sockets_[socket] = {connection, SimConnection::kServer, listener->is_unix};
    OpResult result;
    result.result = socket;
    result.more = true;
    listener->io->Complete(listener->accept_op, result);
  }
}

void SimNetwork::CancelAccept(Socket socket) {
  Listener& listener = listeners_.at(socket);
  if (listener.accept_op == 0) return;
  listener.io->Complete(std::exchange(listener.accept_op, 0), -ECANCELED);
}

void SimNetwork::CloseListener(Socket socket) {
  const std::deque<uint64_t> backlog = std::move(listeners_.at(socket).backlog);
  listeners_.erase(socket);
  for (const uint64_t id : backlog) CloseEnd(FindConnection(id), SimConnection::kServer, true);
}

// --- Connecting ---

void SimNetwork::Connect(SimIo* io, uint64_t op_id, const core::SocketAddress& peer,
                         const core::SocketAddress* local) {
  const SimNetworkOptions& options = world_->options().network;
  if (world_->Chance(options.connect_error_ppm)) return io->Complete(op_id, -options.connect_error);
  const int no = local == nullptr ? 0 : WhyNotFrom(*local, peer);
  if (no != 0) return io->Complete(op_id, -no);
  Attempt& attempt = attempts_[op_id];
  attempt.io = io;
  attempt.peer = peer;
  if (local != nullptr) {
    attempt.local = *local;
  } else {
    attempt.local.ip = peer.ip.is_v4()
                           ? core::IpAddress::V4(127, 0, 0, 1)
                           : core::IpAddress::V6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  }
  if (attempt.local.port == 0) attempt.local.port = NextPort();
  Later(world_->options().network.connect_timeout_ns, &SimNetwork::GiveUp, op_id);
  Later(world_->Draw(world_->options().network.latency), &SimNetwork::Knock, op_id);
}

int SimNetwork::WhyNotFrom(const core::SocketAddress& local,
                           const core::SocketAddress& peer) const {
  if (local.ip.is_v4() != peer.ip.is_v4()) return EAFNOSUPPORT;
  return lost_.contains(local.ip) ? EADDRNOTAVAIL : 0;
}

// The SYN arrives.
void SimNetwork::Knock(uint64_t op_id) {
  const auto found = attempts_.find(op_id);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  switch (ReachOf(attempt.peer)) {
    case SimReach::kRefused:
      return FailAttempt(op_id, ECONNREFUSED);
    case SimReach::kUnreachable:
      return FailAttempt(op_id, EHOSTUNREACH);
    case SimReach::kBlackhole:
      return;  // GiveUp comes
    case SimReach::kNormal:
      break;
  }
  Listener* listener = ChooseListener(attempt.peer);
  if (listener == nullptr) return FailAttempt(op_id, ECONNREFUSED);
  if (listener->backlog.size() >= world_->options().network.backlog) {
    return Later(kSynRetryNs, &SimNetwork::Knock, op_id);
  }
  const uint64_t id = world_->NextId();
  connections_[id] = std::make_unique<SimConnection>(world_, id, attempt.local, attempt.peer);
  attempt.connection = id;
  Opened& opened = opened_[attempt.peer];
  opened.peak = std::max(opened.peak, ++opened.now);
  listener->backlog.push_back(id);
  TryAccept(listener);
  Later(world_->Draw(world_->options().network.latency), &SimNetwork::Established, op_id);
}

void SimNetwork::Established(uint64_t op_id) {
  const auto found = attempts_.find(op_id);
  if (found == attempts_.end()) return;
  const Attempt attempt = found->second;
  attempts_.erase(found);
  SimConnection* connection = FindConnection(attempt.connection);
  CHECK(connection != nullptr);
  const Socket socket = world_->NextHandle();
  connection->Attach(SimConnection::kClient, attempt.io, socket);
  sockets_[socket] = {connection, SimConnection::kClient, false};
  attempt.io->Complete(op_id, socket);
}

void SimNetwork::GiveUp(uint64_t op_id) { FailAttempt(op_id, ETIMEDOUT); }

void SimNetwork::CancelConnect(uint64_t op_id) { FailAttempt(op_id, ECANCELED); }

void SimNetwork::FailAttempt(uint64_t op_id, int error) {
  const auto found = attempts_.find(op_id);
  if (found == attempts_.end()) return;
  const Attempt attempt = found->second;
  attempts_.erase(found);
  if (attempt.connection != 0) {
    CloseEnd(FindConnection(attempt.connection), SimConnection::kClient, true);
  }
  attempt.io->Complete(op_id, -error);
}

// --- Connections ---

SimConnection* SimNetwork::FindConnection(uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

SimNetwork::EndRef SimNetwork::End(Socket socket) {
  const auto found = sockets_.find(socket);
  CHECK(found != sockets_.end());
  return found->second;
}

core::SocketAddress SimNetwork::LocalAddress(Socket socket) {
  if (const auto found = listeners_.find(socket); found != listeners_.end()) {
    return found->second.address;
  }
  if (datagrams_.Has(socket)) return datagrams_.LocalAddress(socket);
  const EndRef end = End(socket);
  return end.connection->address(end.side);
}

core::SocketAddress SimNetwork::PeerAddress(Socket socket) {
  if (datagrams_.Has(socket)) return datagrams_.PeerAddress(socket);
  const EndRef end = End(socket);
  if (end.is_unix) return {core::IpAddress::LocalUser(kUnixUser), 0};
  return end.connection->address(1 - end.side);
}

void SimNetwork::Receive(uint64_t op_id, Socket socket, std::span<char> into) {
  if (datagrams_.Has(socket)) return datagrams_.Receive(op_id, socket, into);
  const EndRef end = End(socket);
  end.connection->Receive(end.side, op_id, into);
}

void SimNetwork::Send(uint64_t op_id, Socket socket, std::span<const iovec> parts) {
  if (datagrams_.Has(socket)) return datagrams_.Send(op_id, socket, parts);
  const EndRef end = End(socket);
  end.connection->Send(end.side, op_id, parts);
}

void SimNetwork::CancelReceive(Socket socket) {
  if (datagrams_.Has(socket)) return datagrams_.CancelReceive(socket);
  const EndRef end = End(socket);
  end.connection->CancelReceive(end.side);
}

void SimNetwork::CancelSend(Socket socket) {
  if (datagrams_.Has(socket)) return datagrams_.CancelSend(socket);
  const EndRef end = End(socket);
  end.connection->CancelSend(end.side);
}

void SimNetwork::RetryReceive(Socket socket) {
  const EndRef end = End(socket);
  end.connection->TryReceive(end.side);
}

void SimNetwork::ShutdownWrite(Socket socket) {
  const EndRef end = End(socket);
  end.connection->ShutdownWrite(end.side);
}

void SimNetwork::CloseSocket(Socket socket, bool reset) {
  if (datagrams_.Has(socket)) return datagrams_.Close(socket);
  if (listeners_.contains(socket)) {
    CHECK(listeners_.at(socket).accept_op == 0);
    return CloseListener(socket);
  }
  const EndRef end = End(socket);
  sockets_.erase(socket);
  CloseEnd(end.connection, end.side, reset);
}

void SimNetwork::CloseEnd(SimConnection* connection, int side, bool reset) {
  CHECK(connection != nullptr);
  connection->Close(side, reset);
  Reap(connection, side);
}

// One side has just been closed.
void SimNetwork::Reap(SimConnection* connection, int side) {
  if (side == SimConnection::kClient) --opened_[connection->address(SimConnection::kServer)].now;
  if (connection->closed(0) && connection->closed(1)) connections_.erase(connection->id());
}

void SimNetwork::Forget(const SimIo* io, SimDeath death) {
  datagrams_.Forget(io);
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    const Attempt attempt = it->second;
    if (attempt.io != io) {
      ++it;
      continue;
    }
    it = attempts_.erase(it);
    if (attempt.connection != 0) {
      CloseEnd(FindConnection(attempt.connection), SimConnection::kClient, true);
    }
  }
  std::vector<Socket> listeners;
  for (const auto& [socket, listener] : listeners_) {
    if (listener.io == io) listeners.push_back(socket);
  }
  for (const Socket socket : listeners) CloseListener(socket);
  for (auto it = sockets_.begin(); it != sockets_.end();) {
    const EndRef end = it->second;
    if (end.connection->io(end.side) != io) {
      ++it;
      continue;
    }
    it = sockets_.erase(it);
    if (death == SimDeath::kPower) {
      end.connection->LosePower(end.side);
    } else {
      end.connection->Abort(end.side);
    }
    Reap(end.connection, end.side);
  }
}

}  // namespace outbox::io
