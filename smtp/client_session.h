// ClientSession: the client's side of an SMTP dialogue (RFC 5321, PIPELINING RFC 2920, SIZE RFC
// 1870, 8BITMIME RFC 6152).
//
// Pure: replies in, commands and events out. No socket, no clock, no allocation. Inside are two
// state machines that run independently: the *sender* knows which commands have been written, the
// *receiver* which reply comes next. Without PIPELINING the sender waits for the receiver after
// every command; with it MAIL, RCPTs and DATA leave as one piece, and the next transaction's
// envelope may leave right behind the body of the current one (RFC 2920 allows it: the body's end
// needs no wait).
//
// The driver (smtp/client_connection.h, or a test):
//   - passes received bytes to Next() until it says kNeedBytes, and acts on the events;
//   - then calls Write() and sends what it wrote;
//   - on kSendBody sends prefix and body of that transaction and calls BodyQueued() when the last
//   byte
//     is queued for sending; then may BeginTransaction() and Write() again for the same send.
//
// Every recipient of every transaction begun gets exactly one kResult, before kTransactionDone.
// Bytes from the server never trip a CHECK; calls out of turn by the driver do.
#ifndef OUTBOX_SMTP_CLIENT_SESSION_H_
#define OUTBOX_SMTP_CLIENT_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/limits.h"
#include "smtp/output_buffer.h"
#include "smtp/reply.h"

namespace outbox::smtp {

// One transaction as the session sees it. The views must stay valid until kTransactionDone.
struct ClientEnvelope {
  std::string_view reverse_path;                 // without brackets; empty: the null path
  std::span<const std::string_view> recipients;  // without brackets; 1 to kClientRecipientsMax
  uint64_t size = 0;                             // RFC 1870 size, what we add included; 0: unknown
  bool eight_bit = false;                        // the content has octets above 127
};

// What became of one recipient.
enum class ResultKind : uint8_t {
  kReply,     // the server's reply decides: 2xx delivered, 4xx, 5xx
  kTryNext,   // 452 or 552 behind an accepted recipient: offer it again, in the next transaction
  kTooLarge,  // nothing was sent: larger than the SIZE that the server offers. Permanent here
  kNeeds8BitMime,  // nothing was sent: 8-bit content, and the server does not offer 8BITMIME
  kLost,           // the session ended before a reply (see stage, and the session's end)
};

// What a reply, or its absence, was about.
enum class Stage : uint8_t {
  kConnect,  // the driver's: no connection
  kGreeting,
  kHello,  // EHLO, HELO
  kMail,
  kRcpt,
  kData,      // DATA's reply: 354 wanted
  kBody,      // while the message was being sent
  kFinalDot,  // the message was sent completely: a lost one may have been taken
  kReset,
  kIdle,
  kQuit,
};
const char* StageName(Stage stage);

struct RecipientResult {
  ResultKind kind = ResultKind::kReply;
  Stage stage = Stage::kRcpt;
  // kReply, kTryNext: the server's. Others: code 0, or the 421 that ended the session; the text is
  // ours. The view is valid until the next call.
  Reply reply;
  bool delivered() const { return kind == ResultKind::kReply && reply.code / 100 == 2; }
};

// Why a session is over.
enum class SessionEnd : uint8_t {
  kQuit,           // in good order: we said QUIT
  kRefused,        // greeting or EHLO/HELO was answered with 4xx or 5xx: the reply says which
  kShutdown,       // 421: the server closes
  kProtocolError,  // not SMTP, or a reply that makes no sense where it came
  kPeerClosed,     // closed without a word
  kTimeout,        // the driver's reasons from here on
  kConnectFailed,
  kNetworkError,
  kCancelled,
  kSourceFailed,  // the message's bytes could not be had
};
const char* SessionEndName(SessionEnd end);

struct ClientSessionOptions {
  std::string_view helo_name;  // outlives the session; a domain or an address literal
  bool pipelining = true;      // use PIPELINING when it is offered
};

class ClientSession {
 public:
  enum class EventKind : uint8_t {
    kNeedBytes,        // all bytes were used: Write, send, receive
    kReady,            // the server has greeted: BeginTransaction or Quit
    kSendBody,         // send the message of `transaction`, then BodyQueued
    kResult,           // one recipient is decided
    kTransactionDone,  // all its recipients are decided; the envelope's views may go
    kEnded,  // the session is over: `end`, `result.reply` and `result.stage` say why. Last event
  };
  struct Event {
    EventKind kind = EventKind::kNeedBytes;
    uint8_t transaction = 0;  // the slot that BeginTransaction returned
    uint16_t recipient = 0;   // kResult: index in the envelope
    SessionEnd end = SessionEnd::kQuit;
    RecipientResult result;
  };

  static constexpr int kSlots = 2;  // the transaction in hand, and the one behind its body

  // `options` outlives the session. The session starts by waiting for the greeting.
  explicit ClientSession(const ClientSessionOptions* options) : options_(options) {}

  // Consumes reply bytes from the front of `*input`; call until kNeedBytes or kEnded. An empty
  // input is fine: events may be waiting.
  Event Next(std::string_view* input);

  // A transaction can be begun: the session is ready, and no other is in hand or (PIPELINING) only
  // one whose body has been queued.
  bool CanBegin() const;
  // REQUIRES: CanBegin(); envelope as documented. Returns the slot, 0 or 1, that names it until its
  // kTransactionDone. The transaction may be decided without being sent (kTooLarge,
  // kNeeds8BitMime): call Next.
  int BeginTransaction(const ClientEnvelope& envelope);

  // Writes the commands that can be sent now, as far as they fit. Returns true when more would
  // follow if there were room: send and call again. REQUIRES: out->room() >=
  // core::kClientCommandMax.
  bool Write(OutputBuffer* out);

  // The last byte of the body (its CRLF.CRLF) is queued. REQUIRES: kSendBody came for `slot`.
  void BodyQueued(int slot);

  // Ends the session after what is in hand. No BeginTransaction from now on.
  void Quit();

  // The connection broke, was closed by the server, timed out, or is given up: everything undecided
  // is decided. Call Next until kEnded. No effect on a session that has ended.
  void Abandon(SessionEnd end);

  // What the driver's timer is for: the stage of the oldest reply that is waited for (kBody:
  // nothing, the driver times its sends by the data block limit; kIdle: nothing is waited for).
  Stage waiting_for() const;
  bool ready() const { return state_ == State::kReady; }
  bool ended() const { return state_ == State::kEnded; }
  // A transaction is in hand.
  bool busy() const { return in_hand_ > 0; }
  bool pipelining() const { return pipelining_ && options_->pipelining; }
  bool offers_size() const { return has_size_; }
  uint64_t size_limit() const { return size_limit_; }  // 0: none declared
  bool offers_8bitmime() const { return eight_bit_mime_; }

 private:
  enum class State : uint8_t { kGreeting, kEhlo, kHelo, kReady, kQuitting, kEnding, kEnded };
  // What the sender writes next / the receiver reads next in a transaction.
  enum class Point : uint8_t { kReset, kMail, kRcpt, kData, kBody, kFinal, kDone };
  struct Slot {
    ClientEnvelope envelope;
    uint64_t accepted = 0;  // recipients with a 2xx RCPT, not yet decided
    uint64_t undecided = 0;
    Point send = Point::kDone;
    Point receive = Point::kDone;
    uint16_t send_rcpt = 0;
    uint16_t receive_rcpt = 0;
    bool mail_refused = false;
    bool wants_reset = false;  // RSET goes before MAIL
    bool lone_dot = false;     // 354 came, but nobody is left: end the data at once
    bool active = false;
    bool done_pending = false;             // kTransactionDone is due when nothing is undecided
    ResultKind kind = ResultKind::kReply;  // of those that are decided together
    Stage stage = Stage::kMail;
    uint64_t deciding = 0;  // recipients whose kResult is due, with `decision`
  };

  Event NextReply(std::string_view* input);
  bool NextDecision(Event* event);
  Event OnReply();
  Event OnGreeting(const Reply& reply);
  Event OnHello(const Reply& reply);
  Event OnTransactionReply(const Reply& reply);
  void OnEhloLine(std::string_view line);
  Event OnMail(Slot* slot, const Reply& reply);
  Event OnRcpt(Slot* slot, const Reply& reply);
  Event OnData(Slot* slot, const Reply& reply);
  Event OnFinal(Slot* slot, const Reply& reply);
  void Decide(Slot* slot, uint64_t mask, ResultKind kind, Stage stage);
  void End(SessionEnd end, Stage stage, bool keep_reply);
  Event ProtocolError(Stage stage, const char* what);
  bool WriteSlot(Slot* slot, OutputBuffer* out);
  bool MayWrite(const Slot& slot) const;
  Slot* current() { return &slots_[current_]; }
  const Slot* current() const { return &slots_[current_]; }

  const ClientSessionOptions* options_;
  State state_ = State::kGreeting;
  bool pipelining_ = false;
  bool has_size_ = false;
  bool eight_bit_mime_ = false;
  bool hello_due_ = false;  // EHLO or HELO is to be written
  bool ready_due_ = false;  // kReady is to be told
  bool quit_wanted_ = false;
  bool quit_sent_ = false;
  bool mail_open_ = false;  // the server may hold a transaction open that is not ours any more
  uint8_t current_ = 0;     // the receiver's slot
  uint8_t in_hand_ = 0;
  SessionEnd end_ = SessionEnd::kQuit;
  Stage end_stage_ = Stage::kIdle;
  uint64_t size_limit_ = 0;
  Reply decision_;  // of the recipients being decided, and of the session's end
  Slot slots_[kSlots];
  ReplyParser parser_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_CLIENT_SESSION_H_
