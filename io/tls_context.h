// What TLS streams have in common: a listener's certificates; a shard's view of the servers that it
// speaks to, with the sessions that can be resumed there.
//
// Both speak TLS 1.2 and 1.3. A TlsServerContext never changes: new certificates make a new one,
// streams that are open keep theirs. It is shared by all shards, so that a client may resume its
// session with whichever shard takes its connection (tickets, sealed with a key that lives in the
// context; nothing is kept of a client). A TlsClientContext belongs to one shard.
#ifndef OUTBOX_IO_TLS_CONTEXT_H_
#define OUTBOX_IO_TLS_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/status.h"
#include "core/string_map.h"

// BoringSSL's.
struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;
struct x509_st;
struct x509_store_st;

namespace outbox::io {

// A certificate with those that lead to its root, its own first, and its key: PEM text.
struct TlsIdentity {
  std::string_view chain;
  std::string_view key;
};

class TlsServerContext {
 public:
  // A client that asks for a server by name (SNI) gets the first identity whose certificate has
  // that name, or else the first of all. REQUIRES: there is one. An error says what is wrong with
  // which of them: *bad is its index.
  static core::Result<std::shared_ptr<const TlsServerContext>> Create(
      std::span<const TlsIdentity> identities, size_t* bad);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  // For TlsStream.
  ssl_ctx_st* context() const { return identities_[0].context; }

 private:
  struct Identity {
    ssl_ctx_st* context;
    x509_st* certificate;
  };

  TlsServerContext() = default;
  core::Status Add(const TlsIdentity& identity);
  static int OnServerName(ssl_st* ssl, int* alert, void* self);

  std::vector<Identity> identities_;
};

// The certificates that we trust to vouch for others. Shared by all shards.
class TlsTrust {
 public:
  // PEM text; what stands between the certificates does not matter. An error: there is none in it.
  static core::Result<std::shared_ptr<const TlsTrust>> Create(std::string_view pem);
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  TlsTrust& operator=(const TlsTrust&) = delete;

  x509_store_st* store() const { return store_; }

 private:
  explicit TlsTrust(x509_store_st* store) : store_(store) {}
  x509_store_st* const store_;
};

class TlsClientContext {
 public:
  // Remembers the sessions of so many servers, with so many bytes; the one that was not spoken to
  // for the longest makes room.
  explicit TlsClientContext(size_t servers_max, size_t bytes_max = core::kTlsSessionsBytes);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  // Whom streams trust that verify, from now on; null: nobody. Their sessions are forgotten.
  void SetTrust(std::shared_ptr<const TlsTrust> trust);

  // --- For TlsStream ---
  ssl_ctx_st* context(bool verify) const { return verify ? verifying_ : open_; }
  const TlsTrust* trust() const { return trust_.get(); }
  // A session of that server, the newest; the caller's own. Null: there is none. One of TLS 1.3 is
  // given once (RFC 8446 C.4).
  ssl_session_st* Take(const std::string& server);
  // Takes over the session.
  void Keep(const std::string& server, ssl_session_st* session);
  size_t servers() const { return servers_.size(); }
  // Of all sessions, as they are counted.
  size_t bytes() const { return bytes_; }

 private:
  // Connections to one server that begin together find a session each.
  static constexpr size_t kSessionsOfServer = 4;
  struct Server {
    std::string name;
    std::array<ssl_session_st*, kSessionsOfServer> sessions = {};  // the oldest first
    size_t count = 0;
  };
  using Servers = std::list<Server>;  // the last used first

  void Forget();
  void ForgetOldest();
  void Free(Server* server, size_t session);
  static int OnNewSession(ssl_st* ssl, ssl_session_st* session);
  ssl_ctx_st* MakeContext(bool verify);

  const size_t servers_max_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
  ssl_ctx_st* open_ = nullptr;
  ssl_ctx_st* verifying_ = nullptr;
  std::shared_ptr<const TlsTrust> trust_;
  Servers servers_;
  core::StringMap<Servers::iterator> by_name_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_TLS_CONTEXT_H_
