// AUTH (RFC 4954) in a client session: between TLS and the first message.
#include "smtp/client_session.h"

namespace outbox::smtp {

// All that was to be agreed upon before is: who we are comes next, or mail.
void ClientSession::BeginAuth() {
  if (auth_.wanted()) {
    if (!auth_.Choose(secured_)) {
      return End(SessionEnd::kAuthMissing, Stage::kAuth, Reply::Ours(auth_.WhyNone()));
    }
    state_ = State::kAuth;
    return;
  }
  state_ = State::kReady;
  ready_due_ = true;
}

void ClientSession::OnAuth(const Reply& reply) {
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kAuth, reply);
  if (auth_.due()) return EndByProtocolError("a reply that nothing had asked for");
  if (reply.code == 334 && auth_.cancelled() == nullptr) return auth_.OnChallenge(reply.text);
  if (reply.is_refusal()) return OnAuthRefused(reply);
  if (reply.first_digit() != 2 || auth_.cancelled() != nullptr) {
    return EndByProtocolError("AUTH was answered with neither 235, 334 nor a refusal");
  }
  authenticated_ = true;
  state_ = State::kReady;
  ready_due_ = true;
}

void ClientSession::OnAuthRefused(const Reply& reply) {
  // 501 is the answer to having cancelled it; why we have is what counts.
  if (auth_.cancelled() != nullptr) {
    return End(SessionEnd::kAuthRefused, Stage::kAuth, Reply::Ours(auth_.cancelled()));
  }
  if (AuthExchange::IsAboutMechanism(reply) && auth_.Choose(secured_)) return;
  End(SessionEnd::kAuthRefused, Stage::kAuth, reply);
}

}  // namespace outbox::smtp
