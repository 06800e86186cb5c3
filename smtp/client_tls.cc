// The TLS of a ClientConnection: when it is wanted, what it came to, and what follows when it has
// failed.
#include <string>
#include <utility>

#include "core/check.h"
#include "smtp/client_connection.h"

namespace outbox::smtp {

TlsUse ClientConnection::TlsUseNow() {
  switch (tls_.mode) {
    case core::TlsMode::kNone:
      return TlsUse::kOff;
    case core::TlsMode::kOpportunistic:
      if (context_->tls == nullptr) return TlsUse::kOff;
      return context_->plain_hosts->Has(host_, context_->io->now_ns()) ? TlsUse::kOff
                                                                       : TlsUse::kOffered;
    case core::TlsMode::kImplicit:
      return TlsUse::kOn;
    case core::TlsMode::kRequired:
    case core::TlsMode::kVerify:
      break;
  }
  return TlsUse::kNeeded;
}

// The session has said so, or there is none before it. A quick server's answer may be here before
// the word that our question was sent: OnSent comes here again.
void ClientConnection::BeginTls() {
  shaking_hands_ = true;
  progress_ = true;
  if (connection_.sending()) return;
  io::TlsPeer peer;
  peer.server = host_.ToString();
  peer.name = tls_.name;
  peer.ip = host_.ip.ToString();
  peer.verify = tls_.mode == core::TlsMode::kVerify;
  std::unique_ptr<io::TlsStream> stream;
  if (context_->tls != nullptr) stream = io::TlsStream::Connect(context_->tls, peer);
  if (stream == nullptr) return OnTls("there is no TLS on our side");
  connection_.StartTls(std::move(stream), context_->tls_memory);
}

void ClientConnection::OnTls(std::string_view error) {
  CHECK(shaking_hands_);
  shaking_hands_ = false;
  progress_ = true;
  if (!error.empty()) {
    const std::string why(error);
    talk_.Note("(TLS failed: " + why + ")", context_->io->now_ns());
    source_->OnTls({}, why);
    if (FallBack(why)) return;
    error_text_ = why;
    session_.Abandon(SessionEnd::kTlsFailed, error_text_);
    if (!busy_) TellEvents({});
    return Pump();
  }
  const io::TlsFacts facts = connection_.tls();
  std::string note = "(" + std::string(facts.version) + ", " + std::string(facts.cipher);
  note += facts.resumed ? ", resumed)" : ")";
  talk_.Note(note, context_->io->now_ns());
  source_->OnTls(facts, {});
  // With TLS from the first byte the greeting comes now.
  if (session_.waiting_for() == Stage::kTls) session_.Secured();
  Pump();
}

// Of what TLS cannot be used for any more it knows best itself.
void ClientConnection::OnError(int error) {
  const std::string_view tls = connection_.tls_error();
  Fail(SessionEnd::kNetworkError, tls.empty() ? core::Status::FromErrno(error, HostText()).message()
                                              : HostText() + ": TLS: " + std::string(tls));
}

// Where TLS need not be, the same once more without. False: it must be.
bool ClientConnection::FallBack(std::string_view why) {
  if (tls_.mode != core::TlsMode::kOpportunistic || !connection_.open()) return false;
  context_->plain_hosts->Add(host_, context_->io->now_ns());
  talk_.Note("(once more, without TLS: " + std::string(why) + ")", context_->io->now_ns());
  falling_back_ = true;
  shaking_hands_ = false;
  timer_.Cancel();
  connection_.Terminate(io::Connection::End::kReset);
  return true;
}

// The connection with which TLS has failed is closed.
void ClientConnection::StartAgain() {
  falling_back_ = false;
  session_ = ClientSession(session_options(), TlsUse::kOff, credentials());
  ChooseData();
  context_->io->Connect(&connect_, host_, local());
  UpdateTimer();
}

}  // namespace outbox::smtp
