#include "io/tls_stream.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <utility>

#include "core/key_memory.h"
#include "core/limits.h"
#include "io/boringssl.h"

namespace outbox::io {
namespace {

// A record is not made smaller than this to fill the room that is left.
constexpr size_t kRecordLeast = 4096;

int BioRead(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const int got = static_cast<TlsStream*>(BIO_get_data(bio))->OnRead(into, size);
  if (got < 0) BIO_set_retry_read(bio);
  return got;
}

int BioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const int put = static_cast<TlsStream*>(BIO_get_data(bio))->OnWrite(data, size);
  if (put < 0) BIO_set_retry_write(bio);
  return put;
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// The library's view of memory that is lent for a call. Made once, never freed.
const BIO_METHOD* Memory() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(0, "memory");
    CHECK(made != nullptr);
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

// Why the certificate of a server that was to be verified, and came with others, `count` in all, is
// not good enough.
std::string VerifyWords(long result, const std::string& name, size_t count) {
  constexpr size_t kCountMax = size_t{core::kTlsChainDepth} + 1;
  switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is not for " + name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is not valid yet";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the certificate is vouched for by nobody but itself";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      if (count > kCountMax) {
        return "the certificate is one of " + std::to_string(count) +
               ", and nobody that we trust vouches for the first " + std::to_string(kCountMax);
      }
      return "the certificate is vouched for by nobody that we trust";
    default:
      return std::string("the certificate cannot be trusted: ") +
             X509_verify_cert_error_string(result);
  }
}

}  // namespace

// --- Life ----------------------------------------------------------------------------------------

bool TlsStream::Init(ssl_st* ssl) {
  ssl_ = ssl;
  BIO* const bio = ssl == nullptr ? nullptr : BIO_new(Memory());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_renegotiate_mode(ssl_, ssl_renegotiate_never);
  SSL_set_shed_handshake_config(ssl_, 1);
  return true;
}

std::unique_ptr<TlsStream> TlsStream::Accept(std::shared_ptr<const TlsServerContext> context) {
  std::unique_ptr<TlsStream> made(new TlsStream);
  if (!made->Init(SSL_new(context->context()))) return nullptr;
  made->server_ = std::move(context);
  SSL_set_accept_state(made->ssl_);
  return made;
}

std::unique_ptr<TlsStream> TlsStream::Connect(TlsClientContext* context, const TlsPeer& peer) {
  std::unique_ptr<TlsStream> made(new TlsStream);
  if (!made->Init(SSL_new(context->context(peer.verify)))) return nullptr;
  SSL* const ssl = made->ssl_;
  made->client_ = true;
  made->client_context_ = context;
  made->name_ = peer.name.empty() ? peer.ip : peer.name;
  // What was agreed upon without looking at a certificate is worth nothing to who looks at it.
  made->session_place_ = peer.server + (peer.verify ? "/verify/" : "/") + peer.name;
  SSL_set_connect_state(ssl);
  if (!peer.name.empty()) SSL_set_tlsext_host_name(ssl, peer.name.c_str());
  if (peer.verify) {
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool set = peer.name.empty() ? X509_VERIFY_PARAM_set1_ip_asc(wanted, peer.ip.c_str()) == 1
                                       : X509_VERIFY_PARAM_set1_host(wanted, peer.name.data(),
                                                                     peer.name.size()) == 1;
    CHECK(set);  // else any name would do
    if (context->trust() != nullptr) {
      SSL_set1_verify_cert_store(ssl, context->trust()->store());
    }
  }
  if (const bssl::UniquePtr<SSL_SESSION> known{context->Take(made->session_place_)}) {
    SSL_set_session(ssl, known.get());
  }
  ERR_clear_error();
  return made;
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::KeepSession(ssl_session_st* session) {
  client_context_->Keep(session_place_, session);
}

// --- The memory of a call ------------------------------------------------------------------------

int TlsStream::OnRead(char* into, int size) {
  if (input_ == nullptr || input_->empty()) return -1;
  const size_t count = std::min(static_cast<size_t>(size), input_->size());
  std::memcpy(into, input_->data(), count);
  input_->remove_prefix(count);
  return static_cast<int>(count);
}

int TlsStream::OnWrite(const char* data, int size) {
  if (out_ == nullptr || out_->room() == 0) return -1;
  const size_t count = std::min(static_cast<size_t>(size), out_->room());
  std::memcpy(out_->memory.data() + out_->size, data, count);
  out_->size += count;
  return static_cast<int>(count);
}

// --- Steps ---------------------------------------------------------------------------------------

// What the library's answer to a call means.
TlsStream::Step TlsStream::Judge(int result) {
  const int error = SSL_get_error(ssl_, result);
  input_ = nullptr;
  out_ = nullptr;
  switch (error) {
    case SSL_ERROR_NONE:
      return Step::kDone;
    case SSL_ERROR_WANT_READ:
      return Step::kNeedInput;
    case SSL_ERROR_WANT_WRITE:
      return Step::kNeedRoom;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kEnd;
    default:
      break;
  }
  const uint32_t cause = ERR_peek_error();
  const bool unverified = client_ && ERR_GET_LIB(cause) == ERR_LIB_SSL &&
                          ERR_GET_REASON(cause) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  error_ = TakeTlsError();
  if (unverified) {
    const auto* const chain = SSL_get0_peer_certificates(ssl_);
    error_ = VerifyWords(SSL_get_verify_result(ssl_), name_,
                         chain == nullptr ? 0 : sk_CRYPTO_BUFFER_num(chain));
  }
  return Step::kFailed;
}

TlsStream::Step TlsStream::Handshake(std::string_view* input, TlsOutput* out) {
  ERR_clear_error();
  Lend(input, out);
  const Step step = Judge(SSL_do_handshake(ssl_));
  core::WipeStack();
  return step;
}

TlsStream::Step TlsStream::Read(std::string_view* input, std::span<char> into, size_t* size,
                                TlsOutput* out) {
  *size = 0;
  ERR_clear_error();
  const uint64_t records = SSL_get_read_sequence(ssl_);
  while (*size < into.size()) {
    Lend(input, out);
    const size_t room = std::min<size_t>(into.size() - *size, INT_MAX);
    const int got = SSL_read(ssl_, into.data() + *size, static_cast<int>(room));
    if (got <= 0) {
      // A new key begins to count anew: what it was made of goes.
      if (SSL_get_read_sequence(ssl_) < records) core::WipeStack();
      return Judge(got);
    }
    *size += static_cast<size_t>(got);
  }
  input_ = nullptr;
  out_ = nullptr;
  return Step::kDone;
}

TlsStream::Step TlsStream::Write(std::string_view* text, TlsOutput* out) {
  ERR_clear_error();
  std::string_view none;
  while (!text->empty()) {
    size_t size = unfinished_;
    if (size == 0) {
      // No small records where a large one is to come.
      const size_t least = std::min(text->size(), out->size == 0 ? 1 : kRecordLeast);
      if (out->room() < least + kRecordOverhead) return Step::kNeedRoom;
      size = std::min({text->size(), kRecordText, out->room() - kRecordOverhead});
    }
    CHECK(size <= text->size());
    Lend(&none, out);
    const int put = SSL_write(ssl_, text->data(), static_cast<int>(size));
    if (put <= 0) {
      const Step step = Judge(put);
      unfinished_ = step == Step::kNeedRoom ? size : 0;
      return step;
    }
    unfinished_ = 0;
    text->remove_prefix(static_cast<size_t>(put));
  }
  input_ = nullptr;
  out_ = nullptr;
  return Step::kDone;
}

TlsStream::Step TlsStream::Close(TlsOutput* out) {
  ERR_clear_error();
  std::string_view none;
  Lend(&none, out);
  const int result = SSL_shutdown(ssl_);
  if (result >= 0) {
    input_ = nullptr;
    out_ = nullptr;
    return Step::kDone;
  }
  return Judge(result);
}

TlsFacts TlsStream::facts() const {
  if (ssl_ == nullptr || SSL_is_init_finished(ssl_) != 1) return {};
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_);
  TlsFacts facts;
  facts.version = SSL_get_version(ssl_);
  if (cipher != nullptr) facts.cipher = SSL_CIPHER_standard_name(cipher);
  facts.resumed = SSL_session_reused(ssl_) == 1;
  return facts;
}

}  // namespace outbox::io
