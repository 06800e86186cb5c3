// AuthExchange: how a client shows who it is (AUTH, RFC 4954): PLAIN (RFC 4616), LOGIN, CRAM-MD5
// (RFC 2195).
//
// Pure, a part of the client session: it chooses among what the server offers, answers challenges,
// and writes its lines straight from the secret into the memory that is sent. PLAIN and LOGIN say
// the secret itself and are used under TLS only, unless the credentials allow it otherwise; there
// they come first, since they ask least of the server. Elsewhere CRAM-MD5 does.
#ifndef OUTBOX_SMTP_AUTH_EXCHANGE_H_
#define OUTBOX_SMTP_AUTH_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/auth_mechanism.h"
#include "core/secret.h"
#include "io/hmac_md5.h"
#include "smtp/output_buffer.h"
#include "smtp/reply.h"

namespace outbox::smtp {

// Who we are to a server.
struct ClientCredentials {
  std::string user;  // empty: nobody, and there is no AUTH
  // Null: there is none any more, and no session goes on without.
  std::shared_ptr<const core::Secret> secret;
  bool plain_in_clear = false;  // PLAIN and LOGIN where the session is not encrypted as well
  core::AuthMechanisms allowed = core::kAllAuthMechanisms;

  bool wanted() const { return !user.empty(); }
};

class AuthExchange {
 public:
  // `credentials` outlives it; null: nobody.
  explicit AuthExchange(const ClientCredentials* credentials) : credentials_(credentials) {}

  bool wanted() const { return credentials_ != nullptr && credentials_->wanted(); }

  // What stands in a line of the reply to EHLO behind AUTH: "PLAIN LOGIN".
  void OnOffer(std::string_view mechanisms);
  // EHLO is said again.
  void ForgetOffer() {
    offered_ = 0;
    offers_ = false;
  }

  // The next mechanism to try, which Write begins. False: there is none (any more); WhyNone says
  // why.
  bool Choose(bool secured);
  const char* WhyNone() const { return why_none_; }
  core::AuthMechanism mechanism() const { return mechanism_; }

  // 334: its text is the challenge. The answer to it is due, also when it makes no sense: then the
  // exchange is cancelled.
  void OnChallenge(std::string_view text);
  // Why it is; null: it is not.
  const char* cancelled() const { return cancelled_; }
  // The refusal is about the mechanism, not about us: another one may do.
  static bool IsAboutMechanism(const Reply& reply);

  // A line is to be written.
  bool due() const { return step_ != Step::kWait; }
  // REQUIRES: due(); out->room() >= core::kClientAuthMax.
  void Write(OutputBuffer* out);

 private:
  // What is written next.
  enum class Step : uint8_t { kWait, kBegin, kIdentity, kUser, kSecret, kDigest, kCancel };

  void WriteBegin(OutputBuffer* out);
  void WriteIdentity(OutputBuffer* out) const;
  void WriteDigest(OutputBuffer* out) const;
  void Cancel(const char* why);
  void TakeDigest(std::string_view challenge);
  size_t IdentitySize() const;

  const ClientCredentials* credentials_;
  const char* cancelled_ = nullptr;
  const char* why_none_ = "";
  core::AuthMechanisms offered_ = 0;
  core::AuthMechanisms tried_ = 0;
  core::AuthMechanism mechanism_ = core::AuthMechanism::kPlain;
  Step step_ = Step::kWait;
  bool offers_ = false;   // some mechanism
  uint8_t answered_ = 0;  // challenges
  bool said_identity_ = false;
  io::HmacMd5Digest digest_ = {};
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_AUTH_EXCHANGE_H_
