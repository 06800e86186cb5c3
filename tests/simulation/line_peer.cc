#include "tests/simulation/line_peer.h"

#include <utility>

namespace outbox::simulation {

LinePeer::LinePeer(io::Io* io, io::Socket socket, std::function<void()> on_input,
                   std::function<void(int)> on_end)
    : io_(io), socket_(socket), on_input_(std::move(on_input)), on_end_(std::move(on_end)) {
  receive_.Bind<&LinePeer::OnReceived>(this);
  send_.Bind<&LinePeer::OnSent>(this);
  Receive();
}

bool LinePeer::TakeLine(std::string* line) {
  const size_t end = input_.find("\r\n");
  if (end == std::string::npos) return false;
  *line = input_.substr(0, end);
  input_.erase(0, end + 2);
  return true;
}

void LinePeer::Write(std::string_view text) {
  if (closing_ || ended_) return;
  queued_ += text;
  SendMore();
}

void LinePeer::SetReading(bool reading) {
  reading_ = reading;
  if (reading) {
    Receive();
  } else {
    io_->Cancel(&receive_);
  }
}

void LinePeer::Receive() {
  if (reading_ && !ended_ && !closing_ && !receive_.in_flight) io_->Recv(&receive_, socket_);
}

void LinePeer::SendMore() {
  if (send_.in_flight || queued_.empty() || reset_) return;
  sending_ = std::exchange(queued_, "");
  part_ = {sending_.data(), sending_.size()};
  io_->Send(&send_, socket_, {&part_, 1});
}

void LinePeer::OnReceived(const io::OpResult& result) {
  if (result.result > 0) {
    input_.append(result.data.data(), result.data.size());
    io_->ReturnBuffer(result.buffer);
    if (!closing_) on_input_();
    Receive();
  } else if (result.result != -ECANCELED) {
    End(-result.result);
  } else {
    Receive();  // reading was switched off, and perhaps on again
  }
  Finish();
}

void LinePeer::OnSent(const io::OpResult& result) {
  if (result.result < 0 && result.result != -ECANCELED) {
    queued_.clear();
    End(-result.result);
  }
  SendMore();
  Finish();
}

void LinePeer::End(int error) {
  if (ended_) return;
  ended_ = true;
  io_->Cancel(&receive_);
  if (!closing_) on_end_(error);
}

void LinePeer::Close(bool reset) {
  closing_ = true;
  reset_ = reset_ || reset;
  io_->Cancel(&receive_);
  if (reset_) {
    queued_.clear();
    io_->Cancel(&send_);
  }
  Finish();
}

void LinePeer::Finish() {
  if (!closing_ || gone_ || receive_.in_flight || send_.in_flight || !queued_.empty()) return;
  gone_ = true;
  io_->CloseSocket(socket_, reset_);
}

}  // namespace outbox::simulation
