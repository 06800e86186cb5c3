#include "tests/io/hostile_tls_peer.h"

#include <algorithm>

#include "core/check.h"

namespace outbox::io {
namespace {

constexpr size_t kOldIvBytes = 4;  // of TLS 1.2 with AES-GCM; the other 8 stand in each record

std::string Number(uint64_t value, size_t octets) {
  std::string text;
  while (octets-- > 0) text.push_back(static_cast<char>(value >> (8 * octets)));
  return text;
}

const uint8_t* Octets(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

uint8_t* Octets(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

// RFC 8446 7.1, without a context.
std::string ExpandLabel(const std::string& secret, const std::string& label, size_t octets) {
  const std::string name = "tls13 " + label;
  const std::string info = Number(octets, 2) + Number(name.size(), 1) + name + std::string(1, '\0');
  std::string out(octets, '\0');
  CHECK(HKDF_expand(Octets(out), octets, EVP_sha256(), Octets(secret), secret.size(), Octets(info),
                    info.size()) == 1);
  return out;
}

}  // namespace

std::unique_ptr<HostileTlsPeer> HostileTlsPeer::Make(uint16_t version) {
  std::unique_ptr<HostileTlsPeer> made(new HostileTlsPeer);
  made->context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* const context = made->context_.get();
  CHECK(SSL_CTX_set_min_proto_version(context, version) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, version) == 1);
  CHECK(SSL_CTX_set_strict_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1);
  SSL_CTX_set_custom_verify(context, SSL_VERIFY_NONE, [](SSL*, uint8_t*) { return ssl_verify_ok; });
  made->new_ = version == TLS1_3_VERSION;
  return made;
}

std::unique_ptr<HostileTlsPeer> HostileTlsPeer::Client(uint16_t version) {
  auto made = Make(version);
  made->Start(false);
  return made;
}

std::unique_ptr<HostileTlsPeer> HostileTlsPeer::Server(uint16_t version, const std::string& chain,
                                                       const std::string& key) {
  auto made = Make(version);
  SSL_CTX* const context = made->context_.get();
  const bssl::UniquePtr<BIO> certificates(
      BIO_new_mem_buf(chain.data(), static_cast<int>(chain.size())));
  bool first = true;
  for (;;) {
    const bssl::UniquePtr<X509> one(
        PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) break;
    CHECK((first ? SSL_CTX_use_certificate(context, one.get())
                 : SSL_CTX_add1_chain_cert(context, one.get())) == 1);
    first = false;
  }
  const bssl::UniquePtr<BIO> text(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
  const bssl::UniquePtr<EVP_PKEY> own(
      PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  CHECK(own != nullptr && SSL_CTX_use_PrivateKey(context, own.get()) == 1);
  ERR_clear_error();
  made->Start(true);
  return made;
}

void HostileTlsPeer::Start(bool server) {
  ssl_.reset(SSL_new(context_.get()));
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl_.get(), in_, out_);
  server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

bool HostileTlsPeer::Shake(std::string_view input) {
  CHECK(!open_);
  BIO_write(in_, input.data(), static_cast<int>(input.size()));
  open_ = SSL_do_handshake(ssl_.get()) == 1;
  ERR_clear_error();
  if (open_) TakeKeys();
  return open_;
}

std::string HostileTlsPeer::Wire() {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  CHECK(BIO_mem_contents(out_, &bytes, &size) == 1);
  std::string wire(reinterpret_cast<const char*>(bytes), size);
  BIO_reset(out_);
  return wire;
}

std::string HostileTlsPeer::Hear(std::string_view input) {
  CHECK(open_);
  BIO_write(in_, input.data(), static_cast<int>(input.size()));
  std::string heard;
  char piece[4096];
  for (int got = 0; (got = SSL_read(ssl_.get(), piece, sizeof(piece))) > 0;) {
    heard.append(piece, static_cast<size_t>(got));
  }
  ERR_clear_error();
  return heard;
}

void HostileTlsPeer::TakeKeys() {
  sequence_ = SSL_get_write_sequence(ssl_.get());
  if (!new_) {
    // Two keys, then two ivs; the client's is the first.
    std::string block(SSL_get_key_block_len(ssl_.get()), '\0');
    CHECK(SSL_generate_key_block(ssl_.get(), Octets(block), block.size()) == 1);
    aead_ = EVP_aead_aes_128_gcm();
    const size_t size = EVP_AEAD_key_length(aead_);
    CHECK(block.size() == 2 * (size + kOldIvBytes));
    const size_t mine = SSL_is_server(ssl_.get()) ? 1 : 0;
    key_ = block.substr(mine * size, size);
    iv_ = block.substr(2 * size + mine * kOldIvBytes, kOldIvBytes);
    return;
  }
  // What machines without AES agree upon is the other one of the two with SHA-256.
  const uint32_t cipher = SSL_CIPHER_get_id(SSL_get_current_cipher(ssl_.get())) & 0xffff;
  CHECK(cipher == 0x1301 || cipher == 0x1303);
  aead_ = cipher == 0x1301 ? EVP_aead_aes_128_gcm() : EVP_aead_chacha20_poly1305();
  bssl::Span<const uint8_t> theirs;
  bssl::Span<const uint8_t> ours;
  CHECK(bssl::SSL_get_traffic_secrets(ssl_.get(), &theirs, &ours));
  secret_.assign(reinterpret_cast<const char*>(ours.data()), ours.size());
  TakeKeysOfSecret();
}

void HostileTlsPeer::TakeKeysOfSecret() {
  key_ = ExpandLabel(secret_, "key", EVP_AEAD_key_length(aead_));
  iv_ = ExpandLabel(secret_, "iv", EVP_AEAD_nonce_length(aead_));
}

std::string HostileTlsPeer::Seal(uint8_t type, std::string_view text) {
  CHECK(open_);
  const std::string place = Number(sequence_++, 8);
  const bssl::ScopedEVP_AEAD_CTX sealer;
  CHECK(EVP_AEAD_CTX_init(const_cast<EVP_AEAD_CTX*>(sealer.get()), aead_, Octets(key_), key_.size(),
                          EVP_AEAD_DEFAULT_TAG_LENGTH, nullptr) == 1);
  std::string plain(text);
  std::string nonce;
  std::string header;
  std::string known;  // what is not hidden, and sealed as well
  if (new_) {
    plain.push_back(static_cast<char>(type));
    nonce = iv_;
    for (size_t i = 0; i < 8; ++i) nonce[nonce.size() - 8 + i] ^= place[i];
    header =
        std::string("\x17\x03\x03", 3) + Number(plain.size() + EVP_AEAD_max_overhead(aead_), 2);
    known = header;
  } else {
    nonce = iv_ + place;
    header = std::string(1, static_cast<char>(type)) + "\x03\x03" +
             Number(8 + plain.size() + EVP_AEAD_max_overhead(aead_), 2) + place;
    known = place + std::string(1, static_cast<char>(type)) + "\x03\x03" + Number(plain.size(), 2);
  }
  std::string hidden(plain.size() + EVP_AEAD_max_overhead(aead_), '\0');
  size_t size = 0;
  CHECK(EVP_AEAD_CTX_seal(sealer.get(), Octets(hidden), &size, hidden.size(), Octets(nonce),
                          nonce.size(), Octets(plain), plain.size(), Octets(known),
                          known.size()) == 1);
  CHECK(size == hidden.size());
  return header + hidden;
}

std::string HostileTlsPeer::SealText(std::string_view text) {
  constexpr size_t kMost = 16384;
  std::string records;
  while (!text.empty()) {
    records += Seal(kTlsData, text.substr(0, kMost));
    text.remove_prefix(std::min(kMost, text.size()));
  }
  return records;
}

std::string HostileTlsPeer::SealKeyUpdate() {
  CHECK(new_);
  const std::string record = Seal(kTlsHandshake, kTlsKeyUpdate);
  secret_ = ExpandLabel(secret_, "traffic upd", secret_.size());
  TakeKeysOfSecret();
  sequence_ = 0;
  return record;
}

std::string HostileTlsPeer::SealTicket(size_t size) {
  CHECK(new_);
  const std::string text = Number(7200, 4) + Number(1, 4) + Number(1, 1) +
                           Number(sequence_ & 0xff, 1) + Number(size, 2) + std::string(size, 't') +
                           Number(0, 2);
  const std::string message = Number(4, 1) + Number(text.size(), 3) + text;
  std::string records;
  for (size_t at = 0; at < message.size(); at += 16384) {
    records += Seal(kTlsHandshake, message.substr(at, 16384));
  }
  return records;
}

std::string HostileTlsPeer::Plain(uint8_t type, std::string_view text) {
  return std::string(1, static_cast<char>(type)) + "\x03\x01" + Number(text.size(), 2) +
         std::string(text);
}

}  // namespace outbox::io
