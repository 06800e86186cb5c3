// SimNetwork: the network of a simulated world: listeners, connections, and who can reach whom.
// Datagrams are in io/sim_datagrams.h.
//
// Addresses are global: a listener belongs to the SimIo that opened it, not to a machine. Connects
// go to the listeners of their address (one of those that share it, as chance has it), or to one on
// the wildcard address with that port, unless a rule says otherwise.
#ifndef OUTBOX_IO_SIM_NETWORK_H_
#define OUTBOX_IO_SIM_NETWORK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "core/status.h"
#include "io/io.h"
#include "io/sim_connection.h"
#include "io/sim_datagrams.h"

namespace outbox::io {

class SimIo;
class SimWorld;

// What a connect to an address meets.
enum class SimReach {
  kNormal,
  kRefused,      // -ECONNREFUSED
  kUnreachable,  // -EHOSTUNREACH
  kBlackhole,    // no answer; -ETIMEDOUT when the kernel gives up
};

// How a program ended.
enum class SimDeath {
  kExit,   // its sockets are closed by the kernel
  kPower,  // its machine lost power
};

class SimNetwork {
 public:
  explicit SimNetwork(SimWorld* world);

  // --- Faults that a test asks for ---

  // For new connects to this address; port 0: to every port of that host.
  void SetReach(const core::SocketAddress& address, SimReach reach);
  // Ends every connection that has an end at this host, with resets or silently.
  void BreakConnections(const core::IpAddress& host, bool silently);

  // Makes `path` a unix socket: who connects to it comes to the listener at `behind`.
  void AddUnixPath(const std::string& path, const core::SocketAddress& behind) {
    unix_paths_[path] = behind;
  }
  // Null: there is none.
  const core::SocketAddress* FindUnixPath(const std::string& path) const {
    const auto found = unix_paths_.find(path);
    return found == unix_paths_.end() ? nullptr : &found->second;
  }

  // Nothing can be sent from this address any more; and it can again.
  void LoseAddress(const core::IpAddress& address) { lost_.insert(address); }
  void ReturnAddress(const core::IpAddress& address) { lost_.erase(address); }
  // Of a socket that is to be bound to `local` and connected to `peer`: 0 or an errno.
  int WhyNotFrom(const core::SocketAddress& local, const core::SocketAddress& peer) const;

  // Who is behind every connection to a unix socket.
  static constexpr uint32_t kUnixUser = 1000;

  // What was set for this address.
  SimReach RuleFor(const core::SocketAddress& address) const;
  SimDatagrams& datagrams() { return datagrams_; }

  size_t connections() const { return connections_.size(); }
  // Connections to this address that are open on the connecting side.
  size_t open_now(const core::SocketAddress& address) { return opened_[address].now; }
  // The most connections to this address that were open on the connecting side at one time.
  size_t open_peak(const core::SocketAddress& address) { return opened_[address].peak; }

  // --- For SimIo and SimConnection ---

  core::Result<Socket> Listen(SimIo* io, const core::SocketAddress& address, bool share);
  core::Result<Socket> ListenUnix(SimIo* io, const std::string& path);
  core::SocketAddress LocalAddress(Socket socket);
  core::SocketAddress PeerAddress(Socket socket);
  void Accept(SimIo* io, uint64_t op_id, Socket listener);
  void Connect(SimIo* io, uint64_t op_id, const core::SocketAddress& peer,
               const core::SocketAddress* local);
  void Receive(uint64_t op_id, Socket socket, std::span<char> into);
  void Send(uint64_t op_id, Socket socket, std::span<const iovec> parts);
  void ShutdownWrite(Socket socket);
  void CloseSocket(Socket socket, bool reset);
  // The moment at which a Cancel takes effect; no effect on what has completed.
  void CancelAccept(Socket listener);
  void CancelConnect(uint64_t op_id);
  void CancelReceive(Socket socket);
  void CancelSend(Socket socket);
  void RetryReceive(Socket socket);
  // `io` is gone.
  void Forget(const SimIo* io, SimDeath death);
  SimConnection* FindConnection(uint64_t id);

 private:
  struct Listener {
    SimIo* io = nullptr;
    core::SocketAddress address;
    bool share = false;
    bool is_unix = false;
    uint64_t accept_op = 0;
    std::deque<uint64_t> backlog;  // connections nobody has accepted yet
  };
  struct EndRef {
    SimConnection* connection = nullptr;
    int side = 0;
    bool is_unix = false;  // accepted at a unix socket
  };
  struct Opened {
    size_t now = 0;
    size_t peak = 0;
  };
  // A Connect in flight.
  struct Attempt {
    SimIo* io = nullptr;
    core::SocketAddress peer;
    core::SocketAddress local;
    uint64_t connection = 0;  // once the other side has it
  };

  void Later(int64_t delay_ns, void (SimNetwork::*run)(uint64_t), uint64_t op_id);
  void Knock(uint64_t op_id);
  void Established(uint64_t op_id);
  void GiveUp(uint64_t op_id);
  void FailAttempt(uint64_t op_id, int error);
  SimReach ReachOf(const core::SocketAddress& address);
  Listener* ChooseListener(const core::SocketAddress& address);
  void TryAccept(Listener* listener);
  void CloseListener(Socket socket);
  EndRef End(Socket socket);
  void CloseEnd(SimConnection* connection, int side, bool reset);
  void Reap(SimConnection* connection, int side);
  uint16_t NextPort();

  SimWorld* world_;
  SimDatagrams datagrams_;
  std::map<Socket, Listener> listeners_;
  std::map<Socket, EndRef> sockets_;
  std::map<uint64_t, std::unique_ptr<SimConnection>> connections_;
  std::map<uint64_t, Attempt> attempts_;  // by operation
  std::map<core::SocketAddress, SimReach> rules_;
  std::map<core::SocketAddress, Opened> opened_;  // connections by the address they were made to
  std::map<std::string, core::SocketAddress> unix_paths_;
  std::set<core::IpAddress> lost_;
  uint16_t last_port_ = 32768;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_NETWORK_H_
