// The beginning of a client session: the greeting, EHLO, and TLS if that is to be. AUTH follows in
// client_auth.cc.
#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "smtp/address.h"
#include "smtp/client_session.h"

namespace outbox::smtp {

void ClientSession::OnGreeting(const Reply& reply) {
  if (reply.code == 220) {
    state_ = State::kEhlo;
    hello_due_ = true;
    return;
  }
  if (reply.is_refusal()) return End(SessionEnd::kRefused, Stage::kGreeting, reply);
  EndByProtocolError("the greeting is neither 220 nor a refusal");
}

void ClientSession::OnHello(const Reply& reply) {
  if (reply.code == 421) return End(SessionEnd::kRefused, Stage::kHello, reply);
  if (hello_due_) return EndByProtocolError("a reply that nothing had asked for");
  if (reply.first_digit() == 2) {
    if (state_ == State::kEhlo) OnEhloLine(parser_.line());
    return OnGreeted();
  }
  if (reply.first_digit() == 5 && state_ == State::kEhlo && !options_.lmtp) {
    // RFC 5321 3.2: a server that does not know EHLO is spoken to without extensions.
    state_ = State::kHelo;
    hello_due_ = true;
    return ForgetExtensions();
  }
  if (reply.is_refusal()) return End(SessionEnd::kRefused, Stage::kHello, reply);
  EndByProtocolError("EHLO was answered with neither 250 nor a refusal");
}

// The first line is the server's name, the others one extension each.
void ClientSession::OnEhloLine(std::string_view line) {
  if (first_line_) {
    first_line_ = false;
    return;
  }
  const size_t space = line.find(' ');
  const std::string_view keyword = line.substr(0, space);
  if (EqualsIgnoringCase(keyword, "PIPELINING")) pipelining_ = true;
  if (EqualsIgnoringCase(keyword, "8BITMIME")) eight_bit_mime_ = true;
  if (EqualsIgnoringCase(keyword, "CHUNKING")) chunking_ = true;
  if (EqualsIgnoringCase(keyword, "SMTPUTF8")) smtp_utf8_ = true;
  if (EqualsIgnoringCase(keyword, "STARTTLS")) has_starttls_ = true;
  // "AUTH=": as it was before RFC 2554, which some still say besides, or instead.
  const std::string_view auth = line.substr(0, std::min<size_t>(line.size(), 5));
  if (EqualsIgnoringCase(auth, "AUTH ") || EqualsIgnoringCase(auth, "AUTH=")) {
    auth_.OnOffer(line.substr(auth.size()));
  }
  if (EqualsIgnoringCase(keyword, "DSN")) dsn_ = true;
  if (!EqualsIgnoringCase(keyword, "SIZE")) return;
  has_size_ = true;
  size_limit_ = 0;
  if (space == std::string_view::npos) return;
  // A number that is none, or beyond 64 bits, is no limit.
  const std::string_view digits = line.substr(space + 1);
  uint64_t limit = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), limit);
  if (parsed.ec == std::errc()) size_limit_ = limit;
}

void ClientSession::ForgetExtensions() {
  pipelining_ = has_size_ = eight_bit_mime_ = smtp_utf8_ = has_starttls_ = chunking_ = dsn_ = false;
  size_limit_ = 0;
  first_line_ = true;
  auth_.ForgetOffer();
}

void ClientSession::OnGreeted() {
  if (!secured_ && tls_ != TlsUse::kOff && has_starttls_) {
    state_ = State::kStartTls;
    starttls_due_ = true;
    return;
  }
  if (!secured_ && tls_ == TlsUse::kNeeded) {
    return End(SessionEnd::kTlsMissing, Stage::kHello, Reply::Ours("STARTTLS is not offered"));
  }
  BeginAuth();
}

void ClientSession::OnStartTls(const Reply& reply) {
  if (starttls_due_) return EndByProtocolError("a reply that nothing had asked for");
  if (reply.code == 220) {
    state_ = State::kHandshake;
    handshake_due_ = true;
    return;
  }
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kStartTls, reply);
  if (!reply.is_refusal()) {
    return EndByProtocolError("STARTTLS was answered with neither 220 nor a refusal");
  }
  if (tls_ == TlsUse::kNeeded) return End(SessionEnd::kTlsMissing, Stage::kStartTls, reply);
  // RFC 3207 4: it is offered and not to be had; the session goes on as it is.
  BeginAuth();
}

void ClientSession::Secured() {
  CHECK(state_ == State::kHandshake && !handshake_due_ && parser_.idle());
  secured_ = true;
  state_ = State::kEhlo;
  hello_due_ = true;
  ForgetExtensions();
}

// True: a command of the beginning was written, and nothing else is to be before its answer.
bool ClientSession::WriteHello(OutputBuffer* out) {
  if (starttls_due_ && state_ == State::kStartTls) {
    starttls_due_ = false;
    out->Append("STARTTLS\r\n");
    return true;
  }
  if (state_ == State::kAuth && auth_.due()) {
    auth_.Write(out);
    return true;
  }
  if (!hello_due_ || (state_ != State::kEhlo && state_ != State::kHelo)) return false;
  hello_due_ = false;
  out->Append(options_.lmtp ? "LHLO " : state_ == State::kEhlo ? "EHLO " : "HELO ");
  out->Append(options_.helo_name);
  out->Append("\r\n");
  return true;
}

}  // namespace outbox::smtp
