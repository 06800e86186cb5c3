#include "io/connection.h"

#include <errno.h>

#include "core/check.h"
#include "io/tls_channel.h"

namespace outbox::io {

Connection::Connection() = default;

Connection::~Connection() { CHECK(closed()); }

void Connection::Start(Io* io, Socket socket, Handler* handler) {
  CHECK(closed() && !receive_.in_flight && !send_.in_flight);
  io_ = io;
  socket_ = socket;
  handler_ = handler;
  state_ = State::kOpen;
  end_ = End::kGraceful;
  send_.Bind<&Connection::OnSendDone>(this);
}

void Connection::Receive() {
  CHECK(open());
  if (tls_ != nullptr) return TlsReceive();
  CHECK(!receiving());
  receive_.Bind<&Connection::OnReceiveDone>(this);
  io_->Recv(&receive_, socket_);
}

void Connection::ReceiveInto(std::span<char> into) {
  CHECK(open() && !receiving() && !into.empty() && tls_ == nullptr);
  receive_.Bind<&Connection::OnReceiveIntoDone>(this);
  io_->RecvInto(&receive_, socket_, into);
}

void Connection::Send(std::span<const iovec> parts) {
  CHECK(open() && !sending());
  cut_ = false;
  if (tls_ == nullptr) return io_->Send(&send_, socket_, parts);
  TlsSend(parts);
}

void Connection::CutSend() {
  CHECK(open() && sending());
  if (cut_) return;
  cut_ = true;
  io_->Cancel(&send_);
}

void Connection::Terminate(End end) {
  CHECK(!closed());
  if (end == End::kReset) end_ = End::kReset;
  if (state_ == State::kTerminating) return;
  state_ = State::kTerminating;
  if (tls_ != nullptr && end == End::kGraceful && !send_.in_flight) TlsClose();
  if (receive_.in_flight || send_.in_flight) {
    io_->Cancel(&receive_);
    io_->Cancel(&send_);
  } else if (!in_handler_) {
    // Nothing will complete by itself, and OnClosed must not come from here: a receive that is
    // cancelled at once comes back in the next turn.
    receive_.Bind<&Connection::OnReceiveDone>(this);
    io_->Recv(&receive_, socket_);
    io_->Cancel(&receive_);
  }
}

void Connection::ShutdownWrite() {
  CHECK(open() && !sending());
  if (tls_ == nullptr) return io_->ShutdownWrite(socket_);
  tls_->shutdown = true;
  if (!send_.in_flight) TlsPump();
}

void Connection::OnReceiveDone(const OpResult& result) {
  if (open() && tls_ != nullptr) {
    in_handler_ = true;
    TlsReceived(result);
    in_handler_ = false;
  } else if (open()) {
    in_handler_ = true;
    if (result.result > 0) {
      handler_->OnBytes(result.data);
    } else if (result.result == 0) {
      handler_->OnEndOfStream();
    } else {
      handler_->OnError(-result.result);
    }
    in_handler_ = false;
  }
  if (result.result > 0) io_->ReturnBuffer(result.buffer);
  CloseIfJoined();
}

void Connection::OnReceiveIntoDone(const OpResult& result) {
  if (open()) {
    in_handler_ = true;
    if (result.result > 0) {
      handler_->OnReceived(static_cast<size_t>(result.result));
    } else if (result.result == 0) {
      handler_->OnEndOfStream();
    } else {
      handler_->OnError(-result.result);
    }
    in_handler_ = false;
  }
  CloseIfJoined();
}

void Connection::OnSendDone(const OpResult& result) {
  if (open() && tls_ != nullptr) {
    in_handler_ = true;
    TlsSent(result);
    in_handler_ = false;
  } else if (open()) {
    in_handler_ = true;
    const bool cut_before_any = cut_ && result.result == -ECANCELED;
    if (result.result > 0 || cut_before_any) {
      handler_->OnSent(cut_before_any ? 0 : static_cast<size_t>(result.result));
    } else {
      handler_->OnError(-result.result);
    }
    in_handler_ = false;
  }
  CloseIfJoined();
}

// The last step. OnClosed may destroy us: nothing comes after it.
void Connection::CloseIfJoined() {
  if (state_ != State::kTerminating || receive_.in_flight || send_.in_flight) return;
  if (tls_ != nullptr) {
    TlsGiveBlock();
    tls_.reset();
  }
  io_->CloseSocket(socket_, end_ == End::kReset);
  socket_ = kNoHandle;
  state_ = State::kClosed;
  handler_->OnClosed();
}

}  // namespace outbox::io
