#include "smtp/server_session.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/check.h"

namespace outbox::smtp {
namespace {

constexpr EnhancedCode kBadSequence{5, 5, 1};
constexpr EnhancedCode kSyntaxError{5, 5, 2};

constexpr Reply kBareLineEnd{521, kSyntaxError,
                             "Lines end in CR LF; a bare CR or LF is not taken. Closing"};
// RFC 3207 4.2: what stands behind STARTTLS may have been put there by somebody else.
constexpr Reply kSlippedIn{554, {5, 5, 1}, "STARTTLS must be the last command before TLS. Closing"};
constexpr Reply kMessageBegun{503, kBadSequence, "The message has begun; send BDAT or RSET"};
constexpr Reply kAuthNotOffered{
    555, {5, 5, 4}, "MAIL parameter AUTH needs the extension, which is not offered"};
constexpr Reply kEarlyTalker{554, {5, 5, 0}, "You spoke before the greeting. Closing"};

}  // namespace

ServerSession::Phase ServerSession::phase() const {
  switch (state_) {
    case State::kBanner:
      return Phase::kBanner;
    case State::kCommands:
      return chunks_ == Chunks::kOpen ? Phase::kData : Phase::kCommand;
    case State::kAuthResponse:
    case State::kAuthUser:
    case State::kAuthPassword:
      return Phase::kCommand;
    case State::kBody:
    case State::kDrain:
    case State::kChunk:
    case State::kDrainedChunk:
      return Phase::kData;
    case State::kHandshake:
      return Phase::kHandshake;
    case State::kClosed:
      return Phase::kClosed;
    default:
      return Phase::kAnswer;
  }
}

void ServerSession::Start(OutputBuffer* out) {
  CHECK(state_ == State::kBanner);
  CHECK(out->room() >= core::kSmtpReplyRoom);
  state_ = State::kCommands;
  out->Append("220 ");
  out->Append(options_->hostname);
  out->Append(" ESMTP Outbox\r\n");
}

void ServerSession::Refuse(const Reply& reply, OutputBuffer* out) {
  CHECK(state_ == State::kBanner);
  CHECK(reply.first_digit() >= 4);
  CloseWith(reply, out);
}

void ServerSession::Secured() {
  CHECK(state_ == State::kHandshake || state_ == State::kBanner);
  CHECK(!transaction_ && line_size_ == 0);
  if (state_ == State::kHandshake) state_ = State::kCommands;
  secured_ = true;
  greeted_ = extended_ = authenticated_ = false;
}

ServerSession::Step ServerSession::Next(std::string_view* input, OutputBuffer* out) {
  CHECK(phase() != Phase::kAnswer && phase() != Phase::kHandshake && phase() != Phase::kClosed);
  while (true) {
    if (out->room() < core::kSmtpReplyRoom) return Step::kFlush;
    const Step step = NextStep(input, out);
    if (step != Step::kNeedBytes || input->empty()) return step;
  }
}

// kNeedBytes: nothing for the driver to do; go on if there are bytes.
ServerSession::Step ServerSession::NextStep(std::string_view* input, OutputBuffer* out) {
  switch (state_) {
    case State::kBanner:
      return input->empty() ? Step::kNeedBytes : Disown(kEarlyTalker, out);
    case State::kBody:
      return NextBody(input, out);
    case State::kDrain:
      return NextDrain(input, out);
    case State::kChunk:
      return NextChunk(input, out);
    case State::kDrainedChunk:
      return NextDrainedChunk(input, out);
    default:
      return NextLine(input, out);
  }
}

// Reads up to and with the next LF. A line that lies in the input whole is used where it lies.
ServerSession::Step ServerSession::NextLine(std::string_view* input, OutputBuffer* out) {
  if (input->empty()) return Step::kNeedBytes;
  const size_t newline = input->find('\n');
  const size_t size = newline == std::string_view::npos ? input->size() : newline + 1;
  std::string_view piece = input->substr(0, size);
  input->remove_prefix(size);
  if (!line_dropped_ && line_size_ + piece.size() > LineRoom()) {
    line_dropped_ = true;
    secret_dropped_ = IsOfAuth(piece);
    line_cr_ = line_size_ > 0 && line_[line_size_ - 1] == '\r';
    line_size_ = 0;
  }
  if (line_dropped_) {
    if (newline != std::string_view::npos) {
      const bool crlf = piece.size() > 1 ? piece[piece.size() - 2] == '\r' : line_cr_;
      line_dropped_ = false;
      return crlf ? LineTooLong(out) : Disown(kBareLineEnd, out);
    }
    line_cr_ = piece.back() == '\r';
    return Step::kNeedBytes;
  }
  if (line_size_ > 0 || newline == std::string_view::npos) {
    std::memcpy(line_ + line_size_, piece.data(), piece.size());
    line_size_ = static_cast<uint16_t>(line_size_ + piece.size());
    if (newline == std::string_view::npos) return Step::kNeedBytes;
    piece = {line_, line_size_};
    line_size_ = 0;
  }
  piece.remove_suffix(1);
  if (piece.empty() || piece.back() != '\r') return Disown(kBareLineEnd, out);
  piece.remove_suffix(1);
  if (piece.find('\r') != std::string_view::npos) return Disown(kBareLineEnd, out);
  const Step step = in_auth() ? HandleAuthLine(piece, out) : HandleLine(piece, out);
  if (step != Step::kStartTls) return step;
  if (!input->empty()) return Disown(kSlippedIn, out);
  Say({220, {2, 0, 0}, "Ready to start TLS"}, out);
  state_ = State::kHandshake;
  return step;
}

ServerSession::Step ServerSession::HandleLine(std::string_view line, OutputBuffer* out) {
  command_ = ParseCommand(line, extended_);
  switch (command_.verb) {
    case Verb::kEhlo:
    case Verb::kHelo:
      return HandleHello(out);
    case Verb::kMail:
      return HandleMail(out);
    case Verb::kRcpt:
      return HandleRcpt(out);
    case Verb::kData:
      return HandleData(out);
    case Verb::kBdat:
      return HandleBdat(out);
    case Verb::kStartTls:
      return HandleStartTls(out);
    case Verb::kAuth:
      return HandleAuth(out);
    default:
      return HandleOther(out);
  }
}

// Commands that bring no mail further are free up to a number, so that nobody idles busily for
// ever.
ServerSession::Step ServerSession::HandleOther(OutputBuffer* out) {
  if (!command_.ok()) return BadCommand(out);
  if (command_.verb == Verb::kQuit) return CloseWith({221, {2, 0, 0}, "Bye"}, out);
  if (++idle_commands_ > core::kSmtpIdleCommandsMax && ++errors_ >= options_->max_errors) {
    return Disown({421, {4, 7, 0}, "Too many commands that bring no mail. Closing"}, out);
  }
  switch (command_.verb) {
    case Verb::kRset: {
      Say({250, {2, 0, 0}, "Ok"}, out);
      const bool open = transaction_;
      ForgetTransaction();
      return open ? Step::kAbort : Step::kNeedBytes;
    }
    case Verb::kVrfy:
      return Say({252, {2, 5, 2}, "Cannot verify here; send mail and see"}, out);
    case Verb::kHelp:
      return Say({214, {2, 0, 0}, "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"}, out);
    default:
      return Say({250, {2, 0, 0}, "Ok"}, out);
  }
}

// RFC 3207 4. Yes is kStartTls, with nothing said yet.
ServerSession::Step ServerSession::HandleStartTls(OutputBuffer* out) {
  if (!options_->offers_tls && !secured_) {
    return Error({502, kBadSequence, "Command not implemented"}, out);
  }
  if (!command_.ok()) return BadCommand(out);
  if (secured_) return Error({503, kBadSequence, "TLS is on already"}, out);
  if (!extended_) return Error({503, kBadSequence, "Send EHLO first"}, out);
  if (transaction_ || chunks_begun()) {
    return Error({503, kBadSequence, "A transaction is open; end it with DATA or RSET"}, out);
  }
  return Step::kStartTls;
}

ServerSession::Step ServerSession::HandleHello(OutputBuffer* out) {
  if (!command_.ok()) return BadCommand(out);
  if (++idle_commands_ > core::kSmtpIdleCommandsMax && ++errors_ >= options_->max_errors) {
    return Disown({421, {4, 7, 0}, "Too many commands that bring no mail. Closing"}, out);
  }
  greeted_ = true;
  extended_ = command_.verb == Verb::kEhlo;
  ForgetTransaction();
  out->Append(extended_ ? "250-" : "250 ");
  out->Append(options_->hostname);
  out->Append("\r\n");
  if (extended_) {
    char size[24];
    const char* end = std::to_chars(size, size + sizeof(size), options_->max_message_bytes).ptr;
    out->Append("250-PIPELINING\r\n250-SIZE ");
    out->Append({size, static_cast<size_t>(end - size)});
    out->Append("\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n");
    if (options_->offers_tls && !secured_) out->Append("250-STARTTLS\r\n");
    if (can_authenticate()) out->Append("250-AUTH PLAIN LOGIN\r\n");
    if (options_->offers_chunking) out->Append("250-CHUNKING\r\n");
    out->Append("250 ENHANCEDSTATUSCODES\r\n");
  }
  return Step::kHello;
}

ServerSession::Step ServerSession::HandleMail(OutputBuffer* out) {
  if (options_->needs_tls && !secured_) {
    return Error({530, {5, 7, 0}, "Mail is taken over TLS only; send STARTTLS first"}, out);
  }
  if (!greeted_) return Error({503, kBadSequence, "Send EHLO or HELO first"}, out);
  if (options_->needs_auth && !authenticated_) return Error(AuthRequired(), out);
  if (transaction_ || chunks_begun()) {
    return Error({503, kBadSequence, "A transaction is open; end it with DATA or RSET"}, out);
  }
  if (!command_.ok()) return BadCommand(out);
  if (command_.has_auth && !can_authenticate()) return Error(kAuthNotOffered, out);
  if (options_->max_transactions > 0 && transactions_ >= options_->max_transactions) {
    return CloseWith({421, {4, 7, 0}, "Enough messages on this connection; open another. Closing"},
                     out);
  }
  if (options_->max_message_bytes > 0 && command_.declared_size > options_->max_message_bytes) {
    return Say({552, {5, 3, 4}, "The message is larger than the limit that EHLO tells"}, out);
  }
  state_ = State::kAskedMail;
  return Step::kAskMail;
}

ServerSession::Step ServerSession::HandleRcpt(OutputBuffer* out) {
  if (chunks_begun()) return Error(kMessageBegun, out);
  if (!transaction_) return Error({503, kBadSequence, "Send MAIL first"}, out);
  if (command_.ok() && command_.utf8_column > 0 && !utf8_) RefuseUtf8(&command_);
  if (!command_.ok()) {
    rcpt_refused_ = true;
    return BadCommand(out);
  }
  if (recipients_ >= options_->max_recipients) {
    return Say({452, {4, 5, 3}, "Too many recipients; send the rest in another transaction"}, out);
  }
  state_ = State::kAskedRcpt;
  return Step::kAskRcpt;
}

ServerSession::Step ServerSession::HandleData(OutputBuffer* out) {
  if (chunks_begun()) return Error(kMessageBegun, out);
  if (!transaction_) return Error({503, kBadSequence, "Send MAIL and RCPT first"}, out);
  if (!command_.ok()) return BadCommand(out);
  if (recipients_ == 0) {
    // RFC 2920 3.2: a client that pipelines sends DATA before it knows. No error of its own.
    if (rcpt_refused_) return Say({554, kBadSequence, "No valid recipients"}, out);
    return Error({503, kBadSequence, "Send RCPT first"}, out);
  }
  state_ = State::kAskedData;
  return Step::kAskData;
}

ServerSession::Step ServerSession::Answer(const Reply& reply, OutputBuffer* out) {
  CHECK(phase() == Phase::kAnswer);
  CHECK(out->room() >= core::kSmtpReplyRoom);
  const State asked = state_;
  state_ = State::kCommands;
  if (asked == State::kAskedAuth) ForgetSecrets();
  if (reply.code == 421) return CloseWith(reply, out);
  switch (asked) {
    case State::kAskedMail:
      return AnswerMail(reply, out);
    case State::kAskedRcpt:
      return AnswerRcpt(reply, out);
    case State::kAskedData:
      return AnswerData(reply, out);
    case State::kAskedAuth:
      return AnswerAuth(reply, out);
    case State::kAskedChunk:
      return AnswerChunk(reply);
    default:
      break;
  }
  CHECK(asked == State::kAskedCommit);
  ForgetTransaction();
  ++transactions_;
  if (reply.first_digit() == 2) {
    errors_ = 0;
    idle_commands_ = 0;
  }
  return Say(reply, out);
}

ServerSession::Step ServerSession::AnswerMail(const Reply& reply, OutputBuffer* out) {
  if (reply.first_digit() == 5) return Error(reply, out);
  transaction_ = reply.first_digit() == 2;
  if (transaction_) {
    body_type_ = command_.body;
    chunks_ = Chunks::kNone;
  }
  utf8_ = command_.smtp_utf8;
  return Say(reply, out);
}

// Refused recipients are errors only until one is accepted: a long list may have many bad
// addresses.
ServerSession::Step ServerSession::AnswerRcpt(const Reply& reply, OutputBuffer* out) {
  if (reply.first_digit() == 2) {
    ++recipients_;
    return Say(reply, out);
  }
  rcpt_refused_ = true;
  return reply.first_digit() == 5 && recipients_ == 0 ? Error(reply, out) : Say(reply, out);
}

ServerSession::Step ServerSession::AnswerData(const Reply& reply, OutputBuffer* out) {
  CHECK(reply.code == 354 || reply.first_digit() >= 4);
  if (reply.code == 354) {
    state_ = State::kBody;
    scanner_.Reset();
    drained_ = 0;
  }
  return Say(reply, out);
}

ServerSession::Step ServerSession::NextBody(std::string_view* input, OutputBuffer* out) {
  if (scanner_.complete()) {
    state_ = State::kAskedCommit;
    return Step::kEndOfBody;
  }
  if (input->empty()) return Step::kNeedBytes;
  chunk_ = input->substr(0, scanner_.Consume(*input));
  input->remove_prefix(chunk_.size());
  if (BodyRefusal().code == 0) return Step::kBody;
  drained_ = chunk_.size();
  chunk_ = {};
  // The driver forgets the message now; the client is told at its end.
  if (!scanner_.complete()) {
    state_ = State::kDrain;
    transaction_ = false;
    return Step::kAbort;
  }
  return RefuseWholeBody(out);
}

// It has come to its end, and is still open at the driver's side.
ServerSession::Step ServerSession::RefuseWholeBody(OutputBuffer* out) {
  chunk_ = {};
  state_ = State::kCommands;
  Error(BodyRefusal(), out);
  if (state_ == State::kClosed) return Step::kClose;
  ForgetTransaction();
  return Step::kAbort;
}

ServerSession::Step ServerSession::NextDrain(std::string_view* input, OutputBuffer* out) {
  if (input->empty()) return Step::kNeedBytes;
  const size_t size = scanner_.Consume(*input);
  input->remove_prefix(size);
  drained_ += size;
  if (scanner_.complete()) {
    state_ = State::kCommands;
    ForgetTransaction();
    return Error(BodyRefusal(), out);
  }
  if (drained_ > core::kSmtpDrainBytesMax) return Disown(BodyRefusal(), out);
  return Step::kNeedBytes;
}

// Why the message in hand cannot be taken, as far as it is known; code 0: nothing is wrong. The
// order is fixed, so that the reply does not depend on how the bytes were split.
Reply ServerSession::BodyRefusal() const {
  const BodySummary& body = scanner_.summary();
  if (!body.line_endings_ok()) {
    return {550, {5, 6, 0}, "The message has a bare CR or LF; lines must end in CR LF"};
  }
  if (options_->refuse_nul && body.has_nul) {
    return {550, {5, 6, 0}, "The message has a NUL octet; encode it (RFC 2045)"};
  }
  // While the end has not come, up to two octets in hand may turn out to be the final dot's.
  const uint64_t in_doubt = body.complete ? 0 : 2;
  if (options_->max_message_bytes > 0 &&
      body.message_size() > options_->max_message_bytes + in_doubt) {
    return {552, {5, 3, 4}, "The message is larger than the limit that EHLO tells"};
  }
  if (options_->max_text_line > 0 && body.longest_line > options_->max_text_line) {
    return {550, {5, 6, 0}, "The message has a line that is too long; wrap or encode it"};
  }
  if (body.received_headers > options_->max_received_headers) {
    return {554, {5, 4, 6}, "Too many Received fields: the message is in a mail loop"};
  }
  return {};
}

void ServerSession::Close(EnhancedCode enhanced, std::string_view text, OutputBuffer* out) {
  CHECK(state_ != State::kClosed);
  CloseWith({421, enhanced, text}, out);
}

ServerSession::Step ServerSession::Say(const Reply& reply, OutputBuffer* out) {
  FormatReply(reply, out);
  return Step::kNeedBytes;
}

// A refusal that counts against the client.
ServerSession::Step ServerSession::Error(const Reply& reply, OutputBuffer* out) {
  if (++errors_ >= options_->max_errors) {
    return Disown({421, {4, 7, 0}, "Too many errors. Closing"}, out);
  }
  return Say(reply, out);
}

// Refuses command_ for its form, and tells where.
ServerSession::Step ServerSession::BadCommand(OutputBuffer* out) {
  char text[160];
  std::string_view what = command_.refusal.text;
  size_t size = std::min(what.size(), sizeof(text) - 32);
  std::memcpy(text, what.data(), size);
  if (command_.error_column > 0) {
    constexpr std::string_view kAt = " (at column ";
    std::memcpy(text + size, kAt.data(), kAt.size());
    char* end =
        std::to_chars(text + size + kAt.size(), text + sizeof(text), command_.error_column).ptr;
    *end++ = ')';
    size = static_cast<size_t>(end - text);
  }
  const Reply reply{command_.refusal.code, command_.refusal.enhanced, {text, size}};
  if (command_.verb == Verb::kRcpt && recipients_ > 0) return Say(reply, out);
  return Error(reply, out);
}

ServerSession::Step ServerSession::Disown(const Reply& reply, OutputBuffer* out) {
  disowned_ = true;
  return CloseWith(reply, out);
}

ServerSession::Step ServerSession::CloseWith(const Reply& reply, OutputBuffer* out) {
  FormatReply(reply, out);
  state_ = State::kClosed;
  return Step::kClose;
}

void ServerSession::ForgetTransaction() {
  transaction_ = false;
  rcpt_refused_ = false;
  recipients_ = 0;
  chunks_ = Chunks::kNone;
  body_type_ = BodyType::kUnspecified;
  utf8_ = false;
}

}  // namespace outbox::smtp
