// SimConnection: one TCP connection of the simulated network, with both of its ends.
//
// Each direction is a pipe of bounded size. A Send moves bytes from its owner's memory into the
// pipe as long as there is room, as into the socket buffers of a kernel; they arrive at the other
// end in pieces whose sizes and times come from the seed; a receive takes what has arrived. FIN
// travels behind the bytes, RST beside them. What an end sees follows Linux: bytes that have
// arrived are read before the error of a reset; the error is told once, afterwards a receive gives
// 0 and a send EPIPE; an end that is closed with unread bytes, or that bytes reach after its close,
// answers with a reset.
#ifndef OUTBOX_IO_SIM_CONNECTION_H_
#define OUTBOX_IO_SIM_CONNECTION_H_

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

#include "core/ip_address.h"
#include "io/io.h"

namespace outbox::io {

class SimIo;
class SimWorld;

class SimConnection {
 public:
  // The ends: who connected and who listened.
  static constexpr int kClient = 0;
  static constexpr int kServer = 1;

  SimConnection(SimWorld* world, uint64_t id, const core::SocketAddress& client,
                const core::SocketAddress& server);

  uint64_t id() const { return id_; }
  const core::SocketAddress& address(int side) const { return ends_[side].address; }
  bool closed(int side) const { return ends_[side].closed; }
  SimIo* io(int side) const { return ends_[side].io; }

  // The end becomes a socket of `io`.
  void Attach(int side, SimIo* io, Socket socket);
  // into empty: into a provided buffer.
  void Receive(int side, uint64_t op_id, std::span<char> into);
  void Send(int side, uint64_t op_id, std::span<const iovec> parts);
  // Completes what waits there, if anything does.
  void CancelReceive(int side);
  void CancelSend(int side);
  void ShutdownWrite(int side);
  void Close(int side, bool reset);
  // The program of this end is gone, and with it what it had in flight; its kernel closes the
  // socket.
  void Abort(int side);
  // Looks again whether a receive can complete: a buffer has become free.
  void TryReceive(int side);

  // Faults. Break: both ends get a reset, each in its time. GoSilent: nothing travels any more; who
  // sends gets ETIMEDOUT when the kernel has tried long enough, who waits waits for ever.
  void Break();
  void GoSilent();
  // The machine of this end has lost power: of what it had sent, a part arrives.
  void LosePower(int side);

 private:
  // What one end has sent and the other has not read yet.
  struct Pipe {
    size_t size() const { return bytes.size() - head; }
    size_t on_its_way() const { return size() - arrived; }

    std::string bytes;  // from `head`; a moving start, so that a read is cheap
    size_t head = 0;
    size_t arrived = 0;  // of those, readable
    size_t window = 0;
    bool fin_sent = false;
    bool fin_arrived = false;
    bool moving = false;  // an arrival is scheduled
  };
  struct End {
    core::SocketAddress address;
    SimIo* io = nullptr;
    Socket socket = kNoHandle;
    uint64_t receive_op = 0;  // 0: none
    std::span<char> into;
    uint64_t send_op = 0;
    std::span<const iovec> parts;
    size_t send_bytes = 0;  // of all parts
    size_t sent = 0;
    uint64_t send_hash = 0;  // of the parts' bytes when the Send began
    bool write_shut = false;
    bool closed = false;
    bool dead = false;  // reset or timed out
    int error = 0;      // of that, until it is told
    bool timing_out = false;
  };

  // Runs a member function later, if the connection is still there.
  void Later(int64_t delay_ns, void (SimConnection::*run)(int), int side);
  int64_t Latency();
  void Move(int side, int64_t delay_ns);
  void Arrive(int side);
  size_t Piece(size_t available);
  void Pump(int side);
  void CompleteSend(int side, int32_t result);
  void CompleteReceive(int side, const OpResult& result);
  void Fail(int side, int error);
  void FailReset(int side);
  void FailTimeout(int side);
  void DropOnItsWay(int side);
  void ArmTimeout(int side);

  SimWorld* world_;
  uint64_t id_;
  End ends_[2];
  Pipe pipes_[2];  // pipes_[side]: what ends_[side] sends
  size_t segment_bytes_;
  bool silent_ = false;
  bool broken_ = false;  // the resets are on their way; nothing else is
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_CONNECTION_H_
