#include "smtp/auth_exchange.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/limits.h"
#include "smtp/address.h"
#include "smtp/base64.h"

namespace outbox::smtp {
namespace {

using core::AuthMechanism;
using core::BitOf;

// RFC 5321 4.5.3.1.4, which RFC 4954 4 applies to the command with its first answer.
constexpr size_t kCommandLineMax = 512;
constexpr std::string_view kPlainCommand = "AUTH PLAIN ";

static_assert(Base64Size(core::kConfigAuthUserBytes + core::kConfigSecretBytes + 2) + 2 <=
              core::kClientAuthMax);
static_assert(Base64Size(core::kConfigAuthUserBytes + 1 + 32) + 2 <= core::kClientAuthMax);

constexpr AuthMechanism kSecured[] = {AuthMechanism::kPlain, AuthMechanism::kLogin,
                                      AuthMechanism::kCramMd5};
constexpr AuthMechanism kInClear[] = {AuthMechanism::kCramMd5, AuthMechanism::kPlain,
                                      AuthMechanism::kLogin};

}  // namespace

void AuthExchange::OnOffer(std::string_view mechanisms) {
  while (!mechanisms.empty()) {
    const size_t space = std::min(mechanisms.find(' '), mechanisms.size());
    const std::string_view name = mechanisms.substr(0, space);
    for (int i = 0; i < core::kAuthMechanismCount; ++i) {
      if (!EqualsIgnoringCase(name, core::kAuthMechanismNames[i])) continue;
      offered_ |= BitOf(static_cast<AuthMechanism>(i));
    }
    offers_ = true;
    mechanisms.remove_prefix(std::min(space + 1, mechanisms.size()));
  }
}

bool AuthExchange::Choose(bool secured) {
  step_ = Step::kWait;
  cancelled_ = nullptr;
  said_identity_ = false;
  answered_ = 0;
  if (credentials_->secret == nullptr) {
    why_none_ = "the configuration has no secret of this user any more";
    return false;
  }
  const core::AuthMechanisms known = offered_ & credentials_->allowed;
  const core::AuthMechanisms left = known & static_cast<core::AuthMechanisms>(~tried_);
  const bool may_show = secured || credentials_->plain_in_clear;
  for (const AuthMechanism one : secured ? kSecured : kInClear) {
    if ((left & BitOf(one)) == 0 || (one != AuthMechanism::kCramMd5 && !may_show)) continue;
    mechanism_ = one;
    tried_ |= BitOf(one);
    step_ = Step::kBegin;
    return true;
  }
  if (!offers_) {
    why_none_ = secured ? "AUTH is not offered" : "AUTH is not offered without TLS";
  } else if (known == 0) {
    why_none_ = "AUTH is offered with no mechanism that may be used";
  } else {
    why_none_ =
        "the session is not encrypted, and all that is offered would show the secret "
        "(auth_plaintext)";
  }
  return false;
}

bool AuthExchange::IsAboutMechanism(const Reply& reply) {
  return reply.code == 504 || reply.code == 534;
}

void AuthExchange::Cancel(const char* why) {
  cancelled_ = why;
  step_ = Step::kCancel;
}

void AuthExchange::OnChallenge(std::string_view text) {
  CHECK(step_ == Step::kWait);
  const int number = answered_++;
  switch (mechanism_) {
    case AuthMechanism::kPlain:
      if (number > 0 || said_identity_) return Cancel("another challenge behind the answer");
      step_ = Step::kIdentity;
      return;
    case AuthMechanism::kLogin:
      // What it says is for people, and differs from server to server.
      if (number > 1) return Cancel("another challenge behind the answer");
      step_ = number == 0 ? Step::kUser : Step::kSecret;
      return;
    case AuthMechanism::kCramMd5:
      if (number > 0) return Cancel("another challenge behind the answer");
      return TakeDigest(text);
  }
}

void AuthExchange::TakeDigest(std::string_view challenge) {
  // What is beyond that was not kept.
  if (challenge.size() >= core::kReplyTextMax) return Cancel("the challenge is too long");
  std::array<char, core::kReplyTextMax> octets;
  size_t size = 0;
  if (challenge.empty() || !DecodeBase64(challenge, octets, &size)) {
    return Cancel("the challenge is no base64");
  }
  digest_ = io::HmacMd5(credentials_->secret->text(), {octets.data(), size});
  step_ = Step::kDigest;
}

size_t AuthExchange::IdentitySize() const {
  return Base64Size(credentials_->user.size() + credentials_->secret->text().size() + 2);
}

void AuthExchange::Write(OutputBuffer* out) {
  CHECK(out->room() >= core::kClientAuthMax);
  switch (step_) {
    case Step::kBegin:
      WriteBegin(out);
      break;
    case Step::kIdentity:
      WriteIdentity(out);
      break;
    case Step::kUser:
    case Step::kSecret: {
      Base64Writer word(out);
      word.Append(step_ == Step::kUser ? credentials_->user : credentials_->secret->text());
      word.Finish();
      break;
    }
    case Step::kDigest:
      WriteDigest(out);
      break;
    case Step::kCancel:
      out->Append("*");
      break;
    case Step::kWait:
      CHECK(false);
  }
  out->Append("\r\n");
  step_ = Step::kWait;
}

// With the first answer, if that fits into a command.
void AuthExchange::WriteBegin(OutputBuffer* out) {
  if (mechanism_ == AuthMechanism::kPlain &&
      kPlainCommand.size() + IdentitySize() + 2 <= kCommandLineMax) {
    out->Append(kPlainCommand);
    WriteIdentity(out);
    said_identity_ = true;
    return;
  }
  out->Append("AUTH ");
  out->Append(core::AuthMechanismName(mechanism_));
}

// RFC 4616 2: who is meant (empty: the same), who it is, the secret.
void AuthExchange::WriteIdentity(OutputBuffer* out) const {
  Base64Writer word(out);
  word.Append({"\0", 1});
  word.Append(credentials_->user);
  word.Append({"\0", 1});
  word.Append(credentials_->secret->text());
  word.Finish();
}

// RFC 2195 2.
void AuthExchange::WriteDigest(OutputBuffer* out) const {
  constexpr char kHex[] = "0123456789abcdef";
  Base64Writer word(out);
  word.Append(credentials_->user);
  word.Append(" ");
  for (const uint8_t octet : digest_) {
    const char digits[2] = {kHex[octet >> 4], kHex[octet & 15]};
    word.Append({digits, 2});
  }
  word.Finish();
}

}  // namespace outbox::smtp
