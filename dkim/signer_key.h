// SignerKey: a private key that signs mail, and SHA-256: all that signatures need of BoringSSL.
//
// Nothing here or above shows a private key: there is no operator<<, and the PEM text of one leaves
// only by Generate, for the file that it is made for. Keys live in memory of their own
// (core/key_memory.h). Immutable; any thread may sign with one.
#ifndef OUTBOX_DKIM_SIGNER_KEY_H_
#define OUTBOX_DKIM_SIGNER_KEY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"

struct evp_pkey_st;  // BoringSSL's EVP_PKEY

namespace outbox::dkim {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  // The last call.
  Digest Finish();

 private:
  alignas(8) unsigned char state_[112];
};

// Without line breaks.
std::string Base64(std::string_view bytes);
inline std::string_view AsBytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

enum class KeyType : uint8_t { kRsa, kEd25519 };

class SignerKey {
 public:
  // The key of a PEM file: PKCS #8 ("PRIVATE KEY") or PKCS #1 ("RSA PRIVATE KEY"). RSA of
  // kDkimRsaBitsMin to kDkimRsaBitsMax bits, or ed25519. The error is about the file: "holds ...;
  // expected ...". The caller wipes the text.
  static core::Result<std::shared_ptr<const SignerKey>> FromPem(std::string_view pem);
  // A new one, and `save` is given its PEM text (PKCS #8), which is wiped behind it; an error of
  // save's is the result. `bits`: of RSA, between the same bounds.
  static core::Result<std::shared_ptr<const SignerKey>> Generate(
      KeyType type, uint32_t bits, const std::function<core::Status(std::string_view)>& save);

  SignerKey(const SignerKey&) = delete;
  SignerKey& operator=(const SignerKey&) = delete;
  ~SignerKey();

  KeyType type() const { return type_; }
  uint32_t bits() const { return bits_; }
  // "rsa" and "rsa-sha256", or "ed25519" and so on: the k= of the record, the a= of a signature.
  std::string_view type_name() const { return type_ == KeyType::kRsa ? "rsa" : "ed25519"; }
  std::string_view algorithm() const {
    return type_ == KeyType::kRsa ? "rsa-sha256" : "ed25519-sha256";
  }
  // What p= of the record says: a SubjectPublicKeyInfo in DER, or the 32 octets of ed25519.
  const std::string& public_key() const { return public_key_; }
  // "v=DKIM1; k=rsa; p=...", what is to be published.
  std::string Record() const;
  // Signing takes so long (RSA: most of a millisecond) that no loop should do it.
  bool slow() const { return type_ == KeyType::kRsa; }

  // The signature of a SHA-256 digest, appended to `out`. False: there was no memory for it.
  bool Sign(const Digest& digest, std::string* out) const;

 private:
  SignerKey(evp_pkey_st* key, KeyType type, uint32_t bits) : key_(key), type_(type), bits_(bits) {}
  // Takes the key over.
  static core::Result<std::shared_ptr<const SignerKey>> Adopt(evp_pkey_st* key);

  evp_pkey_st* const key_;
  const KeyType type_;
  const uint32_t bits_;
  std::string public_key_;
};

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_SIGNER_KEY_H_
