#include "smtp/client_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/status.h"
#include "smtp/secret_echo.h"

namespace outbox::smtp {

static_assert(Talk::kTransactions == ClientSession::kSlots);

// A server that was left alone for longer may have gone.
static constexpr int64_t kRestNs = core::kNsPerSecond;

// About TLS alone: the server may be well.
static bool IsTls(Stage stage) { return stage == Stage::kStartTls || stage == Stage::kTls; }

ClientConnection::ClientConnection(const ClientContext* context, DeliverySource* source)
    : context_(context), source_(source), talk_(context->rings), session_(context->session) {
  connect_.Bind<&ClientConnection::OnConnected>(this);
  timer_.Bind<&ClientConnection::OnTimer>(this);
}

ClientConnection::~ClientConnection() { CHECK(!running_ && connection_.closed()); }

// --- The connection comes and goes ---

void ClientConnection::Prepare() {
  CHECK(!running_);
  running_ = true;
  no_transaction_ = abandoned_ = ended_ = progress_ = no_timer_ = false;
  error_text_.clear();
  timed_replies_ = 0;
  body_ = Body();
  shaking_hands_ = falling_back_ = false;
  session_ = ClientSession(session_options(), TlsUseNow(), credentials());
  ChooseData();
  served_ = false;
  rested_since_ns_ = 0;
  talk_.Start(context_->io->now_ns());
}

void ClientConnection::ChooseData() {
  if (context_->data_hosts == nullptr || at_socket()) return;
  if (context_->data_hosts->Has(host_, context_->io->now_ns())) session_.UseData();
}

void ClientConnection::Start(const core::SocketAddress& host, const core::SocketAddress* from,
                             ClientTls tls, ClientCredentials credentials) {
  host_ = host;
  tls_ = std::move(tls);
  ForgetTerms();
  if (from != nullptr) WithTerms()->local = *from;
  if (credentials.wanted()) WithTerms()->credentials = std::move(credentials);
  Prepare();
  context_->io->Connect(&connect_, host_, local());
  UpdateTimer();
}

void ClientConnection::StartUnix(const std::string& path) {
  ForgetTerms();
  WithTerms()->path = path;
  tls_ = {};
  Prepare();
  context_->io->ConnectUnix(&connect_, terms_->path);
  UpdateTimer();
}

void ClientConnection::SayHelo(std::string_view name) {
  if (!name.empty() || terms_ != nullptr) WithTerms()->helo = name;
}

void ClientConnection::ForgetTerms() {
  if (terms_ == nullptr) return;
  terms_->path.clear();
  terms_->local.reset();
  terms_->credentials = {};
}

ClientConnection::Terms* ClientConnection::WithTerms() {
  if (terms_ == nullptr) terms_ = std::make_unique<Terms>();
  return terms_.get();
}

const core::SocketAddress* ClientConnection::local() const {
  return terms_ != nullptr && terms_->local.has_value() ? &*terms_->local : nullptr;
}

const ClientCredentials* ClientConnection::credentials() const {
  return terms_ == nullptr ? nullptr : &terms_->credentials;
}

ClientSessionOptions ClientConnection::session_options() const {
  ClientSessionOptions options = context_->session;
  if (terms_ != nullptr && !terms_->helo.empty()) options.helo_name = terms_->helo;
  return options;
}

void ClientConnection::OnConnected(const io::OpResult& result) {
  if (abandoned_ || !error_text_.empty()) {
    // Given up meanwhile; it may have succeeded all the same.
    if (result.result >= 0) context_->io->CloseSocket(result.result, true);
    return EndWithoutSession(no_timer_ ? SessionEnd::kShortage : SessionEnd::kConnectFailed,
                             abandoned_ ? SessionEndName(end_) : std::move(error_text_));
  }
  if (result.result < 0) {
    const std::string what = "connect to " + HostText();
    return EndWithoutSession(EndOfConnect(-result.result),
                             core::Status::FromErrno(-result.result, what).message());
  }
  connection_.Start(context_->io, result.result, this);
  progress_ = true;
  if (session_.secured()) BeginTls();
  Pump();
}

// Whose fault it is. EADDRNOTAVAIL has two meanings: all ports towards this server are taken; or no
// address of ours goes with it (IPv6 without an address, a source address that is gone). A datagram
// socket, which shares only the second trouble, tells them apart.
SessionEnd ClientConnection::EndOfConnect(int error) const {
  const bool bound = local() != nullptr;
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return SessionEnd::kShortage;
    case EADDRNOTAVAIL: {
      core::SocketAddress from = bound ? *local() : core::SocketAddress();
      from.port = 0;
      const int probe = context_->io->OpenUdp(host_, bound ? &from : nullptr);
      if (probe < 0) return bound ? SessionEnd::kNoAddress : SessionEnd::kConnectFailed;
      context_->io->CloseSocket(probe, false);
      return SessionEnd::kNoPort;
    }
    default:  // bound to an address of the other family, which has an errno of each system's own
      return bound && local()->ip.is_v4() != host_.ip.is_v4() ? SessionEnd::kNoAddress
                                                              : SessionEnd::kConnectFailed;
  }
}

void ClientConnection::EndWithoutSession(SessionEnd end, std::string text) {
  error_text_ = std::move(text);
  if (!abandoned_) end_ = end;
  end_result_ = {ResultKind::kLost, Stage::kConnect, {0, {}, error_text_}};
  ReportEnd();
}

void ClientConnection::OnEndOfStream() { Fail(SessionEnd::kPeerClosed, {}); }

// The session cannot go on: everything undecided is told, then the connection is closed.
void ClientConnection::Fail(SessionEnd end, std::string text) {
  if (!connection_.open() || ended_) return;
  if (IsTls(session_.waiting_for()) && FallBack(text.empty() ? SessionEndName(end) : text)) return;
  error_text_ = std::move(text);
  session_.Abandon(end, error_text_);
  if (!busy_) TellEvents({});
  Pump();
}

void ClientConnection::Abandon(SessionEnd why) {
  if (!running_ || abandoned_ || ended_) return;
  abandoned_ = true;
  end_ = why;
  if (connect_.in_flight) return context_->io->Cancel(&connect_);
  if (!connection_.closed()) connection_.Terminate(io::Connection::End::kReset);
}

void ClientConnection::OnClosed() {
  if (falling_back_ && !abandoned_) return StartAgain();
  if (!ended_) {
    session_.Abandon(abandoned_ ? end_ : SessionEnd::kNetworkError);
    TellEvents({});
  }
  CHECK(ended_);
  ReportEnd();
}

// The last step: the source may destroy us in it.
void ClientConnection::ReportEnd() {
  timer_.Cancel();
  ReleaseWindows();
  GiveSent();
  running_ = false;
  source_->OnSessionEnd(end_, end_result_.stage, end_result_.reply);
}

void ClientConnection::ReleaseWindows() {
  if (std::exchange(window_in_flight_, false)) {
    source_->ReleaseWindow(window_cookie_, window_token_);
  }
  if (std::exchange(body_.has_window, false)) {
    source_->ReleaseWindow(requests_[body_.slot].cookie, body_.window.token);
  }
}

// --- Replies and what they mean ---

void ClientConnection::OnBytes(std::span<char> bytes) {
  if (session_.waiting_for() == Stage::kAuth) HideSecret(bytes, credentials()->secret->text());
  talk_.Received({bytes.data(), bytes.size()}, context_->io->now_ns());
  TellEvents({bytes.data(), bytes.size()});
  Pump();
}

void ClientConnection::OnReceived(size_t) { CHECK(false); }  // never asked for

void ClientConnection::TellEvents(std::string_view input) {
  const bool nested = std::exchange(busy_, true);
  while (!ended_ && !falling_back_) {
    const ClientSession::Event event = session_.Next(&input);
    if (event.kind == ClientSession::EventKind::kNeedBytes) break;
    OnEvent(event);
  }
  if (session_.replies() != timed_replies_) progress_ = true;
  timed_replies_ = session_.replies();
  busy_ = nested;
}

void ClientConnection::OnEvent(const ClientSession::Event& event) {
  const DeliveryRequest& request = requests_[event.transaction];
  switch (event.kind) {
    case ClientSession::EventKind::kNeedBytes:
      return;
    case ClientSession::EventKind::kReady:
      if (session_.authenticated()) source_->OnAuthenticated(session_.auth().mechanism());
      return;
    case ClientSession::EventKind::kStartTls:
      return BeginTls();
    case ClientSession::EventKind::kSendBody:
      body_ = Body();
      body_.slot = event.transaction;
      body_.prefix_due = !request.prefix.empty();
      body_.bdat = session_.by_bdat(event.transaction);
      if (body_.bdat) {
        const uint64_t prefix = request.prefix.size();
        body_.content = UnstuffedBody(std::max(request.envelope.size, prefix) - prefix,
                                      request.stuffed_dots > 0);
      }
      return;
    case ClientSession::EventKind::kResult:
      return source_->OnResult(request.cookie, event.recipient, event.result);
    case ClientSession::EventKind::kTransactionDone:
      no_transaction_ = false;
      served_ = true;
      talk_.EndTransaction(static_cast<size_t>(event.transaction));
      source_->OnTransactionDone(request.cookie);
      talk_.Told();
      return;
    case ClientSession::EventKind::kEnded:
      if (event.end == SessionEnd::kProtocolError && IsTls(event.result.stage) &&
          FallBack(event.result.reply.text)) {
        return;
      }
      if (event.end == SessionEnd::kNoChunking && !at_socket() && context_->data_hosts != nullptr) {
        context_->data_hosts->Add(host_, context_->io->now_ns());
      }
      ended_ = true;
      end_ = event.end;
      end_result_ = event.result;
      return;
  }
}

// --- Commands and messages
// ---------------------------------------------------------------------------

// Sends what can be sent, receives, and sees to the timer. Called at the end of every event; from
// inside of one it is put off.
void ClientConnection::Pump() {
  if (busy_) {
    pump_again_ = true;
    return;
  }
  busy_ = true;
  do {
    pump_again_ = false;
    if (connection_.open() && !ended_ && !connection_.sending() && !shaking_hands_) SendOnce();
  } while (pump_again_);
  busy_ = false;
  if (!connection_.open()) return;
  if (ended_) {
    const bool good_order = end_ == SessionEnd::kQuit || end_ == SessionEnd::kRefused ||
                            end_ == SessionEnd::kShutdown || end_ == SessionEnd::kPeerClosed ||
                            end_ == SessionEnd::kAuthRefused || end_ == SessionEnd::kAuthMissing;
    connection_.Terminate(good_order ? io::Connection::End::kGraceful
                                     : io::Connection::End::kReset);
    return;
  }
  if (!connection_.receiving() && !shaking_hands_) connection_.Receive();
  if (progress_ || !timer_.set()) UpdateTimer();
  progress_ = false;
}

void ClientConnection::AskForTransaction() {
  while (connection_.open() && !no_transaction_ && session_.CanBegin()) {
    DeliveryRequest request;
    switch (source_->NextTransaction(&request)) {
      case NextAnswer::kYes: {
        if (!connection_.open()) return;  // abandoned from inside
        // A server that has closed meanwhile must not be sent a message: it might have taken it.
        request.envelope.patient =
            rested_since_ns_ != 0 && context_->io->now_ns() - rested_since_ns_ > kRestNs;
        rested_since_ns_ = 0;
        const int slot = session_.BeginTransaction(request.envelope);
        requests_[slot] = request;
        talk_.BeginTransaction(static_cast<size_t>(slot));
        progress_ = true;
        TellEvents({});  // it may be decided already
        break;
      }
      case NextAnswer::kLater:
        no_transaction_ = true;
        if (rested_since_ns_ == 0 && !session_.busy()) rested_since_ns_ = context_->io->now_ns();
        // All is well that was said about; before the first message the greeting is still wanted.
        if (served_ && !session_.busy()) talk_.Forget();
        break;
      case NextAnswer::kNo:
        session_.Quit();
        break;
    }
  }
}

// True when there is a window to be sent.
bool ClientConnection::AskForWindow() {
  if (body_.has_window || body_.window_asked || !connection_.open()) return body_.has_window;
  switch (source_->NextWindow(requests_[body_.slot].cookie, &body_.window)) {
    case NextAnswer::kYes:
      body_.has_window = true;
      break;
    case NextAnswer::kLater:
      body_.window_asked = true;
      break;
    case NextAnswer::kNo:
      session_.Abandon(SessionEnd::kSourceFailed);
      TellEvents({});
      break;
  }
  return body_.has_window;
}

void ClientConnection::Poke() {
  no_transaction_ = false;
  if (connection_.open()) Pump();
}

void ClientConnection::OfferWindow() {
  body_.window_asked = false;
  if (connection_.open()) Pump();
}

void ClientConnection::Quit() {
  session_.Quit();
  if (connection_.open()) Pump();
}

// --- Time
// --------------------------------------------------------------------------------------------

int64_t ClientConnection::TimeoutNs() const {
  const ClientTimeouts& timeouts = context_->timeouts;
  if (connect_.in_flight) return timeouts.connect_ns;
  if (shaking_hands_) return timeouts.tls_ns;
  switch (session_.waiting_for()) {
    case Stage::kConnect:
    case Stage::kGreeting:
      return timeouts.greeting_ns;
    case Stage::kHello:
    case Stage::kAuth:
      return timeouts.hello_ns;
    case Stage::kStartTls:
    case Stage::kTls:
      return timeouts.tls_ns;
    case Stage::kReset:
    case Stage::kMail:
      return timeouts.mail_ns;
    case Stage::kRcpt:
      return timeouts.rcpt_ns;
    case Stage::kData:
      return timeouts.data_ns;
    case Stage::kBody:
      return timeouts.block_ns;
    case Stage::kFinalDot:
      return timeouts.final_dot_ns;
    case Stage::kIdle:
      return timeouts.idle_ns;
    case Stage::kQuit:
      return timeouts.quit_ns;
  }
  return timeouts.mail_ns;
}

void ClientConnection::UpdateTimer() {
  if (timer_.Set(context_->wheel, context_->io->now_ns() + TimeoutNs())) return;
  // Without a timer a dead host would hold us for ever.
  if (connect_.in_flight) {
    no_timer_ = true;
    error_text_ = "no timer is free";
    context_->io->Cancel(&connect_);
  } else {
    connection_.Terminate(io::Connection::End::kReset);
  }
}

void ClientConnection::OnTimer() {
  if (connect_.in_flight) {
    error_text_ = "connect to " + HostText() + ": timed out";
    return context_->io->Cancel(&connect_);
  }
  if (!connection_.open() || ended_) return;
  if (shaking_hands_) return OnTls("it did not come to an end in time");
  const Stage stage = session_.waiting_for();
  if (stage == Stage::kIdle && !connection_.sending()) {
    progress_ = true;
    return Quit();
  }
  const char* what = stage == Stage::kBody ? "timed out while sending the "
                                           : "timed out waiting for the reply to ";
  Fail(SessionEnd::kTimeout, std::string(what) + StageName(stage));
}

}  // namespace outbox::smtp
