#include "tests/io/certificate_chain.h"

#include <utility>

#include "core/check.h"
#include "io/boringssl.h"

namespace outbox::io {
namespace {

constexpr long kDaySeconds = 86'400;

bssl::UniquePtr<BIO> MemoryOf(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bssl::UniquePtr<X509> Issue(const std::string& name, X509* issuer, EVP_PKEY* key, int extension,
                            const char* value) {
  bssl::UniquePtr<X509> made(X509_new());
  X509* const one = made.get();
  CHECK(X509_set_version(one, 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(one), 1);
  X509_gmtime_adj(X509_getm_notBefore(one), -kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(one), kDaySeconds);
  X509_NAME* const subject = X509_get_subject_name(one);
  CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const uint8_t*>(name.data()),
                                   static_cast<int>(name.size()), -1, 0) == 1);
  CHECK(X509_set_issuer_name(one, X509_get_subject_name(issuer)) == 1);
  CHECK(X509_set_pubkey(one, key) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, one, nullptr, nullptr, 0);
  X509_EXTENSION* const added = X509V3_EXT_nconf_nid(nullptr, &context, extension, value);
  CHECK(added != nullptr && X509_add_ext(one, added, -1) == 1);
  X509_EXTENSION_free(added);
  CHECK(X509_sign(one, key, EVP_sha256()) > 0);
  return made;
}

}  // namespace

std::string CertificateChain(const std::string& root, const std::string& root_key,
                             const std::string& names, int count) {
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(MemoryOf(root_key).get(), nullptr, nullptr, nullptr));
  bssl::UniquePtr<X509> last(PEM_read_bio_X509(MemoryOf(root).get(), nullptr, nullptr, nullptr));
  CHECK(key != nullptr && last != nullptr);
  std::string chain;
  for (int i = 1; i <= count; ++i) {
    const bool own = i == count;
    last = Issue("link " + std::to_string(i), last.get(), key.get(),
                 own ? NID_subject_alt_name : NID_basic_constraints,
                 own ? names.c_str() : "critical,CA:TRUE");
    const bssl::UniquePtr<BIO> pem(BIO_new(BIO_s_mem()));
    const uint8_t* text = nullptr;
    size_t size = 0;
    CHECK(PEM_write_bio_X509(pem.get(), last.get()) == 1);
    CHECK(BIO_mem_contents(pem.get(), &text, &size) == 1);
    chain.insert(0, reinterpret_cast<const char*>(text), size);
  }
  return chain;
}

}  // namespace outbox::io
