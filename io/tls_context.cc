#include "io/tls_context.h"

#include <cstring>

#include "core/check.h"
#include "core/key_memory.h"
#include "io/boringssl.h"
#include "io/tls_stream.h"

namespace outbox::io {
namespace {

// With forward secrecy and authenticated encryption. TLS 1.3 has no others.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// A server that knows none of those is spoken to all the same: the alternative is no encryption.
constexpr const char* kClientCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:RSA+AESGCM:RSA+AES";

constexpr std::string_view kSessionContext = "outbox";

core::Status Bad(std::string text) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(text));
}

// A key with a passphrase cannot be used: there is nobody to ask.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

bssl::UniquePtr<BIO> MemoryOf(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The next certificate of PEM text; null: there is no further one, and *broken says whether
// something is there that is none.
bssl::UniquePtr<X509> NextCertificate(BIO* text, bool* broken) {
  bssl::UniquePtr<X509> one(PEM_read_bio_X509(text, nullptr, nullptr, nullptr));
  const uint32_t error = one != nullptr ? 0 : ERR_peek_last_error();
  *broken = one == nullptr &&
            !(ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
  return one;
}

core::Status UseChain(SSL_CTX* context, std::string_view pem, bssl::UniquePtr<X509>* own) {
  const bssl::UniquePtr<BIO> text = MemoryOf(pem);
  bool broken = false;
  *own = NextCertificate(text.get(), &broken);
  if (*own == nullptr) {
    return Bad(broken ? "the certificate cannot be read: " + TakeTlsError()
                      : "there is no certificate in it");
  }
  if (SSL_CTX_use_certificate(context, own->get()) != 1) {
    return Bad("the certificate cannot be used: " + TakeTlsError());
  }
  while (const bssl::UniquePtr<X509> next = NextCertificate(text.get(), &broken)) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
      return Bad("the chain cannot be used: " + TakeTlsError());
    }
  }
  if (broken) return Bad("a certificate of the chain cannot be read: " + TakeTlsError());
  ERR_clear_error();
  return core::OkStatus();
}

// What RSA computes of a key when it is first used is as secret as the key, and stays with it.
void UseOnce(EVP_PKEY* key) {
  RSA* const rsa = EVP_PKEY_get0_RSA(key);
  if (rsa == nullptr) return;
  const uint8_t digest[SHA256_DIGEST_LENGTH] = {};
  std::vector<uint8_t> signature(RSA_size(rsa));
  unsigned size = 0;
  RSA_sign(NID_sha256, digest, sizeof(digest), signature.data(), &size, rsa);
}

core::Status UseKey(SSL_CTX* context, std::string_view pem) {
  const core::KeyScope scope;
  const bssl::UniquePtr<BIO> text = MemoryOf(pem);
  bool asked = false;
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(text.get(), nullptr, NoPassphrase, &asked));
  if (key == nullptr) {
    const std::string why = TakeTlsError();
    if (asked) return Bad("the key has a passphrase, and there is nobody to ask for it");
    return Bad(why == "no start line" ? "there is no private key in it"
                                      : "the key cannot be read: " + why);
  }
  UseOnce(key.get());
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) {
    return core::OkStatus();
  }
  ERR_clear_error();
  return Bad("the key does not belong to the certificate");
}

// What a session keeps: its ticket and its server's certificates, which count fourfold for what is
// read of them. Those of one handshake share them, and count as if they did not.
size_t BytesOf(const SSL_SESSION* session) {
  constexpr size_t kOwn = 1024;
  const uint8_t* ticket = nullptr;
  size_t bytes = 0;
  SSL_SESSION_get0_ticket(session, &ticket, &bytes);
  const auto* const certificates = SSL_SESSION_get0_peer_certificates(session);
  const size_t count = certificates == nullptr ? 0 : sk_CRYPTO_BUFFER_num(certificates);
  for (size_t i = 0; i < count; ++i) {
    bytes += 4 * CRYPTO_BUFFER_len(sk_CRYPTO_BUFFER_value(certificates, i));
  }
  return kOwn + bytes;
}

void SetProtocol(SSL_CTX* context, const char* ciphers) {
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1);
  CHECK(SSL_CTX_set_strict_cipher_list(context, ciphers) == 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_NO_AUTO_CHAIN);
}

}  // namespace

// --- Servers -------------------------------------------------------------------------------------

core::Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::Create(
    std::span<const TlsIdentity> identities, size_t* bad) {
  CHECK(!identities.empty());
  std::shared_ptr<TlsServerContext> made(new TlsServerContext);
  for (*bad = 0; *bad < identities.size(); ++*bad) {
    if (core::Status status = made->Add(identities[*bad]); !status.ok()) return status;
  }
  SSL_CTX* const first = made->context();
  SSL_CTX_set_tlsext_servername_callback(first, &TlsServerContext::OnServerName);
  SSL_CTX_set_tlsext_servername_arg(first, made.get());
  return std::shared_ptr<const TlsServerContext>(std::move(made));
}

core::Status TlsServerContext::Add(const TlsIdentity& identity) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return Bad("there is no memory for it");
  SetProtocol(context.get(), kCiphers);
  // A client keeps its own session, as a ticket; we keep none.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  const auto* const id = reinterpret_cast<const uint8_t*>(kSessionContext.data());
  CHECK(SSL_CTX_set_session_id_context(context.get(), id, kSessionContext.size()) == 1);
  bssl::UniquePtr<X509> certificate;
  core::Status status = UseChain(context.get(), identity.chain, &certificate);
  if (status.ok()) status = UseKey(context.get(), identity.key);
  if (!status.ok()) return status;
  identities_.push_back({context.release(), certificate.release()});
  return core::OkStatus();
}

TlsServerContext::~TlsServerContext() {
  for (const Identity& identity : identities_) {
    SSL_CTX_free(identity.context);
    X509_free(identity.certificate);
  }
}

int TlsServerContext::OnServerName(ssl_st* ssl, int*, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const Identity& identity : static_cast<TlsServerContext*>(self)->identities_) {
    if (X509_check_host(identity.certificate, name, std::strlen(name), 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, identity.context);
    break;
  }
  ERR_clear_error();
  return SSL_TLSEXT_ERR_OK;
}

// --- Trust ---------------------------------------------------------------------------------------

core::Result<std::shared_ptr<const TlsTrust>> TlsTrust::Create(std::string_view pem) {
  bssl::UniquePtr<X509_STORE> store(X509_STORE_new());
  const bssl::UniquePtr<BIO> text = MemoryOf(pem);
  if (store == nullptr || text == nullptr) return Bad("there is no memory for it");
  bool broken = false;
  bool any = false;
  while (const bssl::UniquePtr<X509> one = NextCertificate(text.get(), &broken)) {
    any = true;
    if (X509_STORE_add_cert(store.get(), one.get()) != 1) {
      return Bad("a certificate in it cannot be used: " + TakeTlsError());
    }
  }
  if (broken) return Bad("a certificate in it cannot be read: " + TakeTlsError());
  ERR_clear_error();
  if (!any) return Bad("there is no certificate in it");
  return std::shared_ptr<const TlsTrust>(new TlsTrust(store.release()));
}

TlsTrust::~TlsTrust() { X509_STORE_free(store_); }

// --- Clients -------------------------------------------------------------------------------------

TlsClientContext::TlsClientContext(size_t servers_max, size_t bytes_max)
    : servers_max_(servers_max),
      bytes_max_(bytes_max),
      open_(MakeContext(false)),
      verifying_(MakeContext(true)) {
  CHECK(servers_max > 0);
}

TlsClientContext::~TlsClientContext() {
  Forget();
  SSL_CTX_free(open_);
  SSL_CTX_free(verifying_);
}

// Who does not verify keeps certificates as the bytes they are.
ssl_ctx_st* TlsClientContext::MakeContext(bool verify) {
  SSL_CTX* const made = SSL_CTX_new(verify ? TLS_method() : TLS_with_buffers_method());
  CHECK(made != nullptr);
  SetProtocol(made, verify ? kCiphers : kClientCiphers);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(made, &TlsClientContext::OnNewSession);
  if (verify) {
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_verify_depth(made, core::kTlsChainDepth);
  } else {
    SSL_CTX_set_custom_verify(made, SSL_VERIFY_NONE, [](SSL*, uint8_t*) { return ssl_verify_ok; });
  }
  return made;
}

void TlsClientContext::SetTrust(std::shared_ptr<const TlsTrust> trust) {
  if (trust == trust_) return;
  trust_ = std::move(trust);
  Forget();
}

int TlsClientContext::OnNewSession(ssl_st* ssl, ssl_session_st* session) {
  static_cast<TlsStream*>(BIO_get_data(SSL_get_rbio(ssl)))->KeepSession(session);
  return 1;
}

ssl_session_st* TlsClientContext::Take(const std::string& server) {
  const auto found = by_name_.find(server);
  if (found == by_name_.end() || found->second->count == 0) return nullptr;
  servers_.splice(servers_.begin(), servers_, found->second);
  Server& one = servers_.front();
  SSL_SESSION* const newest = one.sessions[one.count - 1];
  SSL_SESSION_up_ref(newest);
  if (SSL_SESSION_should_be_single_use(newest) == 1) Free(&one, one.count - 1);
  return newest;
}

void TlsClientContext::Keep(const std::string& server, ssl_session_st* session) {
  const size_t bytes = BytesOf(session);
  if (bytes > core::kTlsSessionBytes) return SSL_SESSION_free(session);
  auto found = by_name_.find(server);
  if (found == by_name_.end()) {
    if (servers_.size() >= servers_max_) ForgetOldest();
    servers_.emplace_front().name = server;
    found = by_name_.emplace(server, servers_.begin()).first;
  }
  servers_.splice(servers_.begin(), servers_, found->second);
  Server& one = servers_.front();
  const bool room = one.count == 0 || (one.count < kSessionsOfServer &&
                                       SSL_SESSION_should_be_single_use(session) == 1);
  if (!room) Free(&one, 0);
  one.sessions[one.count++] = session;
  bytes_ += bytes;
  while (bytes_ > bytes_max_ && servers_.size() > 1) ForgetOldest();
}

void TlsClientContext::Free(Server* server, size_t session) {
  bytes_ -= BytesOf(server->sessions[session]);
  SSL_SESSION_free(server->sessions[session]);
  --server->count;
  for (size_t i = session; i < server->count; ++i) server->sessions[i] = server->sessions[i + 1];
}

void TlsClientContext::ForgetOldest() {
  Server& oldest = servers_.back();
  while (oldest.count > 0) Free(&oldest, 0);
  by_name_.erase(oldest.name);
  servers_.pop_back();
}

void TlsClientContext::Forget() {
  while (!servers_.empty()) ForgetOldest();
}

}  // namespace outbox::io
