// ClientConnection: one connection to a mail host: a ClientSession on an io::Connection, with its
// timer.
//
// It connects, then moves replies to the session, commands and message bytes to the connection, and
// tells the DeliverySource what became of each recipient. A message goes out as prefix and windows
// straight from the memory that the source lends; with PIPELINING the last window, the final dot
// and the next transaction's envelope are one send. With CHUNKING the pieces of the windows between
// their stuffed dots are sent, and a small message with its envelope.
//
// TLS. Where it is opportunistic, a handshake that fails or stalls is no end: the connection is
// made once more, without, and the host is remembered for some minutes (smtp/plain_hosts.h).
// Everywhere else it is the session's end, and nothing goes in the clear.
//
// AUTH. With credentials no mail goes over a session that has not taken them. The memory that a
// secret was sent from is overwritten before anybody else has it.
//
// Lifecycle: constructed; Start; ends with DeliverySource::OnSessionEnd, in which it may be
// destroyed (or started again). Lives on its shard.
#ifndef OUTBOX_SMTP_CLIENT_CONNECTION_H_
#define OUTBOX_SMTP_CLIENT_CONNECTION_H_

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/container/inlined_vector.h"
#include "core/config.h"
#include "core/ip_address.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/connection.h"
#include "io/io.h"
#include "io/tls_channel.h"
#include "smtp/block_cache.h"
#include "smtp/client_session.h"
#include "smtp/data_hosts.h"
#include "smtp/delivery_source.h"
#include "smtp/plain_hosts.h"
#include "smtp/talk.h"
#include "smtp/unstuffed_body.h"

namespace outbox::smtp {

// RFC 5321 4.5.3.2; how long we wait for what, in nanoseconds.
struct ClientTimeouts {
  int64_t connect_ns = 30 * core::kNsPerSecond;
  int64_t greeting_ns = 5 * core::kNsPerMinute;
  int64_t hello_ns = 5 * core::kNsPerMinute;
  int64_t mail_ns = 5 * core::kNsPerMinute;
  int64_t rcpt_ns = 5 * core::kNsPerMinute;
  int64_t data_ns = 2 * core::kNsPerMinute;
  int64_t block_ns = 3 * core::kNsPerMinute;  // for each piece of the message
  int64_t final_dot_ns = 10 * core::kNsPerMinute;
  int64_t idle_ns = 5 * core::kNsPerSecond;  // between transactions; then QUIT
  int64_t quit_ns = 5 * core::kNsPerSecond;
  int64_t tls_ns = 30 * core::kNsPerSecond;  // the answer to STARTTLS; the handshake
};

// How a connection is to be encrypted.
struct ClientTls {
  core::TlsMode mode = core::TlsMode::kNone;
  std::string name;  // the server's; empty: it has but an address
};

// What the connections of one shard have in common; outlives them.
struct ClientContext {
  io::Io* io = nullptr;
  core::TimerWheel* wheel = nullptr;
  BlockCache* blocks = nullptr;
  TalkRings* rings = nullptr;
  ClientSessionOptions session;
  ClientTimeouts timeouts;
  // Null, all three: there is no TLS, whatever is asked for by a connection that may do without.
  io::TlsClientContext* tls = nullptr;
  io::TlsMemory* tls_memory = nullptr;
  PlainHosts* plain_hosts = nullptr;
  DataHosts* data_hosts = nullptr;  // null: none are remembered
};

class ClientConnection final : private io::Connection::Handler {
 public:
  // `context` and `source` outlive the connection.
  ClientConnection(const ClientContext* context, DeliverySource* source);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;
  // REQUIRES: never started, or OnSessionEnd has been called.
  ~ClientConnection();

  // The name to say in EHLO from the next Start on; empty: that of the context.
  void SayHelo(std::string_view name);
  // Connects to `host`, from `local` unless that is null. Nothing is told before the loop turns.
  void Start(const core::SocketAddress& host, const core::SocketAddress* local, ClientTls tls = {},
             ClientCredentials credentials = {});

  // The same to the unix socket with this path (io::Io::ConnectUnix).
  void StartUnix(const std::string& path);

  // After kLater: there may be a transaction now. May call the source before it returns.
  void Poke();
  // After kLater: NextWindow can be asked again. May call the source before it returns.
  void OfferWindow();

  // The peer does not read: the window that is being sent goes back soon all the same, if there is
  // room to keep what is left of it (BlockCache::Reserve).
  void FreeWindow();

  // Ends the session when what is in hand is done. Asks for no more transactions.
  void Quit();
  // Gives up at once, with a reset. What is undecided is lost; results and the end, which is `why`,
  // follow from the loop.
  void Abandon(SessionEnd why);

  const core::SocketAddress& host() const { return host_; }  // not of a unix socket
  // What has been said, for when it comes to nothing; since the session was idle last.
  const Talk& talk() const { return talk_; }
  io::TlsFacts tls() const { return connection_.tls(); }
  const ClientSession& session() const { return session_; }
  // Nothing is in hand and the session is ready: a transaction would start at once.
  bool idle() const { return connection_.open() && session_.ready() && !session_.busy(); }

 private:
  // What most sessions have nothing of.
  struct Terms {
    std::string path;  // of a unix socket; empty: it is at host_
    std::string helo;
    std::optional<core::SocketAddress> local;
    ClientCredentials credentials;
  };

  // The body that is being sent.
  struct Body {
    int slot = -1;  // -1: none
    bool prefix_due = false;
    bool window_asked = false;  // the source said kLater
    bool has_window = false;    // `window` is to be sent
    bool bdat = false;          // `content` of the windows, instead of their bytes
    BodyWindow window;
    UnstuffedBody content;
  };
  // Most sends have commands, a prefix, a window, and commands.
  static constexpr size_t kUsualParts = 4;
  using Parts = absl::InlinedVector<iovec, kUsualParts>;

  // io::Connection::Handler.
  void OnBytes(std::span<char> bytes) override;
  void OnReceived(size_t size) override;
  void OnEndOfStream() override;
  void OnSent(size_t size) override;
  void OnError(int error) override;
  void OnTls(std::string_view error) override;
  void OnClosed() override;

  void Prepare();
  // client_tls.cc
  TlsUse TlsUseNow();
  void BeginTls();
  bool FallBack(std::string_view why);
  void StartAgain();
  Terms* WithTerms();
  // But for the name, which is said again.
  void ForgetTerms();
  bool at_socket() const { return terms_ != nullptr && !terms_->path.empty(); }
  const core::SocketAddress* local() const;  // null: any
  const ClientCredentials* credentials() const;
  ClientSessionOptions session_options() const;
  // For people.
  std::string HostText() const { return at_socket() ? terms_->path : host_.ToString(); }
  void OnConnected(const io::OpResult& result);
  void OnTimer();
  void TellEvents(std::string_view input);
  void OnEvent(const ClientSession::Event& event);
  void Pump();
  void ChooseData();
  void AskForTransaction();
  bool AskForWindow();
  void Fail(SessionEnd end, std::string text);
  // `end`: unless the source has abandoned it.
  void EndWithoutSession(SessionEnd end, std::string text);
  SessionEnd EndOfConnect(int error) const;
  void ReleaseWindows();
  // client_send.cc
  void SendOnce();
  void AddBody(OutputBuffer* out);
  bool AddContent();
  void AddPart(const void* data, size_t size);
  void GiveBlock();
  void GiveSent();
  size_t PartBytes() const;
  void SendRest(size_t sent);
  void ReportEnd();
  void UpdateTimer();
  int64_t TimeoutNs() const;

  const ClientContext* context_;
  DeliverySource* source_;
  io::Op connect_;
  io::Connection connection_;
  core::Timer timer_;
  core::SocketAddress host_;
  std::unique_ptr<Terms> terms_;  // null: none of them
  ClientTls tls_;
  bool shaking_hands_ = false;   // TLS, until OnTls
  bool falling_back_ = false;    // the connection closes, and another one follows without TLS
  bool running_ = false;         // from Start to OnSessionEnd
  bool no_transaction_ = false;  // the source said kLater
  bool no_timer_ = false;        // there was none to watch the connect with
  bool abandoned_ = false;       // by the source: `end_` says why
  bool busy_ = false;            // inside of a loop over events or sends
  bool pump_again_ = false;
  bool ended_ = false;     // kEnded has come
  bool progress_ = false;  // this event has earned the server a new deadline
  SessionEnd end_ = SessionEnd::kQuit;
  RecipientResult end_result_;
  std::string error_text_;  // our text, when we know more than the end's name
  uint32_t timed_replies_ = 0;
  bool served_ = false;          // a transaction of this session is over
  int64_t rested_since_ns_ = 0;  // the session is idle since; 0: it is not
  DeliveryRequest requests_[ClientSession::kSlots];
  Body body_;
  // The window that is in the send in flight.
  bool window_in_flight_ = false;
  uint64_t window_cookie_ = 0;
  uint64_t window_token_ = 0;
  BlockCache::Block sending_;
  bool secret_in_block_ = false;  // there may be one in it
  std::unique_ptr<char[]> rest_;  // of a send that was cut, instead of `sending_` and the window
  size_t rest_room_ = 0;          // reserved for it
  bool cut_ = false;              // the send in flight is being cut
  Parts parts_;                   // of the send in flight
  std::unique_ptr<char[]> unstuffed_;  // a window of it that is too full of dots
  Talk talk_;
  ClientSession session_;
};

// With what owns it, not above the allocator's class of 2 KiB: idle sessions are many.
static_assert(sizeof(ClientConnection) <= 2048 - 8);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_CLIENT_CONNECTION_H_
