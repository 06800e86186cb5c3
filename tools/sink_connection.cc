#include "tools/sink_connection.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace outbox::tools {
namespace {

// Longer than any command that a sane client sends (RFC 5321 4.5.3.1.4 plus extensions).
constexpr size_t kCommandBytes = 4096;

// A message of which so much has come goes on in larger pieces, into memory of the connection's
// own.
constexpr uint64_t kLargeFrom = 16 * 1024;
constexpr size_t kLargeBytes = 256 * 1024;

// How much of CRLF.CRLF is matched after one more octet.
uint8_t Advance(uint8_t matched, char c) {
  static constexpr char kEnd[] = "\r\n.\r\n";
  if (c == kEnd[matched]) return static_cast<uint8_t>(matched + 1);
  return c == '\r' ? 1 : 0;
}

// Returns how many octets of `bytes` belong to the content: all, or up to the end of CRLF.CRLF,
// which sets *matched to 5. *matched carries a match over the seams of the input. Plain text is
// searched for dots, the rarest octet of the five.
size_t FindEnd(std::string_view bytes, uint8_t* matched) {
  size_t at = 0;
  while (at < bytes.size() && *matched > 0 && *matched < 5) {
    *matched = Advance(*matched, bytes[at++]);
  }
  if (*matched == 5 || at == bytes.size()) return at;
  const size_t searched_from = at;
  while (at < bytes.size()) {
    const size_t dot = bytes.find('.', at);
    if (dot == std::string_view::npos) break;
    at = dot + 1;
    if (dot < searched_from + 2 || bytes[dot - 1] != '\n' || bytes[dot - 2] != '\r') continue;
    *matched = 3;
    while (at < bytes.size() && *matched > 0 && *matched < 5) {
      *matched = Advance(*matched, bytes[at++]);
    }
    if (*matched == 5) return at;
    if (at == bytes.size()) return at;
    // Step back over what may begin another match.
    at = dot + 1;
  }
  *matched = 0;
  const size_t tail = std::max(searched_from, bytes.size() < 4 ? size_t{0} : bytes.size() - 4);
  for (size_t i = tail; i < bytes.size(); ++i) *matched = Advance(*matched, bytes[i]);
  return bytes.size();
}

bool IsVerb(std::string_view line, const char* verb) {
  return line.size() >= 4 && strncasecmp(line.data(), verb, 4) == 0;
}

}  // namespace

SinkConnection::SinkConnection(SinkShared* shared, io::Socket socket)
    : shared_(shared), socket_(socket) {
  receive_.Bind<&SinkConnection::OnReceived>(this);
  receive_large_.Bind<&SinkConnection::OnLargeReceived>(this);
  send_.Bind<&SinkConnection::OnSent>(this);
}

void SinkConnection::Start() {
  shared_->ledger->CountConnection();
  Say("220 sink.load.test ESMTP\r\n");
  Proceed();
}

void SinkConnection::Shut() {
  shut_ = true;
  Proceed();
}

void SinkConnection::OnReceived(const io::OpResult& result) {
  if (result.result <= 0) {
    Shut();
    return;
  }
  Input({result.data.data(), result.data.size()});
  shared_->io->ReturnBuffer(result.buffer);
  Proceed();
}

void SinkConnection::OnLargeReceived(const io::OpResult& result) {
  if (result.result <= 0) {
    Shut();
    return;
  }
  Input({large_.get(), static_cast<size_t>(result.result)});
  Proceed();
}

void SinkConnection::Receive() {
  if (state_ == State::kCommand || content_bytes_ < kLargeFrom) {
    shared_->io->Recv(&receive_, socket_);
    return;
  }
  if (large_ == nullptr) large_ = std::make_unique_for_overwrite<char[]>(kLargeBytes);
  shared_->io->RecvInto(&receive_large_, socket_, {large_.get(), kLargeBytes});
}

void SinkConnection::OnSent(const io::OpResult& result) {
  if (result.result < 0) shut_ = true;
  sending_.clear();
  Proceed();
}

void SinkConnection::EndDelay() {
  delayed_ = false;
  Say("250 2.0.0 Ok\r\n");
  const std::string rest = std::move(rest_);
  rest_.clear();
  Input(rest);
  Proceed();
}

void SinkConnection::Proceed() {
  if (closed_) return;
  if (!shut_ && !send_.in_flight && !out_.empty()) {
    sending_.swap(out_);
    send_part_ = {sending_.data(), sending_.size()};
    shared_->io->Send(&send_, socket_, std::span<const iovec>(&send_part_, 1));
  }
  const bool receiving = receive_.in_flight || receive_large_.in_flight;
  const bool ending = shut_ || (quit_ && out_.empty() && sending_.empty());
  if (!ending) {
    if (!quit_ && !delayed_ && !receiving) Receive();
    return;
  }
  for (io::Op* op : {&receive_, &receive_large_, &send_}) {
    if (op->in_flight) shared_->io->Cancel(op);
  }
  if (receiving || send_.in_flight || delayed_) return;
  closed_ = true;
  shared_->ledger->CountConnectionEnd();
  shared_->io->CloseSocket(socket_, /*reset=*/false);
  shared_->Closed(this);
}

void SinkConnection::Input(std::string_view bytes) {
  while (!bytes.empty() && !quit_ && !shut_) {
    if (delayed_) {
      rest_.append(bytes);
      return;
    }
    if (state_ == State::kContent) {
      InputContent(&bytes);
    } else if (state_ == State::kChunk) {
      InputChunk(&bytes);
    } else {
      InputCommand(&bytes);
    }
  }
}

void SinkConnection::InputCommand(std::string_view* bytes) {
  const size_t newline = bytes->find('\n');
  const std::string_view piece = bytes->substr(0, newline);
  if (line_.size() + piece.size() > kCommandBytes) {
    shared_->ledger->CountProtocolError();
    Say("500 5.5.2 Line too long\r\n");
    quit_ = true;
    return;
  }
  if (newline == std::string_view::npos) {
    line_.append(piece);
    bytes->remove_prefix(piece.size());
    return;
  }
  bytes->remove_prefix(newline + 1);
  if (line_.empty()) {
    Command(piece);
  } else {
    line_.append(piece);
    const std::string line = std::move(line_);
    line_.clear();
    Command(line);
  }
}

void SinkConnection::Command(std::string_view line) {
  if (IsVerb(line, "MAIL")) {
    recipients_ = SinkRecipients();
    Say("250 2.1.0 Ok\r\n");
  } else if (IsVerb(line, "RCPT")) {
    Recipient(line);
  } else if (IsVerb(line, "DATA")) {
    BeginContent();
  } else if (shared_->chunking && IsVerb(line, "BDAT")) {
    BeginChunk(line);
  } else if (IsVerb(line, "EHLO")) {
    Say("250-sink.load.test\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n");
    Say(shared_->chunking ? "250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n"
                          : "250 ENHANCEDSTATUSCODES\r\n");
  } else if (IsVerb(line, "HELO")) {
    Say("250 sink.load.test\r\n");
  } else if (IsVerb(line, "QUIT")) {
    Say("221 2.0.0 Bye\r\n");
    quit_ = true;
  } else if (IsVerb(line, "RSET") || IsVerb(line, "NOOP")) {
    if (IsVerb(line, "RSET")) recipients_ = SinkRecipients();
    if (IsVerb(line, "RSET")) in_chunks_ = false;
    Say("250 2.0.0 Ok\r\n");
  } else {
    shared_->ledger->CountProtocolError();
    Say("500 5.5.2 Command unknown\r\n");
  }
}

void SinkConnection::Recipient(std::string_view line) {
  if (shared_->fail_percent > 0 && shared_->random.Chance(shared_->fail_percent, 100)) {
    shared_->ledger->CountDeferred();
    Say("451 4.3.0 Try again later\r\n");
    return;
  }
  if (shared_->reject_percent > 0 && shared_->random.Chance(shared_->reject_percent, 100)) {
    shared_->ledger->CountRejected();
    Say("550 5.1.1 No such user here\r\n");
    return;
  }
  const size_t begin = line.find('<');
  const size_t end = line.find('>');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    shared_->ledger->CountProtocolError();
    Say("501 5.1.3 Address expected in <>\r\n");
    return;
  }
  shared_->ledger->AddRecipient(line.substr(begin + 1, end - begin - 1), &recipients_);
  Say("250 2.1.5 Ok\r\n");
}

void SinkConnection::BeginContent() {
  if (recipients_.accepted == 0) {
    Say("554 5.5.1 No valid recipients\r\n");
    return;
  }
  state_ = State::kContent;
  // The CRLF of the DATA command can begin the end: ".CRLF" alone is an empty message.
  end_matched_ = 2;
  ResetContent();
  Say("354 End with a dot\r\n");
}

void SinkConnection::ResetContent() {
  head_.clear();
  head_done_ = false;
  hash_ = ContentHash();
  content_bytes_ = 0;
}

void SinkConnection::BeginChunk(std::string_view line) {
  const std::string text(line.substr(4));
  char* end = nullptr;
  chunk_left_ = std::strtoull(text.c_str(), &end, 10);
  last_chunk_ = strncasecmp(end, " LAST", 5) == 0;
  state_ = State::kChunk;
  if (!std::exchange(in_chunks_, true)) {
    ResetContent();
    before_[0] = '\r';
    before_[1] = '\n';
  }
  if (chunk_left_ == 0) EndChunk();
}

void SinkConnection::InputChunk(std::string_view* bytes) {
  const std::string_view piece = bytes->substr(0, std::min<uint64_t>(chunk_left_, bytes->size()));
  bytes->remove_prefix(piece.size());
  chunk_left_ -= piece.size();
  const auto octet = [&](size_t at, size_t back) {
    return at >= back ? piece[at - back] : before_[2 + at - back];
  };
  size_t from = 0;
  for (size_t at = piece.find('.'); at != std::string_view::npos; at = piece.find('.', at + 1)) {
    if (octet(at, 1) != '\n' || octet(at, 2) != '\r') continue;
    Digest(piece.substr(from, at - from));
    Digest(".");
    from = at;
  }
  Digest(piece.substr(from));
  const char last[2] = {octet(piece.size(), 2), octet(piece.size(), 1)};
  std::copy_n(last, 2, before_);
  if (chunk_left_ == 0) EndChunk();
}

void SinkConnection::EndChunk() {
  state_ = State::kCommand;
  if (recipients_.accepted == 0) {
    if (last_chunk_) in_chunks_ = false;
    Say("554 5.5.1 No valid recipients\r\n");
    return;
  }
  if (!last_chunk_) {
    Say("250 2.0.0 Ok\r\n");
    return;
  }
  in_chunks_ = false;
  Digest(before_[0] == '\r' && before_[1] == '\n' ? ".\r\n" : "\r\n.\r\n");
  EndContent();
}

void SinkConnection::InputContent(std::string_view* bytes) {
  const size_t size = FindEnd(*bytes, &end_matched_);
  Digest(bytes->substr(0, size));
  bytes->remove_prefix(size);
  if (end_matched_ == 5) EndContent();
}

void SinkConnection::Digest(std::string_view part) {
  content_bytes_ += part.size();
  if (!head_done_) {
    const size_t before = head_.size();
    const size_t take = std::min(part.size(), kLoadHeadBytes - before);
    head_.append(part.substr(0, take));
    const size_t empty_line = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (empty_line == std::string::npos) {
      head_done_ = head_.size() == kLoadHeadBytes;  // none of ours
      return;
    }
    head_done_ = true;
    head_.resize(empty_line + 4);
    part.remove_prefix(head_.size() - before);
  }
  hash_.Update(part);
}

void SinkConnection::EndContent() {
  state_ = State::kCommand;
  shared_->ledger->AddMessage(recipients_, head_, hash_.Final(), content_bytes_,
                              shared_->io->now_ns());
  recipients_ = SinkRecipients();
  if (shared_->delay) {
    delayed_ = true;
    shared_->Delay(this);
  } else {
    Say("250 2.0.0 Ok\r\n");
  }
}

}  // namespace outbox::tools
