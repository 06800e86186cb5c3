// The server session's AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN.
//
// What a client sends is decoded in the memory that the session has for a line that comes in
// pieces, so that a session needs no more for it; it is overwritten when the exchange is over. A
// line of the exchange may be as long as any other, core::kSmtpCommandLineMax; behind LOGIN's user
// name, which is kept at the memory's end, by core::kAuthUserBytes less. The 12,288 octets of RFC
// 4954 4 are for mechanisms with tickets: a name and a password need a tenth of it.
#include <algorithm>
#include <cstring>
#include <span>

#include "core/check.h"
#include "smtp/auth_response.h"
#include "smtp/base64.h"
#include "smtp/server_session.h"

namespace outbox::smtp {
namespace {

constexpr std::string_view kCommandOfAuth = "AUTH ";
constexpr size_t kUserAt = core::kSmtpCommandLineMax - core::kAuthUserBytes;

// Base64 of "Username:" and "Password:", as every client of LOGIN expects them.
constexpr Reply kGoOn{334, {}, ""};
constexpr Reply kAskUser{334, {}, "VXNlcm5hbWU6"};
constexpr Reply kAskPassword{334, {}, "UGFzc3dvcmQ6"};

constexpr Reply kNotImplemented{502, {5, 5, 1}, "Command not implemented"};
constexpr Reply kNeedsTls{
    538, {5, 7, 11}, "AUTH is for sessions with TLS only; send STARTTLS first"};
constexpr Reply kNoHello{503, {5, 5, 1}, "Send EHLO first"};
constexpr Reply kTwice{503, {5, 5, 1}, "You are authenticated already"};
constexpr Reply kInTransaction{503, {5, 5, 1}, "A transaction is open; end it with DATA or RSET"};
constexpr Reply kUnknownMechanism{
    504, {5, 5, 4}, "The mechanism is not offered; use PLAIN or LOGIN"};
constexpr Reply kNotBase64{501, {5, 5, 2}, "The response is no base64"};
constexpr Reply kNotPlain{
    501, {5, 5, 2}, "A user name and a password between NULs are expected (RFC 4616)"};
constexpr Reply kNoUser{501, {5, 5, 2}, "A user name is expected, without NUL"};
constexpr Reply kNoPassword{501, {5, 5, 2}, "A password is expected, without NUL"};
constexpr Reply kCancelled{501, {5, 7, 0}, "Authentication cancelled"};
constexpr Reply kForAnother{535, {5, 7, 8}, "You may act for yourself alone"};
constexpr Reply kTooManyFailures{421, {4, 7, 0}, "Too many failed authentications. Closing"};
constexpr Reply kLongCommand{500, {5, 5, 2}, "The command line is too long"};
constexpr Reply kLongResponse{500, {5, 5, 6}, "The authentication exchange line is too long"};

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

static_assert(core::kAuthUserBytes <= UINT8_MAX);
// The decoded password ends before the user name begins.
static_assert(kUserAt * 3 / 4 < kUserAt && core::kAuthPasswordBytes <= kUserAt * 3 / 4);

ServerSession::~ServerSession() {
  if (options_->offers_auth) ForgetSecrets();
}

Credentials ServerSession::credentials() const {
  CHECK(state_ == State::kAskedAuth && user_size_ > 0);
  return {mechanism_, {line_ + user_at_, user_size_}, {line_ + password_at_, password_size_}};
}

void ServerSession::ForgetSecrets() {
  explicit_bzero(line_, sizeof(line_));
  user_at_ = user_size_ = password_at_ = password_size_ = 0;
}

Reply ServerSession::AuthRequired() const {
  if (can_authenticate()) return {530, {5, 7, 0}, "Authentication required"};
  return {530, {5, 7, 0}, "Authentication required; send STARTTLS first, then AUTH"};
}

size_t ServerSession::LineRoom() const {
  return state_ == State::kAuthPassword ? kUserAt : sizeof(line_);
}

bool ServerSession::IsOfAuth(std::string_view piece) const {
  if (in_auth()) return true;
  if (!options_->offers_auth) return false;
  char begin[kCommandOfAuth.size()];
  const size_t kept = std::min<size_t>(line_size_, sizeof(begin));
  std::memcpy(begin, line_, kept);
  const size_t more = std::min(piece.size(), sizeof(begin) - kept);
  std::memcpy(begin + kept, piece.data(), more);
  return EqualsIgnoringCase({begin, kept + more}, kCommandOfAuth);
}

ServerSession::Step ServerSession::LineTooLong(OutputBuffer* out) {
  if (in_auth()) return EndAuth(kLongResponse, out);
  return Error(secret_dropped_ ? kLongResponse : kLongCommand, out);
}

ServerSession::Step ServerSession::HandleAuth(OutputBuffer* out) {
  if (!options_->offers_auth) return Error(kNotImplemented, out);
  if (!can_authenticate()) return EndAuth(kNeedsTls, out);
  if (!command_.ok()) return BadCommand(out);
  if (!extended_) return EndAuth(kNoHello, out);
  if (authenticated_) return EndAuth(kTwice, out);
  if (transaction_) return EndAuth(kInTransaction, out);
  const std::string_view all = command_.argument;
  const std::string_view name = all.substr(0, all.find(' '));
  const std::optional<core::AuthMechanism> mechanism = FindMechanism(name);
  if (!mechanism.has_value()) return EndAuth(kUnknownMechanism, out);
  mechanism_ = *mechanism;
  const bool plain = mechanism_ == core::AuthMechanism::kPlain;
  state_ = plain ? State::kAuthResponse : State::kAuthUser;
  if (name.size() == all.size()) return Say(plain ? kGoOn : kAskUser, out);
  const std::string_view response = all.substr(name.size() + 1);
  // RFC 4954 4: "=" is a response of no octets.
  return TakeResponse(response == "=" ? std::string_view() : response, out);
}

// A line of the exchange.
ServerSession::Step ServerSession::HandleAuthLine(std::string_view line, OutputBuffer* out) {
  return line == "*" ? EndAuth(kCancelled, out) : TakeResponse(line, out);
}

ServerSession::Step ServerSession::TakeResponse(std::string_view text, OutputBuffer* out) {
  size_t size = 0;
  if (!DecodeBase64(text, std::span(line_).first(LineRoom()), &size)) {
    return EndAuth(kNotBase64, out);
  }
  const std::string_view response(line_, size);
  switch (state_) {
    case State::kAuthResponse:
      return TakePlain(response, out);
    case State::kAuthUser:
      return TakeUser(response, out);
    default:
      break;
  }
  CHECK(state_ == State::kAuthPassword);
  if (response.empty() || HasNul(response)) return EndAuth(kNoPassword, out);
  return AskAuth({line_ + kUserAt, user_size_}, response, out);
}

ServerSession::Step ServerSession::TakePlain(std::string_view message, OutputBuffer* out) {
  const std::optional<PlainResponse> plain = ParsePlain(message);
  if (!plain.has_value() || plain->user.empty() || plain->password.empty()) {
    return EndAuth(kNotPlain, out);
  }
  if (plain->user.size() > core::kAuthUserBytes) return EndAuth(kLongResponse, out);
  if (!plain->authorize.empty() && plain->authorize != plain->user) {
    return EndAuth(kForAnother, out);
  }
  return AskAuth(plain->user, plain->password, out);
}

ServerSession::Step ServerSession::TakeUser(std::string_view user, OutputBuffer* out) {
  if (user.empty() || HasNul(user)) return EndAuth(kNoUser, out);
  if (user.size() > core::kAuthUserBytes) return EndAuth(kLongResponse, out);
  user_size_ = static_cast<uint16_t>(user.size());
  std::memmove(line_ + kUserAt, user.data(), user.size());
  state_ = State::kAuthPassword;
  return Say(kAskPassword, out);
}

// Both lie in line_.
ServerSession::Step ServerSession::AskAuth(std::string_view user, std::string_view password,
                                           OutputBuffer* out) {
  if (password.size() > core::kAuthPasswordBytes) return EndAuth(kLongResponse, out);
  user_at_ = static_cast<uint16_t>(user.data() - line_);
  user_size_ = static_cast<uint16_t>(user.size());
  password_at_ = static_cast<uint16_t>(password.data() - line_);
  password_size_ = static_cast<uint16_t>(password.size());
  state_ = State::kAskedAuth;
  return Step::kAskAuth;
}

ServerSession::Step ServerSession::AnswerAuth(const Reply& reply, OutputBuffer* out) {
  if (reply.first_digit() == 2) {
    authenticated_ = true;
    return Say(reply, out);
  }
  if (reply.first_digit() == 5 && ++auth_failures_ >= core::kSmtpAuthFailuresMax) {
    return Disown(kTooManyFailures, out);
  }
  return Error(reply, out);
}

// The exchange is over, or never began, for what the client has said.
ServerSession::Step ServerSession::EndAuth(const Reply& reply, OutputBuffer* out) {
  ForgetSecrets();
  state_ = State::kCommands;
  return Error(reply, out);
}

}  // namespace outbox::smtp
