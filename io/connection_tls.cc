// The encrypted side of a Connection: a TlsStream between the owner and the socket.
//
// Flow control is the plain connection's: nothing is received that the owner has not asked for, but
// what the handshake needs, and one send is in flight. What the protocol has to say by itself (an
// answer to a new key) leaves with the next bytes.
//
// The owner hears of everything from the loop. Where there is something to tell at once, a receive
// that is cancelled as soon as it is begun brings it back.
#include <errno.h>

#include <utility>

#include "core/check.h"
#include "io/connection.h"
#include "io/tls_channel.h"

namespace outbox::io {

using Step = TlsStream::Step;
using Phase = TlsChannel::Phase;

void Connection::StartTls(std::unique_ptr<TlsStream> stream, TlsMemory* memory) {
  CHECK(open() && !receiving() && !sending() && tls_ == nullptr && stream != nullptr);
  tls_ = std::make_unique<TlsChannel>(std::move(stream), memory);
  TlsHandshake({});
  if (send_.in_flight) return;
  TlsReceive();
  if (tls_->phase != Phase::kHandshake) io_->Cancel(&receive_);
}

TlsFacts Connection::tls() const {
  return tls_ == nullptr || tls_->phase != Phase::kOpen ? TlsFacts() : tls_->stream->facts();
}

std::string_view Connection::tls_error() const {
  return tls_ == nullptr ? std::string_view() : std::string_view(tls_->stream->error());
}

bool Connection::TlsSending() const { return tls_->sending; }

// --- The handshake -------------------------------------------------------------------------------

// One step: what it has to say is sent, and whatever comes next waits for that.
void Connection::TlsHandshake(std::string_view input) {
  CHECK(!send_.in_flight);
  if (tls_->block == nullptr) tls_->block = tls_->memory->Take();
  TlsOutput out{{tls_->block.get(), TlsMemory::kBlockBytes}};
  const Step step = tls_->stream->Handshake(&input, &out);
  tls_->filled = out.size;
  std::string rest(input);
  tls_->kept = std::move(rest);
  if (step == Step::kDone) tls_->phase = Phase::kOpening;
  if (step == Step::kFailed || step == Step::kEnd) tls_->phase = Phase::kFailing;
  if (tls_->filled > 0) TlsSendBlock();
}

// A step is done, and nothing of it is to be sent.
void Connection::TlsSettle() {
  switch (tls_->phase) {
    case Phase::kHandshake:
      return TlsReceive();
    case Phase::kOpening:
      tls_->phase = Phase::kOpen;
      TlsGiveBlock();
      return handler_->OnTls({});
    case Phase::kFailing: {
      TlsGiveBlock();
      const std::string& error = tls_->stream->error();
      return handler_->OnTls(error.empty() ? "the peer has ended it" : std::string_view(error));
    }
    case Phase::kOpen:
      return;
  }
}

// --- Bytes in ------------------------------------------------------------------------------------

void Connection::TlsReceive() {
  if (receive_.in_flight) return;
  receive_.Bind<&Connection::OnReceiveDone>(this);
  io_->Recv(&receive_, socket_);
  const bool known = tls_->ended || tls_->broken || tls_->more || !tls_->kept.empty();
  if (known) io_->Cancel(&receive_);
}

void Connection::TlsReceived(const OpResult& result) {
  const bool open_now = tls_->phase == Phase::kOpen;
  if (tls_->phase == Phase::kOpening || tls_->phase == Phase::kFailing) return TlsSettle();
  if (tls_->broken) return handler_->OnError(EPROTO);
  if (tls_->ended) return handler_->OnEndOfStream();
  const bool waiting = tls_->more || !tls_->kept.empty();
  if (result.result < 0 && !(result.result == -ECANCELED && waiting)) {
    return open_now ? handler_->OnError(-result.result) : handler_->OnTls("the connection broke");
  }
  if (result.result == 0 && !waiting) {
    return open_now ? handler_->OnEndOfStream() : handler_->OnTls("the peer closed the connection");
  }
  std::string both = std::exchange(tls_->kept, {});
  std::string_view input;
  if (result.result > 0) input = {result.data.data(), result.data.size()};
  if (!both.empty()) {
    both.append(input);
    input = both;
  }
  if (open_now) return TlsRead(input);
  TlsHandshake(input);
  if (!send_.in_flight) TlsSettle();
}

void Connection::TlsRead(std::string_view input) {
  const std::span<char> scratch = tls_->memory->Scratch();
  TlsOutput none;
  size_t size = 0;
  const Step step = tls_->stream->Read(&input, scratch, &size, &none);
  tls_->ended = step == Step::kEnd;
  tls_->broken = step == Step::kFailed;
  tls_->more = step == Step::kDone;
  std::string rest(input);
  tls_->kept = std::move(rest);
  if (size > 0) return handler_->OnBytes(scratch.first(size));
  if (tls_->broken) return handler_->OnError(EPROTO);
  if (tls_->ended) return handler_->OnEndOfStream();
  TlsReceive();  // there was nothing in it for the owner
}

// --- Bytes out -----------------------------------------------------------------------------------

void Connection::TlsSend(std::span<const iovec> parts) {
  CHECK(tls_->phase == Phase::kOpen);
  tls_->sending = true;
  tls_->parts = parts;
  tls_->part = tls_->part_at = tls_->taken = 0;
  if (!send_.in_flight) TlsPump();
}

void Connection::TlsSendBlock() {
  tls_->raw = {tls_->block.get() + tls_->sent, tls_->filled - tls_->sent};
  io_->Send(&send_, socket_, {&tls_->raw, 1});
}

void Connection::TlsGiveBlock() {
  if (tls_->block != nullptr) tls_->memory->Give(std::move(tls_->block));
  tls_->filled = tls_->sent = 0;
}

// Encrypts as much of the owner's parts as goes into the block. False: the stream is broken.
bool Connection::TlsFill() {
  if (tls_->block == nullptr) tls_->block = tls_->memory->Take();
  TlsOutput out{{tls_->block.get(), TlsMemory::kBlockBytes}};
  Step step = Step::kDone;
  while (step == Step::kDone && tls_->part < tls_->parts.size()) {
    const iovec& part = tls_->parts[tls_->part];
    const size_t left = part.iov_len - tls_->part_at;
    std::string_view text(static_cast<const char*>(part.iov_base) + tls_->part_at, left);
    step = tls_->stream->Write(&text, &out);
    tls_->taken += left - text.size();
    tls_->part_at += left - text.size();
    if (tls_->part_at < part.iov_len) continue;
    ++tls_->part;
    tls_->part_at = 0;
  }
  tls_->filled = out.size;
  return tls_->filled > 0 && (step == Step::kDone || step == Step::kNeedRoom);
}

void Connection::TlsTellSent() {
  tls_->sending = false;
  tls_->parts = {};
  handler_->OnSent(tls_->taken);
}

// Goes on sending: what is encrypted already, then more of the owner's parts, then the end.
// REQUIRES: no send is in flight.
void Connection::TlsPump() {
  if (tls_->filled > tls_->sent) return TlsSendBlock();
  tls_->filled = tls_->sent = 0;
  if (tls_->sending && tls_->part < tls_->parts.size()) {
    if (TlsFill()) return TlsSendBlock();
    tls_->broken = true;
    TlsReceive();
    return io_->Cancel(&receive_);
  }
  if (tls_->sending) {
    TlsTellSent();
    if (!open() || tls_->sending || send_.in_flight) return;
  }
  if (tls_->shutdown) {
    if (TlsClose()) return;
    tls_->shutdown = false;
    io_->ShutdownWrite(socket_);
  }
  TlsGiveBlock();
}

void Connection::TlsSent(const OpResult& result) {
  const bool cut = std::exchange(cut_, false);
  if (result.result > 0) tls_->sent += static_cast<size_t>(result.result);
  if (tls_->phase != Phase::kOpen) {
    if (result.result <= 0) return handler_->OnTls("the connection broke");
    tls_->filled = tls_->sent = 0;
    if (tls_->phase == Phase::kHandshake) {
      TlsHandshake(std::exchange(tls_->kept, {}));
      if (send_.in_flight) return;
    }
    return TlsSettle();
  }
  if (result.result <= 0 && !(cut && result.result == -ECANCELED)) {
    return handler_->OnError(-result.result);
  }
  if (cut && tls_->sending) {
    TlsTellSent();  // what is encrypted goes on from memory of our own
    if (!open() || send_.in_flight) return;
  }
  TlsPump();
}

// Begins to send the close_notify. False: there is none to be sent.
bool Connection::TlsClose() {
  if (tls_->phase != Phase::kOpen || tls_->closing || tls_->broken) return false;
  if (send_.in_flight || tls_->filled > tls_->sent) return false;
  tls_->closing = true;
  if (tls_->block == nullptr) tls_->block = tls_->memory->Take();
  TlsOutput out{{tls_->block.get(), TlsMemory::kBlockBytes}};
  const Step step = tls_->stream->Close(&out);
  tls_->filled = out.size;
  tls_->sent = 0;
  if (step != Step::kDone || tls_->filled == 0) return false;
  TlsSendBlock();
  return true;
}

}  // namespace outbox::io
