// TlsStream: one end of a TLS connection, memory to memory.
//
// It owns no socket: bytes of the peer go in, bytes for the peer come out, both in memory that the
// caller lends for the call. io/connection puts one on a socket; a test puts two of them face to
// face.
//
// Memory: what BoringSSL keeps of an open connection (some 5 KiB), and one record of the peer that
// has come in part (at most 16.5 KiB). The handshake's own is freed when it is over. Renegotiation
// is refused (TLS 1.2); a new key (TLS 1.3) is taken.
#ifndef OUTBOX_IO_TLS_STREAM_H_
#define OUTBOX_IO_TLS_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/check.h"
#include "io/tls_context.h"

struct ssl_st;

namespace outbox::io {

// Bounded memory that a stream writes to.
struct TlsOutput {
  std::span<char> memory;
  size_t size = 0;

  size_t room() const { return memory.size() - size; }
  std::string_view written() const { return {memory.data(), size}; }
};

// Whom a client's stream is for.
struct TlsPeer {
  std::string server;  // names the server's sessions in the cache: address and port
  std::string name;    // asked for by SNI, and looked for in a certificate; empty: none
  std::string ip;      // looked for in a certificate when there is no name
  bool verify = false;
};

// What was agreed upon. The texts are the library's own and live for ever.
struct TlsFacts {
  std::string_view version;  // "TLSv1.3"; empty: there is no TLS
  std::string_view cipher;   // as IANA spells it: "TLS_AES_128_GCM_SHA256"
  bool resumed = false;

  bool on() const { return !version.empty(); }
};

class TlsStream {
 public:
  enum class Step : uint8_t {
    kDone,
    kNeedInput,  // all input was used
    kNeedRoom,   // send what was written, then call again
    kEnd,        // the peer has said that it sends no more (close_notify)
    kFailed,     // of no more use; error() says why. What was written should still be sent
  };

  // Ends of a connection. Null: there is no memory. A client's context outlives its streams.
  static std::unique_ptr<TlsStream> Accept(std::shared_ptr<const TlsServerContext> context);
  static std::unique_ptr<TlsStream> Connect(TlsClientContext* context, const TlsPeer& peer);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Each takes what it needs from the front of *input (Write takes plain text) and appends to
  // *out.

  // kDone: the connection is open. Bytes behind the handshake stay in *input.
  Step Handshake(std::string_view* input, TlsOutput* out);
  // Plain text into the memory, *size bytes of it. kDone: the memory is full, there may be more.
  // What comes with another step counts as well. REQUIRES: the handshake is over.
  Step Read(std::string_view* input, std::span<char> into, size_t* size, TlsOutput* out);
  // Encrypts from where it lies. kDone: all of it. After kNeedRoom the bytes that were not taken
  // must be the first of the next call.
  Step Write(std::string_view* text, TlsOutput* out);
  // Says that we send no more.
  Step Close(TlsOutput* out);

  // After the handshake.
  TlsFacts facts() const;
  const std::string& error() const { return error_; }
  bool client() const { return client_; }

  // For the library: bytes of the peer, and for the peer.
  int OnRead(char* into, int size);
  int OnWrite(const char* data, int size);
  // For TlsClientContext: where a new session of this stream belongs.
  void KeepSession(ssl_session_st* session);

  // What a record needs besides its text.
  static constexpr size_t kRecordOverhead = 128;
  static constexpr size_t kRecordText = 16384;

 private:
  TlsStream() = default;
  bool Init(ssl_st* ssl);
  Step Judge(int result);
  void Lend(std::string_view* input, TlsOutput* out) {
    input_ = input;
    out_ = out;
  }

  ssl_st* ssl_ = nullptr;
  std::shared_ptr<const TlsServerContext> server_;
  TlsClientContext* client_context_ = nullptr;
  std::string session_place_;          // a client's, in the cache
  std::string name_;                   // a client's, for errors
  std::string_view* input_ = nullptr;  // during a call
  TlsOutput* out_ = nullptr;           // likewise
  bool client_ = false;
  size_t unfinished_ = 0;  // the text of a record that is not written yet
  std::string error_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_TLS_STREAM_H_
