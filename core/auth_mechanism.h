// AuthMechanism: the ways to authenticate that Outbox knows (SASL, RFC 4422).
#ifndef OUTBOX_CORE_AUTH_MECHANISM_H_
#define OUTBOX_CORE_AUTH_MECHANISM_H_

#include <cstdint>
#include <string_view>

namespace outbox::core {

enum class AuthMechanism : uint8_t { kPlain, kLogin, kCramMd5 };
inline constexpr int kAuthMechanismCount = 3;
inline constexpr std::string_view kAuthMechanismNames[kAuthMechanismCount] = {"PLAIN", "LOGIN",
                                                                              "CRAM-MD5"};

// A set of them.
using AuthMechanisms = uint8_t;
inline constexpr AuthMechanisms kAllAuthMechanisms = (1u << kAuthMechanismCount) - 1;
constexpr AuthMechanisms BitOf(AuthMechanism mechanism) {
  return static_cast<AuthMechanisms>(1u << static_cast<int>(mechanism));
}
constexpr std::string_view AuthMechanismName(AuthMechanism mechanism) {
  return kAuthMechanismNames[static_cast<int>(mechanism)];
}

}  // namespace outbox::core

#endif  // OUTBOX_CORE_AUTH_MECHANISM_H_
