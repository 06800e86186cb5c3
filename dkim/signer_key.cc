#include "dkim/signer_key.h"

#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <cstring>
#include <new>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/key_memory.h"

namespace outbox::dkim {
namespace {

constexpr uint32_t kEd25519Bits = 256;
constexpr size_t kEd25519KeyBytes = 32;
constexpr char kExpected[] =
    "; expected an RSA key of 1024 to 4096 bits, or an ed25519 key, in PEM without a passphrase";

core::Status Unusable(const std::string& what) {
  return core::Status(core::StatusCode::kInvalidArgument, what + kExpected);
}

core::Status NoMemory() {
  return core::Status(core::StatusCode::kResourceExhausted,
                      "cannot be kept: there is no memory for it; expected some");
}

SHA256_CTX* State(unsigned char* bytes) {
  return std::launder(reinterpret_cast<SHA256_CTX*>(bytes));
}

// BoringSSL asks for a passphrase: there is none.
int NoPassphrase(char*, int, int, void*) { return 0; }

// The DER of the public half, as the record has it.
std::string PublicKeyOf(const EVP_PKEY* key, KeyType type) {
  std::string text;
  if (type == KeyType::kEd25519) {
    text.resize(kEd25519KeyBytes);
    size_t size = text.size();
    CHECK(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<uint8_t*>(text.data()), &size) == 1);
    return text;
  }
  CBB cbb;
  uint8_t* der = nullptr;
  size_t size = 0;
  if (CBB_init(&cbb, 512) == 1 && EVP_marshal_public_key(&cbb, key) == 1 &&
      CBB_finish(&cbb, &der, &size) == 1) {
    text.assign(reinterpret_cast<const char*>(der), size);
    OPENSSL_free(der);
  } else {
    CBB_cleanup(&cbb);
  }
  return text;
}

EVP_PKEY* NewRsa(uint32_t bits) {
  EVP_PKEY* key = EVP_PKEY_new();
  RSA* rsa = RSA_new();
  BIGNUM* exponent = BN_new();
  const bool made = key != nullptr && rsa != nullptr && exponent != nullptr &&
                    BN_set_word(exponent, RSA_F4) == 1 &&
                    RSA_generate_key_ex(rsa, static_cast<int>(bits), exponent, nullptr) == 1 &&
                    EVP_PKEY_set1_RSA(key, rsa) == 1;
  BN_free(exponent);
  RSA_free(rsa);
  if (made) return key;
  EVP_PKEY_free(key);
  return nullptr;
}

EVP_PKEY* NewEd25519() {
  uint8_t public_half[ED25519_PUBLIC_KEY_LEN];
  uint8_t pair[ED25519_PRIVATE_KEY_LEN];  // seed and public key
  ED25519_keypair(public_half, pair);
  EVP_PKEY* const key =
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, pair, kEd25519KeyBytes);
  OPENSSL_cleanse(pair, sizeof(pair));
  return key;
}

}  // namespace

static_assert(sizeof(SHA256_CTX) == 112 && alignof(SHA256_CTX) <= 8);

Sha256::Sha256() { SHA256_Init(new (state_) SHA256_CTX); }

void Sha256::Update(std::string_view bytes) {
  SHA256_Update(State(state_), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  Digest digest;
  SHA256_Final(digest.data(), State(state_));
  return digest;
}

std::string Base64(std::string_view bytes) {
  size_t size = 0;
  CHECK(EVP_EncodedLength(&size, bytes.size()) == 1);
  std::string text(size, '\0');  // with room for a NUL
  text.resize(EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()),
                              reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  return text;
}

SignerKey::~SignerKey() { EVP_PKEY_free(key_); }

core::Result<std::shared_ptr<const SignerKey>> SignerKey::Adopt(evp_pkey_st* key) {
  const int id = EVP_PKEY_id(key);
  const auto bits = static_cast<uint32_t>(EVP_PKEY_bits(key));
  core::Status problem;
  if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519) {
    problem = Unusable("holds a key of another kind");
  } else if (id == EVP_PKEY_RSA &&
             (bits < core::kDkimRsaBitsMin || bits > core::kDkimRsaBitsMax)) {
    problem = Unusable("holds an RSA key of " + std::to_string(bits) + " bits");
  }
  if (!problem.ok()) {
    EVP_PKEY_free(key);
    return problem;
  }
  const KeyType type = id == EVP_PKEY_RSA ? KeyType::kRsa : KeyType::kEd25519;
  std::shared_ptr<SignerKey> made(
      new SignerKey(key, type, type == KeyType::kRsa ? bits : kEd25519Bits));
  made->public_key_ = PublicKeyOf(key, type);
  if (made->public_key_.empty()) return NoMemory();
  return std::shared_ptr<const SignerKey>(std::move(made));
}

core::Result<std::shared_ptr<const SignerKey>> SignerKey::FromPem(std::string_view pem) {
  if (pem.find("-----BEGIN ") == std::string_view::npos) {
    return Unusable("holds no key in PEM");
  }
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return Unusable("holds a key that is encrypted");
  }
  const core::KeyScope scope;
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  if (bio == nullptr) return NoMemory();
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, NoPassphrase, nullptr);
  BIO_free(bio);
  ERR_clear_error();
  if (key == nullptr) return Unusable("holds no private key that can be read");
  return Adopt(key);
}

core::Result<std::shared_ptr<const SignerKey>> SignerKey::Generate(
    KeyType type, uint32_t bits, const std::function<core::Status(std::string_view)>& save) {
  const core::KeyScope scope;
  EVP_PKEY* const key = type == KeyType::kRsa ? NewRsa(bits) : NewEd25519();
  ERR_clear_error();
  if (key == nullptr) return NoMemory();
  core::Result<std::shared_ptr<const SignerKey>> made = Adopt(key);
  if (!made.ok()) return made;
  BIO* const bio = BIO_new(BIO_s_mem());
  const uint8_t* pem = nullptr;
  size_t size = 0;
  core::Status status = NoMemory();
  if (bio != nullptr &&
      PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      BIO_mem_contents(bio, &pem, &size) == 1) {
    status = save({reinterpret_cast<const char*>(pem), size});
  }
  BIO_free(bio);  // whose memory is overwritten
  ERR_clear_error();
  if (!status.ok()) return status;
  return made;
}

std::string SignerKey::Record() const {
  return "v=DKIM1; k=" + std::string(type_name()) + "; p=" + Base64(public_key_);
}

bool SignerKey::Sign(const Digest& digest, std::string* out) const {
  const core::KeyScope scope;
  const size_t before = out->size();
  bool done = false;
  if (type_ == KeyType::kRsa) {
    RSA* const rsa = EVP_PKEY_get0_RSA(key_);
    out->resize(before + RSA_size(rsa));
    unsigned size = 0;
    done = RSA_sign(NID_sha256, digest.data(), static_cast<unsigned>(digest.size()),
                    reinterpret_cast<uint8_t*>(out->data() + before), &size, rsa) == 1;
    out->resize(before + (done ? size : 0));
  } else {
    // RFC 8463 3: what is signed is the digest.
    out->resize(before + ED25519_SIGNATURE_LEN);
    size_t size = ED25519_SIGNATURE_LEN;
    EVP_MD_CTX context;
    EVP_MD_CTX_init(&context);
    done = EVP_DigestSignInit(&context, nullptr, nullptr, nullptr, key_) == 1 &&
           EVP_DigestSign(&context, reinterpret_cast<uint8_t*>(out->data() + before), &size,
                          digest.data(), digest.size()) == 1;
    EVP_MD_CTX_cleanup(&context);
    out->resize(before + (done ? size : 0));
  }
  ERR_clear_error();
  return done;
}

}  // namespace outbox::dkim
