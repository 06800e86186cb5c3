// ServerConnection: one client's connection: a ServerSession on an io::Connection, with its timer.
//
// It moves bytes from the connection to the session, the session's questions to the Reception and
// its replies back. Replies of what came together leave together. While a question is open, storage
// says wait, or the client does not read its replies, nothing is received: the client is pushed
// back by TCP.
//
// Lifecycle: constructed; Start with an accepted socket; ends with Owner::OnServerConnectionClosed,
// in which it may be destroyed. Lives on its shard. Memory of an idle one: this object, and what
// Reception keeps.
#ifndef OUTBOX_SMTP_SERVER_CONNECTION_H_
#define OUTBOX_SMTP_SERVER_CONNECTION_H_

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/ip_address.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/connection.h"
#include "io/io.h"
#include "io/tls_channel.h"
#include "smtp/block_cache.h"
#include "smtp/output_buffer.h"
#include "smtp/reception.h"
#include "smtp/server_session.h"

namespace outbox::smtp {

// What the connections of one listener on one shard have in common; outlives them.
struct ServerContext {
  io::Io* io = nullptr;
  core::TimerWheel* wheel = nullptr;
  Reception* reception = nullptr;
  BlockCache* blocks = nullptr;
  ServerSessionOptions session;
  // RFC 5321 4.5.3.2.7, and 4.5.3.2.5 for a piece of the message.
  int64_t command_timeout_ns = 5 * core::kNsPerMinute;
  int64_t data_timeout_ns = 3 * core::kNsPerMinute;
  // How long the banner is held back to catch clients that do not wait for it. 0: not at all.
  int64_t banner_delay_ns = 0;
  // Certificates, with `session.offers_tls` or `implicit_tls`. A connection takes those that are
  // here when its handshake begins.
  std::shared_ptr<const io::TlsServerContext> tls;
  io::TlsMemory* tls_memory = nullptr;
  bool implicit_tls = false;  // from the first byte (RFC 8314)
};

class ServerConnection final : private io::Connection::Handler {
 public:
  class Owner {
   public:
    // The connection is closed; the last call, `connection` may be destroyed in it.
    virtual void OnServerConnectionClosed(ServerConnection* connection) = 0;

   protected:
    ~Owner() = default;
  };

  // `context` and `owner` outlive the connection.
  ServerConnection(const ServerContext* context, Owner* owner);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  // REQUIRES: never started, or closed.
  ~ServerConnection();

  // Takes over an accepted socket and asks Reception::Admit.
  void Start(io::Socket socket);

  // --- For Reception ---

  // Answers the open question. May call the ReceptionSession again before it returns: the client's
  // next command may be waiting. No effect once the connection is breaking up (OnClosed is on its
  // way).
  void Answer(const Reply& reply);
  // Storage that said kWait can take more. May call the ReceptionSession as Answer does.
  void ResumeBody();

  // --- For the owner ---

  // The server stops: the client gets 421 as soon as it may, and the connection closes. A message
  // that is on its way may come to its end and is answered; after a second call only one that is
  // being committed.
  void Shutdown();
  // Closes without a word.
  void Reset();

  const core::SocketAddress& peer() const { return peer_; }
  const ServerSession& session() const { return session_; }
  // A message is on its way in, or being committed.
  bool in_transaction() const { return transaction_; }

 private:
  using Step = ServerSession::Step;
  using Phase = ServerSession::Phase;

  // io::Connection::Handler.
  void OnBytes(std::span<char> bytes) override;
  void OnReceived(size_t size) override;
  void OnEndOfStream() override;
  void OnSent(size_t size) override;
  void OnError(int error) override;
  void OnTls(std::string_view error) override;
  void OnClosed() override;

  void OnTimer();
  void SayBanner();
  void BeginTls();
  std::string_view Process(std::string_view input);
  void Follow(Step step);
  void StoreChunk();
  void TakeBodyState(BodyState state);
  void Ask(Step question, const MaybeReply& reply);
  void TakeAnswer(const Reply& reply);
  void Keep(std::string_view input);
  void Continue();
  bool PrepareOutput();
  void Flush();
  void AfterWork();
  void ReceiveMore();
  void BeginClose(bool linger);
  void Say421(EnhancedCode enhanced, std::string_view text);
  void UpdateTimer();
  // Something has to come before more of the client's bytes can be looked at.
  bool blocked() const { return asking_ || body_waits_ || output_waits_ || securing_; }

  const ServerContext* context_;
  Owner* owner_;
  ReceptionSession* reception_ = nullptr;
  io::Connection connection_;
  core::Timer timer_;
  core::SocketAddress peer_;
  bool asking_ = false;        // a question is open: Answer will come
  bool body_waits_ = false;    // ResumeBody will come
  bool body_failed_ = false;   // Reception takes no more of this message
  bool output_waits_ = false;  // the output is full and the last is still being sent
  bool transaction_ = false;   // open at Reception's side
  bool securing_ = false;      // OnTls will come, when what was said before has been sent
  bool timed_out_ = false;
  bool closing_ = false;       // send what there is, then close
  bool linger_ = false;        // and read on for a moment before
  bool fin_sent_ = false;
  bool end_of_stream_ = false;
  bool shutdown_ = false;
  bool progress_ = false;  // this event has earned the client a new deadline
  Step question_ = Step::kNeedBytes;
  OutputBuffer out_;
  BlockCache::Block writing_;  // behind out_; null while there is nothing to say
  BlockCache::Block sending_;
  iovec send_part_ = {};
  std::span<char> direct_;  // where a direct receive goes
  std::string kept_;        // received, not yet consumed
  size_t kept_pos_ = 0;
  ServerSession session_;
};

static_assert(sizeof(ServerConnection) <= 2048);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_SERVER_CONNECTION_H_
