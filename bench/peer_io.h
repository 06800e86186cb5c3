// PeerIo: MemoryIo with connections, whose other ends are SmtpPeers. What goes through it costs the
// relay nothing but the calls.
//
// Clients come with Call; whoever the relay connects to is a server that takes everything, or is
// not there at all.
#ifndef OUTBOX_BENCH_PEER_IO_H_
#define OUTBOX_BENCH_PEER_IO_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bench/memory_io.h"
#include "bench/smtp_peer.h"

namespace outbox::bench {

class PeerIo : public MemoryIo {
 public:
  PeerIo();

  // A client connects. REQUIRES: the relay accepts.
  void Call(std::unique_ptr<SmtpPeer> client);
  // From now on nobody is there whom the relay connects to.
  void Refuse() { refuse_ = true; }
  uint64_t delivered() const { return delivered_; }  // messages that servers have taken

  core::Result<io::Socket> Listen(const core::SocketAddress&, bool) override { return kListener; }
  core::SocketAddress LocalAddress(io::Socket) override { return address_; }
  core::SocketAddress PeerAddress(io::Socket) override { return address_; }
  void Accept(io::Op* op, io::Socket) override;
  void Connect(io::Op* op, const core::SocketAddress&, const core::SocketAddress*) override;
  void Recv(io::Op* op, io::Socket socket) override;
  void ReturnBuffer(uint32_t buffer) override { free_buffers_.push_back(buffer); }
  void RecvInto(io::Op* op, io::Socket socket, std::span<char> into) override;
  void Send(io::Op* op, io::Socket socket, std::span<const iovec> parts) override;
  void ShutdownWrite(io::Socket) override {}
  void CloseSocket(io::Socket socket, bool reset) override;
  void Cancel(io::Op* op) override;
  void Turn(int64_t until_ns) override;

 private:
  static constexpr io::Socket kListener = 1000;
  struct Connection {
    std::unique_ptr<SmtpPeer> peer;  // null: free
    io::Op* receive = nullptr;
    std::span<char> into;  // of the receive; empty: a provided buffer
    io::Op* send = nullptr;
    std::span<const iovec> parts;
  };

  io::Socket Add(std::unique_ptr<SmtpPeer> peer);
  // What the relay has sent is heard, what peers have to say is received.
  void Exchange();

  const core::SocketAddress address_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by socket
  std::vector<io::Socket> free_;
  io::Op* accept_ = nullptr;
  std::vector<std::unique_ptr<char[]>> buffers_;
  std::vector<uint32_t> free_buffers_;
  uint64_t delivered_ = 0;
  bool refuse_ = false;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_PEER_IO_H_
