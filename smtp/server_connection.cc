#include "smtp/server_connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::smtp {
namespace {

constexpr EnhancedCode kSilence{4, 4, 2};
constexpr EnhancedCode kStopping{4, 3, 2};

// What a string keeps between pieces; a larger one is given back.
constexpr size_t kKeptCapacity = 512;

// A chunk with fewer octets to come is received with what follows it.
constexpr uint64_t kDirectMin = 4096;

}  // namespace

ServerConnection::ServerConnection(const ServerContext* context, Owner* owner)
    : context_(context), owner_(owner), session_(&context->session) {
  timer_.Bind<&ServerConnection::OnTimer>(this);
}

ServerConnection::~ServerConnection() { CHECK(connection_.closed()); }

void ServerConnection::Start(io::Socket socket) {
  connection_.Start(context_->io, socket, this);
  peer_ = connection_.PeerAddress();
  const Reception::Admission admission =
      context_->reception->Admit(peer_, connection_.LocalAddress(), this);
  reception_ = admission.session;
  if (reception_ == nullptr && context_->implicit_tls) {
    // It understands no plain word, and others wait for the handshake's work.
    return connection_.Terminate(io::Connection::End::kReset);
  }
  if (context_->implicit_tls) {
    securing_ = true;
  } else if (reception_ == nullptr) {
    CHECK(PrepareOutput());
    session_.Refuse(admission.refusal, &out_);
    BeginClose(true);
  } else if (context_->banner_delay_ns == 0) {
    SayBanner();
  }
  AfterWork();
}

void ServerConnection::SayBanner() {
  CHECK(PrepareOutput());
  session_.Start(&out_);
}

// --- Bytes in
// ----------------------------------------------------------------------------------------

void ServerConnection::OnBytes(std::span<char> bytes) {
  if (!closing_) {
    const bool could = session_.may_authenticate();
    const std::string_view rest = Process({bytes.data(), bytes.size()});
    if (!rest.empty() && !closing_) Keep(rest);
    if (could || session_.may_authenticate()) explicit_bzero(bytes.data(), bytes.size());
  }
  AfterWork();
}

// A piece of a large message has come into Reception's own memory. What follows the message in it
// is copied away before the memory goes back.
void ServerConnection::OnReceived(size_t size) {
  if (closing_) {
    direct_ = {};
    return AfterWork();
  }
  std::string_view input(direct_.data(), size);
  Step step = Step::kNeedBytes;
  // Before a dot of a chunk there is no room for another one.
  const bool copy = session_.in_chunk() && input.front() == '.';
  if (!copy && PrepareOutput()) step = session_.Next(&input, &out_);
  if (!input.empty()) Keep(input);
  progress_ = true;
  if (step != Step::kBody && step != Step::kAbort) TakeBodyState(reception_->AppendDirect(0));
  Follow(step);
  direct_ = {};
  Continue();
}

void ServerConnection::OnEndOfStream() {
  end_of_stream_ = true;
  AfterWork();
}

void ServerConnection::OnError(int) { connection_.Terminate(io::Connection::End::kReset); }

// Lets the session consume `input` as far as nothing has to be waited for; returns the rest.
std::string_view ServerConnection::Process(std::string_view input) {
  while (!closing_ && !blocked()) {
    if (!PrepareOutput()) {
      output_waits_ = true;
      break;
    }
    if (shutdown_ && session_.phase() == Phase::kCommand) {
      session_.Close(kStopping, "The server stops; try again later. Closing", &out_);
      BeginClose(true);
      break;
    }
    const Step step = session_.Next(&input, &out_);
    if (step == Step::kNeedBytes) break;
    progress_ = true;
    Follow(step);
  }
  if (!out_.empty()) progress_ = true;
  return input;
}

void ServerConnection::Follow(Step step) {
  const Command& command = session_.command();
  switch (step) {
    case Step::kNeedBytes:
    case Step::kFlush:
      return;
    case Step::kAskMail:
      return Ask(step, reception_->OnMail({command.path, command.declared_size, command.body,
                                           command.smtp_utf8, command.ret, command.envid}));
    case Step::kAskRcpt:
      return Ask(step, reception_->OnRcpt(command.path, command.dsn));
    case Step::kAskData:
      return Ask(step, reception_->OnData());
    case Step::kAskAuth: {
      const MaybeReply reply = reception_->OnAuth(session_.credentials());
      session_.ForgetSecrets();
      return Ask(step, reply);
    }
    case Step::kEndOfBody:
      return Ask(step, reception_->Finish(session_.body()));
    case Step::kBody:
      return StoreChunk();
    case Step::kAbort:
      transaction_ = false;
      return reception_->Abort();
    case Step::kHello:
      if (transaction_) reception_->Abort();
      transaction_ = false;
      return reception_->OnHello(command.argument, session_.extended());
    case Step::kStartTls:
      securing_ = true;
      return;
    case Step::kClose:
      // Under TLS it says goodbye behind its QUIT as well (close_notify): unread, that would be a
      // reset, and our last replies lost.
      return BeginClose(command.verb != Verb::kQuit || connection_.encrypted());
  }
}

void ServerConnection::StoreChunk() {
  if (body_failed_) return;
  const std::string_view chunk = session_.chunk();
  if (chunk.data() == direct_.data()) {
    TakeBodyState(reception_->AppendDirect(chunk.size()));
  } else {
    TakeBodyState(reception_->Append(chunk));
  }
}

void ServerConnection::TakeBodyState(BodyState state) {
  body_waits_ = state == BodyState::kWait;
  body_failed_ = body_failed_ || state == BodyState::kFailed;
}

// --- TLS -----------------------------------------------------------------------------------------

// What was said in plain text is on its way.
void ServerConnection::BeginTls() {
  std::unique_ptr<io::TlsStream> stream = io::TlsStream::Accept(context_->tls);
  if (stream != nullptr) return connection_.StartTls(std::move(stream), context_->tls_memory);
  Reset();
}

void ServerConnection::OnTls(std::string_view error) {
  reception_->OnTls(connection_.tls(), error);
  progress_ = true;
  securing_ = false;
  if (!error.empty()) return connection_.Terminate(io::Connection::End::kGraceful);
  session_.Secured();
  if (session_.phase() == Phase::kBanner && context_->banner_delay_ns == 0) SayBanner();
  Continue();
}

// --- Questions
// ---------------------------------------------------------------------------------------

void ServerConnection::Ask(Step question, const MaybeReply& reply) {
  asking_ = true;
  question_ = question;
  if (reply.has_value()) TakeAnswer(*reply);
}

void ServerConnection::TakeAnswer(const Reply& reply) {
  asking_ = false;
  const bool yes = reply.first_digit() == 2 || reply.code == 354;
  if (question_ == Step::kAskMail) transaction_ = yes;
  if (question_ == Step::kAskData) body_failed_ = false;
  if (question_ == Step::kEndOfBody) transaction_ = false;
  if (session_.Answer(reply, &out_) == Step::kClose) BeginClose(true);
}

void ServerConnection::Answer(const Reply& reply) {
  if (!connection_.open()) return;
  CHECK(asking_);
  CHECK(PrepareOutput());  // the room was there when the question was asked
  TakeAnswer(reply);
  progress_ = true;
  Continue();
}

void ServerConnection::ResumeBody() {
  if (!connection_.open() || !body_waits_) return;
  body_waits_ = false;
  progress_ = true;
  Continue();
}

// --- Bytes that wait
// ---------------------------------------------------------------------------------

void ServerConnection::Keep(std::string_view input) {
  CHECK(kept_.empty());
  kept_.assign(input);
  kept_pos_ = 0;
}

// Goes on with what was kept.
void ServerConnection::Continue() {
  const bool could = session_.may_authenticate();
  const std::string_view rest = Process(std::string_view(kept_).substr(kept_pos_));
  kept_pos_ = kept_.size() - rest.size();
  const bool secret = could || session_.may_authenticate();
  if (secret && !kept_.empty()) explicit_bzero(kept_.data(), closing_ ? kept_.size() : kept_pos_);
  if (rest.empty() || closing_) {
    kept_pos_ = 0;
    kept_.clear();
    if (kept_.capacity() > kKeptCapacity) kept_ = std::string();
  }
  AfterWork();
}

// --- Bytes out
// ---------------------------------------------------------------------------------------

// Makes room for the longest reply; false: both blocks are full of replies that the client does not
// read.
bool ServerConnection::PrepareOutput() {
  if (writing_ != nullptr && out_.room() >= core::kSmtpReplyRoom) return true;
  if (writing_ != nullptr) {
    if (connection_.sending()) return false;
    Flush();
  }
  writing_ = context_->blocks->Take();
  out_ = OutputBuffer(BlockCache::Memory(writing_));
  return true;
}

void ServerConnection::Flush() {
  if (writing_ == nullptr || !connection_.open()) return;
  if (!out_.empty() && connection_.sending()) return;
  if (out_.empty()) {
    context_->blocks->Give(std::move(writing_));
  } else {
    send_part_ = {writing_.get(), out_.written().size()};
    sending_ = std::move(writing_);
    connection_.Send({&send_part_, 1});
  }
  out_ = OutputBuffer();
}

void ServerConnection::OnSent(size_t) {
  context_->blocks->Give(std::move(sending_));
  progress_ = true;
  if (!output_waits_) return AfterWork();
  output_waits_ = false;
  Continue();
}

// --- After each event
// --------------------------------------------------------------------------------

void ServerConnection::AfterWork() {
  if (!connection_.open()) return;
  Flush();
  if (securing_ && !connection_.encrypted() && !connection_.sending()) BeginTls();
  if (end_of_stream_ && !blocked()) BeginClose(false);
  if (closing_ && !connection_.sending() && writing_ == nullptr) {
    if (!linger_ || end_of_stream_) return connection_.Terminate(io::Connection::End::kGraceful);
    if (!fin_sent_) {
      fin_sent_ = true;
      progress_ = true;
      connection_.ShutdownWrite();
    }
  }
  ReceiveMore();
  if (progress_ || !timer_.set()) UpdateTimer();
  progress_ = false;
}

void ServerConnection::ReceiveMore() {
  if (connection_.receiving() || end_of_stream_) return;
  if (closing_) {
    if (linger_) connection_.Receive();
    return;
  }
  if (blocked()) return;
  const bool body = transaction_ && !body_failed_ && !connection_.encrypted();
  const uint64_t left = body ? session_.body_left() : 0;
  if (left >= kDirectMin) direct_ = reception_->BodySpace();
  if (direct_.size() > left) direct_ = direct_.first(left);
  if (direct_.empty()) {
    connection_.Receive();
  } else {
    connection_.ReceiveInto(direct_);
  }
}

// `linger`: the client may be sending still, and should read why we close.
void ServerConnection::BeginClose(bool linger) {
  if (closing_) return;
  closing_ = true;
  linger_ = linger;
  progress_ = true;
}

void ServerConnection::UpdateTimer() {
  int64_t limit_ns = context_->command_timeout_ns;
  if (securing_) limit_ns = std::min(limit_ns, core::kTlsHandshakeNs);
  if (closing_ && !connection_.sending()) {
    limit_ns = core::kSmtpLingerNs;
  } else if (!closing_ && !connection_.sending() && !securing_) {
    switch (session_.phase()) {
      case Phase::kBanner:
        limit_ns = context_->banner_delay_ns;
        break;
      case Phase::kData:
        limit_ns = context_->data_timeout_ns;
        break;
      default:
        break;
    }
    // What we owe the client has no limit of the client's.
    if (asking_ || body_waits_) return timer_.Cancel();
  }
  if (!timer_.Set(context_->wheel, context_->io->now_ns() + limit_ns)) Reset();
}

void ServerConnection::OnTimer() {
  if (!connection_.open()) return;
  // It does not read what we say, or has been told enough.
  if (connection_.sending() || securing_) {
    timed_out_ = true;
    return Reset();
  }
  if (closing_) return connection_.Terminate(io::Connection::End::kGraceful);
  progress_ = true;
  if (session_.phase() == Phase::kBanner) {
    SayBanner();
  } else if (!asking_ && !body_waits_) {
    timed_out_ = true;
    Say421(kSilence, "You kept silent for too long. Closing");
  }
  AfterWork();
}

// --- For the owner
// -----------------------------------------------------------------------------------

void ServerConnection::Say421(EnhancedCode enhanced, std::string_view text) {
  if (!PrepareOutput()) return Reset();
  session_.Close(enhanced, text, &out_);
  BeginClose(true);
}

// A message that is on its way may come to its end; the second call cuts it short.
void ServerConnection::Shutdown() {
  const bool again = shutdown_;
  shutdown_ = true;
  if (!connection_.open() || closing_ || asking_) return;
  if (securing_) {  // it hears of it when it can
    if (again) Reset();
    return;
  }
  if (session_.phase() == Phase::kData && !again) return;
  Say421(kStopping, "The server stops; try again later. Closing");
  AfterWork();
}

void ServerConnection::Reset() {
  if (!connection_.closed()) connection_.Terminate(io::Connection::End::kReset);
}

void ServerConnection::OnClosed() {
  timer_.Cancel();
  if (writing_ != nullptr) context_->blocks->Give(std::move(writing_));
  if (sending_ != nullptr) context_->blocks->Give(std::move(sending_));
  if (reception_ != nullptr) {
    reception_->OnClosed(timed_out_            ? ServerEnd::kTimeout
                         : session_.disowned() ? ServerEnd::kFaults
                                               : ServerEnd::kOther);
  }
  owner_->OnServerConnectionClosed(this);
}

}  // namespace outbox::smtp
