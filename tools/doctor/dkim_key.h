// DkimKey: the public key that a domain publishes for a selector (RFC 6376 3.6.1, RFC 8463). Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_DKIM_KEY_H_
#define OUTBOX_TOOLS_DOCTOR_DKIM_KEY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::tools {

struct DkimKey {
  std::string type = "rsa";  // or "ed25519"
  bool revoked = false;      // "p=" is empty; what follows is then not known
  uint32_t bits = 0;         // of an RSA modulus; of ed25519, 256
  // The RSA key is a bare RSAPublicKey, as RFC 6376 has it, and not the SubjectPublicKeyInfo that
  // everybody publishes and most verifiers expect.
  bool bare = false;
  std::string bytes;     // what p= says
  bool testing = false;  // t=y: verifiers are asked to treat failures as if unsigned
};

// The key of a TXT record; the error says what makes it unusable for mail, and why.
core::Result<DkimKey> ParseDkimKey(std::string_view text);

// The bits of the modulus of an RSA key in DER: a SubjectPublicKeyInfo, or with `bare` set an
// RSAPublicKey. 0: it is neither.
uint32_t RsaKeyBits(std::string_view der, bool* bare);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_DKIM_KEY_H_
