#include "tools/source_connection.h"

#include <cstring>

#include "core/time.h"

namespace outbox::tools {
namespace {

// Bodies from this size on are declared to a server that offers SIZE (RFC 1870).
constexpr size_t kSizeFrom = 16 * 1024;

// Replies longer than this are not SMTP (RFC 5321 4.5.3.1.5 allows 512 octets a line).
constexpr size_t kReplyLineBytes = 4096;

}  // namespace

SourceConnection::SourceConnection(io::Io* io, SourceWork* work, const core::SocketAddress* peer,
                                   const core::SocketAddress* local)
    : io_(io), work_(work), options_(work->options()), peer_(peer), local_(local) {
  connect_.Bind<&SourceConnection::OnConnected>(this);
  receive_.Bind<&SourceConnection::OnReceived>(this);
  send_.Bind<&SourceConnection::OnSent>(this);
}

void SourceConnection::Poke() {
  if (state_ == State::kReady) {
    NextMessage();
  } else if (state_ == State::kIdle && !stopped_ && work_->has_more() &&
             io_->now_ns() >= retry_ns_) {
    state_ = State::kConnecting;
    sent_here_ = 0;
    line_.clear();
    work_->CountConnection();
    io_->Connect(&connect_, *peer_, local_);
  }
}

int64_t SourceConnection::wake_ns() const {
  if (state_ == State::kReady) return work_->next_due_ns();
  if (state_ == State::kIdle && !stopped_ && work_->has_more()) return retry_ns_;
  return core::kNever;
}

void SourceConnection::Stop() {
  stopped_ = true;
  if (state_ == State::kConnecting) {
    io_->Cancel(&connect_);
  } else if (talking()) {
    Close();
  }
}

void SourceConnection::OnConnected(const io::OpResult& result) {
  if (result.result < 0) {
    state_ = State::kIdle;
    retry_ns_ = io_->now_ns() + options_.retry_ms * core::kNsPerMs;
    if (!stopped_) work_->CountConnectionFailure(strerror(-result.result));
    return;
  }
  socket_ = result.result;
  state_ = State::kGreeting;
  if (stopped_) {
    Close();
    return;
  }
  io_->Recv(&receive_, socket_);
}

void SourceConnection::OnReceived(const io::OpResult& result) {
  if (result.result > 0) {
    Input({result.data.data(), result.data.size()});
    io_->ReturnBuffer(result.buffer);
  } else if (state_ == State::kQuit) {
    Close();
  } else if (talking()) {
    Fail(result.result == 0 ? "closed by the server" : strerror(-result.result));
  }
  if (talking()) {
    io_->Recv(&receive_, socket_);
  } else {
    FinishClose();
  }
}

void SourceConnection::OnSent(const io::OpResult& result) {
  if (state_ == State::kClosing) {
    FinishClose();
  } else if (result.result < 0) {
    Fail(strerror(-result.result));
  } else if (staged_) {
    Flush();
  }
}

void SourceConnection::Input(std::string_view bytes) {
  while (!bytes.empty() && talking()) {
    const size_t newline = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, newline);
    if (line_.size() + piece.size() > kReplyLineBytes) {
      Fail("reply line too long");
      return;
    }
    if (newline == std::string_view::npos) {
      line_.append(piece);
      return;
    }
    bytes.remove_prefix(newline + 1);
    if (line_.empty()) {
      Reply(piece);
    } else {
      line_.append(piece);
      const std::string line = std::move(line_);
      line_.clear();
      Reply(line);
    }
  }
}

void SourceConnection::Reply(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (state_ == State::kEhlo && line.size() >= 8 && line.substr(4, 4) == "SIZE")
    offers_size_ = true;
  if (line.size() < 3 || (line.size() > 3 && line[3] == '-')) return;
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (code >= 400 || code < 200) {
    Refused(code, line);
    return;
  }
  switch (state_) {
    case State::kGreeting:
      SendCommand("EHLO source.load.test\r\n");
      state_ = State::kEhlo;
      break;
    case State::kEhlo:
      NextMessage();
      break;
    case State::kMail:
      recipient_ = 0;
      if (!options_.pipelining) SendRecipient();
      state_ = State::kRecipient;
      break;
    case State::kRecipient:
      if (++recipient_ < options_.recipients) {
        if (!options_.pipelining) SendRecipient();
        break;
      }
      if (options_.chunking) {
        if (options_.pipelining) {
          content_ = envelope_;
          envelope_.reset();
          state_ = State::kContent;
        } else {
          SendContent();
        }
        break;
      }
      if (!options_.pipelining) SendCommand("DATA\r\n");
      state_ = State::kData;
      break;
    case State::kData:
      SendContent();
      break;
    case State::kContent:
      ContentAccepted();
      break;
    case State::kQuit:
      Close();
      break;
    default:
      Fail("reply to nothing");
      break;
  }
}

void SourceConnection::Refused(int code, std::string_view line) {
  std::optional<uint64_t>* refused = nullptr;
  if (state_ == State::kContent) refused = &content_;
  if (state_ == State::kMail || state_ == State::kRecipient || state_ == State::kData) {
    refused = &envelope_;
  }
  if (refused == nullptr || !refused->has_value()) {
    Fail(line);
    return;
  }
  const uint64_t id = **refused;
  refused->reset();
  if (code >= 500) {
    work_->RefusedForGood(id, line);
  } else {
    work_->RefusedForNow(id, line);
  }
  if (envelope_) work_->Interrupted(*envelope_, /*content_sent=*/false);
  envelope_.reset();
  retry_ns_ = io_->now_ns() + (code >= 500 ? 0 : options_.retry_ms * core::kNsPerMs);
  Close();
}

void SourceConnection::NextMessage() {
  if (!envelope_ && (options_.per_connection == 0 || sent_here_ < options_.per_connection)) {
    envelope_ = work_->Take(io_->now_ns());
    if (!envelope_ && work_->has_more()) {
      state_ = State::kReady;
      return;
    }
  }
  if (!envelope_) {
    SendCommand("QUIT\r\n");
    state_ = State::kQuit;
    return;
  }
  ++sent_here_;
  if (options_.chunking && options_.pipelining) return SendMessage();
  std::string text;
  AppendEnvelope(*envelope_, &text);
  SendCommand(text);
  state_ = State::kMail;
}

void SourceConnection::AppendEnvelope(uint64_t id, std::string* out) {
  out->append("MAIL FROM:<").append(options_.sender).append(">");
  const size_t body_bytes = work_->bodies().For(id).text.size();
  if (offers_size_ && body_bytes >= kSizeFrom) {
    out->append(" SIZE=").append(std::to_string(body_bytes));
  }
  out->append("\r\n");
  if (!options_.pipelining) return;
  for (uint32_t k = 0; k < options_.recipients; ++k) {
    out->append("RCPT TO:<");
    AppendRecipient(id, k, options_.domains, options_.suffix, out);
    out->append(">\r\n");
  }
  if (!options_.chunking) out->append("DATA\r\n");
}

void SourceConnection::SendMessage() {
  Outgoing* const out = Stage();
  if (out == nullptr) return;
  AppendEnvelope(*envelope_, &out->before);
  AppendContent(*envelope_, out);
  state_ = State::kMail;
  Flush();
}

void SourceConnection::AppendContent(uint64_t id, Outgoing* out) {
  const BodyPool::Body& body = work_->bodies().For(id);
  AppendTail(id, &out->after);
  ContentHash hash = body.hash;
  hash.Update(out->after);
  content_ns_ = io_->now_ns();
  std::string recipient;
  AppendRecipient(id, 0, options_.domains, options_.suffix, &recipient);
  out->body = &body.text;
  if (!options_.chunking) {
    AppendHead(id, content_ns_, hash.Final(), recipient, &out->before);
    return;
  }
  out->body = &body.plain;
  out->after.resize(out->after.size() - 3);  // the final dot
  std::string head;
  AppendHead(id, content_ns_, hash.Final(), recipient, &head);
  const size_t octets = head.size() + body.plain.size() + out->after.size();
  out->before.append("BDAT ").append(std::to_string(octets)).append(" LAST\r\n").append(head);
}

void SourceConnection::SendRecipient() {
  std::string text = "RCPT TO:<";
  AppendRecipient(*envelope_, recipient_, options_.domains, options_.suffix, &text);
  text.append(">\r\n");
  SendCommand(text);
}

void SourceConnection::SendCommand(std::string_view text) {
  Outgoing* const out = Stage();
  if (out == nullptr) return;
  out->before.assign(text);
  Flush();
}

void SourceConnection::SendContent() {
  Outgoing* const out = Stage();
  if (out == nullptr) return;
  content_ = envelope_;
  envelope_.reset();
  const uint64_t id = *content_;
  AppendContent(id, out);
  if (options_.pipelining &&
      (options_.per_connection == 0 || sent_here_ < options_.per_connection)) {
    envelope_ = work_->Take(content_ns_);
    if (envelope_) {
      ++sent_here_;
      AppendEnvelope(*envelope_, &out->after);
    }
  }
  state_ = State::kContent;
  Flush();
}

void SourceConnection::ContentAccepted() {
  work_->Accepted(*content_, io_->now_ns(), io_->now_ns() - content_ns_);
  content_.reset();
  if (envelope_) {
    state_ = State::kMail;  // its commands are on their way
  } else {
    NextMessage();
  }
}

SourceConnection::Outgoing* SourceConnection::Stage() {
  if (staged_) {
    Fail("replies ahead of commands");
    return nullptr;
  }
  staged_ = true;
  Outgoing* const out = &outgoing_[1 - sending_];
  out->before.clear();
  out->body = nullptr;
  out->after.clear();
  return out;
}

void SourceConnection::Flush() {
  if (send_.in_flight) return;
  staged_ = false;
  sending_ = static_cast<uint8_t>(1 - sending_);
  Outgoing& out = outgoing_[sending_];
  size_t count = 0;
  out.parts[count++] = {out.before.data(), out.before.size()};
  if (out.body != nullptr && !out.body->empty()) {
    out.parts[count++] = {const_cast<char*>(out.body->data()), out.body->size()};
  }
  if (!out.after.empty()) out.parts[count++] = {out.after.data(), out.after.size()};
  io_->Send(&send_, socket_, std::span<const iovec>(out.parts, count));
}

void SourceConnection::Fail(std::string_view why) {
  work_->CountConnectionFailure(why);
  retry_ns_ = io_->now_ns() + options_.retry_ms * core::kNsPerMs;
  Close();
}

void SourceConnection::Close() {
  if (content_) work_->Interrupted(*content_, /*content_sent=*/true);
  if (envelope_) work_->Interrupted(*envelope_, /*content_sent=*/false);
  content_.reset();
  envelope_.reset();
  state_ = State::kClosing;
  if (receive_.in_flight) io_->Cancel(&receive_);
  if (send_.in_flight) io_->Cancel(&send_);
  FinishClose();
}

void SourceConnection::FinishClose() {
  if (receive_.in_flight || send_.in_flight || socket_ == io::kNoHandle) return;
  io_->CloseSocket(socket_, /*reset=*/false);
  socket_ = io::kNoHandle;
  staged_ = false;
  state_ = State::kIdle;
}

}  // namespace outbox::tools
