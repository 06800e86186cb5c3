// Connection: a connected TCP stream with one receive and one send in flight, for the SMTP drivers.
//
// A connection ends in three steps, so that no completion ever finds its owner gone:
//   terminate  Terminate() takes no new work and cancels what is in flight;
//   join       both operations come to their end;
//   close      the socket is closed and Handler::OnClosed called, the last call of all.
// The owner calls Terminate, once or more, and may destroy (or Start again) the connection from
// OnClosed on. Between Terminate and OnClosed no other handler function is called. OnClosed is
// never called inside Terminate, so a timer's function may terminate what it likes.
//
// The peer's or the network's end of the stream (OnEndOfStream, OnError) does not terminate by
// itself: the owner does. Who uses a connection sees neither the socket nor the operations: an
// encrypted stream has the same face. StartTls puts one on (io/tls_channel.h); from then on what is
// sent is encrypted straight from where it lies, what is received comes by OnBytes in plain text,
// and the end of a connection says so to the peer (close_notify).
//
// Lives on its shard, embedded in a session's driver. Its functions may be called from inside of
// its handler.
#ifndef OUTBOX_IO_CONNECTION_H_
#define OUTBOX_IO_CONNECTION_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/ip_address.h"
#include "io/io.h"
#include "io/tls_stream.h"

namespace outbox::io {

struct TlsChannel;
class TlsMemory;

class Connection {
 public:
  class Handler {
   public:
    // What Receive asked for: at least one byte. The memory is gone after the call.
    virtual void OnBytes(std::span<char> bytes) = 0;
    // What ReceiveInto asked for: `size` >= 1 bytes at the front of its memory.
    virtual void OnReceived(size_t size) = 0;
    // Instead of OnBytes or OnReceived: the peer will send no more. We still may.
    virtual void OnEndOfStream() = 0;
    // Send is over: the kernel has `size` bytes, which are all (or the first ones, also none, after
    // CutSend), and the memory is the owner's again.
    virtual void OnSent(size_t size) = 0;
    // A receive or a send has failed with `error` (an errno value > 0); the stream is of no more
    // use.
    virtual void OnError(int error) = 0;
    // The handshake that StartTls began is over: `error` is empty, or says why the connection is
    // of no more use.
    virtual void OnTls(std::string_view /*error*/) {}
    // After Terminate: nothing is in flight, all memory is the owner's again.
    virtual void OnClosed() = 0;

   protected:
    ~Handler() = default;
  };

  enum class End : uint8_t {
    kGraceful,  // FIN after what the kernel has already taken
    kReset,     // RST; unsent bytes are dropped
  };

  Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // REQUIRES: closed().
  ~Connection();

  // Takes over a connected socket. REQUIRES: closed().
  void Start(Io* io, Socket socket, Handler* handler);

  // Before Start, and from OnClosed on.
  bool closed() const { return state_ == State::kClosed; }
  // Started and not terminated: Receive and Send may be called.
  bool open() const { return state_ == State::kOpen; }
  bool receiving() const { return receive_.in_flight; }
  bool sending() const { return tls_ == nullptr ? send_.in_flight : TlsSending(); }

  // Asks for bytes, once: brings OnBytes, OnEndOfStream or OnError. Holds no buffer while it waits.
  // REQUIRES: open(), !receiving().
  void Receive();
  // The same into the owner's memory: OnReceived instead of OnBytes. REQUIRES: also !into.empty(),
  // !encrypted().
  void ReceiveInto(std::span<char> into);
  // Sends all parts in order: brings OnSent or OnError. The parts and what they point to stay in
  // place until then, or until OnClosed. REQUIRES: open(), !sending(), at least one byte.
  void Send(std::span<const iovec> parts);

  // The owner wants the memory of the send in flight back: OnSent comes soon, whatever the peer
  // does. REQUIRES: open(), sending().
  void CutSend();

  // Ends our side of the stream: FIN after what the kernel has already taken. The peer may go on.
  // REQUIRES: open(), !sending().
  void ShutdownWrite();

  // Begins a TLS handshake; OnTls follows, and until then nothing is sent or received for the
  // owner. It has no time limit: the owner terminates. `memory` outlives the connection. REQUIRES:
  // open(), !receiving(), !sending(), !encrypted().
  void StartTls(std::unique_ptr<TlsStream> stream, TlsMemory* memory);
  bool encrypted() const { return tls_ != nullptr; }
  // What was agreed upon; nothing before OnTls.
  TlsFacts tls() const;
  // Why TLS is of no more use; empty: it is, or there is none. Valid until the connection closes.
  std::string_view tls_error() const;

  // Starts the end; a second call can only make it harder (kReset after kGraceful). Bytes of a send
  // in flight may or may not go out: who wants them out waits for OnSent first. REQUIRES:
  // !closed().
  void Terminate(End end);

  // REQUIRES: !closed().
  core::SocketAddress LocalAddress() const { return io_->LocalAddress(socket_); }
  core::SocketAddress PeerAddress() const { return io_->PeerAddress(socket_); }

 private:
  enum class State : uint8_t { kClosed, kOpen, kTerminating };

  void OnReceiveDone(const OpResult& result);
  void OnReceiveIntoDone(const OpResult& result);
  void OnSendDone(const OpResult& result);
  void CloseIfJoined();
  // connection_tls.cc
  bool TlsSending() const;
  void TlsSend(std::span<const iovec> parts);
  void TlsReceive();
  void TlsReceived(const OpResult& result);
  void TlsHandshake(std::string_view input);
  void TlsSettle();
  void TlsRead(std::string_view input);
  void TlsSent(const OpResult& result);
  void TlsPump();
  void TlsSendBlock();
  bool TlsFill();
  void TlsTellSent();
  void TlsGiveBlock();
  bool TlsClose();

  Io* io_ = nullptr;
  Handler* handler_ = nullptr;
  Socket socket_ = kNoHandle;
  State state_ = State::kClosed;
  End end_ = End::kGraceful;
  bool in_handler_ = false;
  bool cut_ = false;  // the send in flight
  Op receive_;
  Op send_;
  std::unique_ptr<TlsChannel> tls_;  // null: plain
};

// Idle sessions are many: what each costs is watched here.
static_assert(sizeof(Connection) <= 208);

}  // namespace outbox::io

#endif  // OUTBOX_IO_CONNECTION_H_
