// SimDatagrams: the UDP of a simulated world.
//
// Two kinds of ends: connected sockets of a SimIo, and hosts, which are functions of a test that
// see every datagram sent to an address (a name server, say) and answer through SendFrom. What
// happens on the way is SimNetworkOptions' datagram_*: datagrams are lost, doubled and overtaken by
// chance; SimNetwork::SetReach counts for them, too (kRefused comes back as an error, everything
// else that is not kNormal swallows them).
#ifndef OUTBOX_IO_SIM_DATAGRAMS_H_
#define OUTBOX_IO_SIM_DATAGRAMS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "io/io.h"

namespace outbox::io {

class SimIo;
class SimNetwork;
class SimWorld;

class SimDatagrams {
 public:
  // `from` sent `bytes`.
  using Host = std::function<void(const core::SocketAddress& from, const std::string& bytes)>;

  SimDatagrams(SimWorld* world, SimNetwork* network) : world_(world), network_(network) {}

  // --- For tests ---

  // Datagrams to this address go to `host`; null: to nobody. The host outlives that.
  void SetHost(const core::SocketAddress& address, Host host);
  // A datagram of a host; whatever it says of its sender.
  void SendFrom(const core::SocketAddress& from, const core::SocketAddress& to, std::string bytes);

  size_t sockets() const { return sockets_.size(); }
  // Where the open sockets are bound, in the order of their opening.
  std::vector<core::SocketAddress> LocalAddresses() const;

  // --- For SimIo and SimNetwork ---

  int Open(SimIo* io, const core::SocketAddress& peer, const core::SocketAddress* local);
  bool Has(Socket socket) const { return sockets_.contains(socket); }
  core::SocketAddress LocalAddress(Socket socket) const { return sockets_.at(socket).local; }
  core::SocketAddress PeerAddress(Socket socket) const { return sockets_.at(socket).peer; }
  void Send(uint64_t op_id, Socket socket, std::span<const iovec> parts);
  void Receive(uint64_t op_id, Socket socket, std::span<char> into);
  void CancelReceive(Socket socket);
  void CancelSend(Socket socket);
  void Close(Socket socket);
  // `io` is gone.
  void Forget(const SimIo* io);

 private:
  struct End {
    SimIo* io = nullptr;
    core::SocketAddress local;
    core::SocketAddress peer;
    uint64_t send_op = 0;
    int32_t send_result = 0;
    uint64_t receive_op = 0;
    std::span<char> into;
    int error = 0;                    // for the next operation
    std::deque<std::string> arrived;  // not received yet
  };

  void Arrive(const core::SocketAddress& from, const core::SocketAddress& to,
              const std::string& bytes);
  void Refuse(const core::SocketAddress& from, const core::SocketAddress& to);
  void FinishSend(Socket socket, uint64_t op_id);
  void TryReceive(End* end);
  End* Find(const core::SocketAddress& local, const core::SocketAddress& peer);
  bool PortIsTaken(const core::SocketAddress& local) const;

  SimWorld* world_;
  SimNetwork* network_;
  std::map<Socket, End> sockets_;
  std::map<core::SocketAddress, Host> hosts_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_DATAGRAMS_H_
