// HostileTlsPeer: one end of a TLS connection that shakes hands as it should, and then says
// whatever it is told to, sealed with the keys of the connection: what the library itself would
// never send. BoringSSL shakes the hands; the records are made here.
#ifndef OUTBOX_TESTS_IO_HOSTILE_TLS_PEER_H_
#define OUTBOX_TESTS_IO_HOSTILE_TLS_PEER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/boringssl.h"

namespace outbox::io {

// Of records (RFC 8446 B.1).
inline constexpr uint8_t kTlsAlert = 21;
inline constexpr uint8_t kTlsHandshake = 22;
inline constexpr uint8_t kTlsData = 23;
// Texts of them.
inline constexpr std::string_view kTlsWarning = "\x01\x5a";  // user_canceled
inline constexpr std::string_view kTlsFatal = "\x02\x50";    // internal_error
inline constexpr std::string_view kTlsCloseNotify{"\x01\0", 2};
inline constexpr std::string_view kTlsHelloRequest{"\0\0\0\0", 4};
inline constexpr std::string_view kTlsKeyUpdate{"\x18\0\0\x01\x01", 5};  // "and you as well"

class HostileTlsPeer {
 public:
  // `version`: TLS1_2_VERSION or TLS1_3_VERSION. A server's certificates and key in PEM.
  static std::unique_ptr<HostileTlsPeer> Client(uint16_t version);
  static std::unique_ptr<HostileTlsPeer> Server(uint16_t version, const std::string& chain,
                                                const std::string& key);

  // Takes what the other end has said. True: the handshake is over.
  bool Shake(std::string_view input);
  bool open() const { return open_; }
  // What is to be sent to the other end since the last time.
  std::string Wire();

  // Behind the handshake: the plain text of what the other end has said.
  std::string Hear(std::string_view input);
  // A record, sealed.
  std::string Seal(uint8_t type, std::string_view text);
  // A text in records.
  std::string SealText(std::string_view text);
  // A KeyUpdate that asks for one in return, and the new key. REQUIRES: TLS 1.3.
  std::string SealKeyUpdate();
  // A session ticket of so many octets, for TLS 1.3.
  std::string SealTicket(size_t size);

  // A record in the clear.
  static std::string Plain(uint8_t type, std::string_view text);

 private:
  HostileTlsPeer() = default;
  static std::unique_ptr<HostileTlsPeer> Make(uint16_t version);
  void Start(bool server);
  void TakeKeys();
  void TakeKeysOfSecret();

  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL> ssl_;
  BIO* in_ = nullptr;   // the library's
  BIO* out_ = nullptr;  // likewise
  bool open_ = false;
  bool new_ = false;  // TLS 1.3
  const EVP_AEAD* aead_ = nullptr;
  std::string secret_;  // TLS 1.3
  std::string key_;
  std::string iv_;
  uint64_t sequence_ = 0;
};

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_HOSTILE_TLS_PEER_H_
