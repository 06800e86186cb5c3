// ClientSession: the client's side of an SMTP dialogue (RFC 5321, PIPELINING RFC 2920, SIZE RFC
// 1870, 8BITMIME RFC 6152, SMTPUTF8 RFC 6531, DSN RFC 3461, STARTTLS RFC 3207, AUTH RFC 4954,
// CHUNKING RFC 3030).
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
// With CHUNKING a message of known size goes by one BDAT instead of DATA, and without waiting for
// 354: behind its envelope in the same piece if it is small and the server has PIPELINING, else
// behind the replies to it. Whether a server that offers it knows it is seen by its reply: then
// recipients are told kAnew, and the session ends.
//
// LMTP (RFC 2033) differs in three things: LHLO instead of EHLO, without HELO behind it; one reply
// behind the final dot for every recipient that was accepted, in the order of their RCPTs; and no
// data without such a recipient. A transaction may also end behind its RCPTs (verify_only): the
// answers to these are its results, and nothing is sent.
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
#include "smtp/auth_exchange.h"
#include "smtp/delivery_result.h"
#include "smtp/dsn_parameters.h"
#include "smtp/output_buffer.h"
#include "smtp/reply.h"

namespace outbox::smtp {

// One transaction as the session sees it. The views must stay valid until kTransactionDone.
struct ClientEnvelope {
  std::string_view reverse_path;                 // without brackets; empty: the null path
  std::span<const std::string_view> recipients;  // without brackets; 1 to kClientRecipientsMax
  uint64_t size = 0;                             // RFC 1870 size, what we add included; 0: unknown
  bool eight_bit = false;                        // the content has octets above 127
  bool verify_only = false;                      // RCPT is asked, and no message sent
  bool by_data = false;                          // DATA, whatever the server offers
  bool patient = false;  // the content waits for the replies to the envelope: they may not come
  // RFC 6531: what needs SMTPUTF8. A store that is spoken to by LMTP is handed a header with UTF-8
  // without it, as it is handed any other header with octets above 127.
  bool utf8_address = false;         // the reverse-path, or a recipient
  bool utf8_header = false;          // the message's header section
  const EnvelopeDsn* dsn = nullptr;  // said where DSN is offered; null: nothing is asked for
};

struct ClientSessionOptions {
  std::string_view helo_name;  // outlives the session; a domain or an address literal
  bool pipelining = true;      // use PIPELINING when it is offered
  bool lmtp = false;
  bool chunking = false;  // use CHUNKING when it is offered
};

// Whether a session is to be encrypted.
enum class TlsUse : uint8_t {
  kOff,
  kOffered,  // when the server offers it
  kNeeded,   // or not at all
  kOn,       // it is already, from the first byte
};

class ClientSession {
 public:
  enum class EventKind : uint8_t {
    kNeedBytes,        // all bytes were used: Write, send, receive
    kStartTls,         // shake hands, then Secured; or Abandon. Bytes that come are the handshake's
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

  // `options` are taken as they are now; the name in them and `credentials` outlive the session;
  // with null for these it says not who it is. The session starts by waiting for the greeting.
  explicit ClientSession(const ClientSessionOptions& options, TlsUse tls = TlsUse::kOff,
                         const ClientCredentials* credentials = nullptr)
      : options_(options), tls_(tls), secured_(tls == TlsUse::kOn), auth_(credentials) {}

  // Consumes reply bytes from the front of `*input`; call until kNeedBytes or kEnded. An empty
  // input is fine: events may be waiting.
  Event Next(std::string_view* input);

  // A transaction can be begun: the session is ready, and no other is in hand or (PIPELINING) only
  // one whose body has been queued.
  bool CanBegin() const;
  // REQUIRES: CanBegin(); envelope as documented. Returns the slot, 0 or 1, that names it until its
  // kTransactionDone. The transaction may be decided without being sent (kTooLarge,
  // kNeeds8BitMime, kNeedsSmtpUtf8): call Next.
  int BeginTransaction(const ClientEnvelope& envelope);

  // Writes the commands that can be sent now, as far as they fit. Returns true when more would
  // follow if there were room: send and call again. Before waiting_for() has passed kAuth there may
  // be a secret in it. REQUIRES: out->room() >= core::kClientCommandMax; with credentials, and
  // before the session is ready, core::kClientAuthMax.
  bool Write(OutputBuffer* out);

  // The last byte of the body (its CRLF.CRLF) is queued. REQUIRES: kSendBody came for `slot`.
  void BodyQueued(int slot);

  // The handshake is over: what the server has said of itself is forgotten (RFC 3207 4.2).
  // REQUIRES: kStartTls has come.
  void Secured();

  // CHUNKING is not used in this session, whatever is offered. REQUIRES: no transaction was begun.
  void UseData() { use_data_ = true; }

  // Ends the session after what is in hand. No BeginTransaction from now on.
  void Quit();

  // The connection broke, was closed by the server, timed out, or is given up: everything undecided
  // is decided. Call Next until kEnded. No effect on a session that has ended.
  // `text` (empty: the end's name) goes with the results and must stay valid until the session
  // goes.
  void Abandon(SessionEnd end, std::string_view text = {});

  // What the driver's timer is for: the stage of the oldest reply that is waited for (kBody:
  // nothing, the driver times its sends by the data block limit; kIdle: nothing is waited for).
  Stage waiting_for() const;
  bool ready() const { return state_ == State::kReady; }
  // Complete replies read so far: tells the driver's timer that there is progress.
  uint32_t replies() const { return replies_; }
  bool ended() const { return state_ == State::kEnded; }
  // A transaction is in hand.
  bool busy() const { return in_hand_ > 0; }
  bool pipelining() const { return pipelining_ && options_.pipelining; }
  bool offers_size() const { return has_size_; }
  uint64_t size_limit() const { return size_limit_; }  // 0: none declared
  bool offers_8bitmime() const { return eight_bit_mime_; }
  bool offers_chunking() const { return chunking_ && options_.chunking; }
  // RFC 6531 3.1: who offers it offers 8BITMIME, too. One that does not is not relied upon.
  bool offers_smtp_utf8() const { return smtp_utf8_ && eight_bit_mime_; }
  bool offers_dsn() const { return dsn_; }
  bool secured() const { return secured_; }
  // kSendBody has come for `slot`: the content goes without stuffing and final dot,
  // `envelope.size` octets.
  bool by_bdat(int slot) const { return slots_[slot].bdat; }
  // The server knows who we are, by auth().mechanism().
  bool authenticated() const { return authenticated_; }
  const AuthExchange& auth() const { return auth_; }

 private:
  enum class State : uint8_t {
    kGreeting,
    kEhlo,
    kHelo,
    kStartTls,   // its answer comes next
    kHandshake,  // Secured() comes next
    kAuth,       // AUTH, and what it takes
    kReady,
    kQuitting,
    kEnding,
    kEnded,
  };
  // Where the sender, and where the receiver stands in a transaction, in the order of the dialogue.
  enum class Point : uint8_t { kReset, kMail, kRcpt, kData, kBody, kFinal, kDone };
  struct Slot {
    ClientEnvelope envelope;
    uint64_t undecided = 0;  // mask of recipients without a result
    uint64_t accepted = 0;   // those of them whose RCPT was accepted
    uint64_t deciding = 0;   // recipients whose kResult is to be told, all the same `decision`
    uint64_t lost = 0;       // recipients to be told lost when `deciding` is told
    RecipientResult decision;
    Stage lost_stage = Stage::kIdle;
    Point send = Point::kDone;     // what is written next
    Point receive = Point::kDone;  // what the next reply is about
    uint16_t send_recipient = 0;
    uint16_t receive_recipient = 0;
    bool active = false;
    bool mail_accepted = false;
    bool body_asked = false;  // kSendBody has been told
    bool lone_dot = false;    // 354 came with nobody accepted: the data is ended at once
    bool bdat = false;        // instead of DATA; `receive` goes from kRcpt to kFinal
    bool ahead = false;       // BDAT follows the envelope at once
  };

  bool NextDue(Event* event);
  bool NextDueOf(uint8_t index, Event* event);
  void OnReply(const Reply& reply);
  void OnGreeting(const Reply& reply);
  void OnHello(const Reply& reply);
  void OnEhloLine(std::string_view line);
  void ForgetExtensions();
  // It has answered EHLO or HELO: TLS, AUTH, or mail.
  void OnGreeted();
  void OnStartTls(const Reply& reply);
  // client_auth.cc
  void BeginAuth();
  void OnAuth(const Reply& reply);
  void OnAuthRefused(const Reply& reply);
  bool WriteHello(OutputBuffer* out);
  void OnTransactionReply(Slot* slot, const Reply& reply);
  void OnMail(Slot* slot, const Reply& reply);
  void OnRcpt(Slot* slot, const Reply& reply);
  void OnData(Slot* slot, const Reply& reply);
  void OnFinal(Slot* slot, const Reply& reply);
  void Decide(Slot* slot, uint64_t mask, ResultKind kind, Stage stage, const Reply& reply);
  void OnFinalOfOne(Slot* slot, const Reply& reply);
  void Finish(Slot* slot);
  void End(SessionEnd end, Stage stage, const Reply& reply);
  void EndByProtocolError(const char* what);
  void WriteNext(Slot* slot, OutputBuffer* out);
  void WriteMail(const ClientEnvelope& envelope, OutputBuffer* out) const;
  void WriteRcpt(const ClientEnvelope& envelope, uint16_t recipient, OutputBuffer* out) const;
  // For the next command of the slot.
  size_t RoomFor(const Slot& slot) const;
  static bool IsReplyDue(const Slot& slot);
  static Stage SlotStage(const Slot& slot);
  // client_chunks.cc
  void ChooseBdat(Slot* slot) const;
  void OnLastRcptBeforeBdat(Slot* slot);
  void OnBdat(Slot* slot, const Reply& reply);
  bool MayWriteBdat(const Slot& slot) const;
  static void WriteBdat(Slot* slot, OutputBuffer* out);
  void OnRefusedWithinBody(Slot* slot, const Reply& reply);
  bool MayWrite(const Slot& slot) const;
  Slot* current() { return &slots_[current_]; }
  const Slot* current() const { return &slots_[current_]; }

  ClientSessionOptions options_;
  State state_ = State::kGreeting;
  TlsUse tls_;
  bool secured_;
  bool has_starttls_ = false;
  bool starttls_due_ = false;   // STARTTLS is to be written
  bool handshake_due_ = false;  // kStartTls is to be told
  bool pipelining_ = false;
  bool has_size_ = false;
  bool chunking_ = false;  // offered
  bool use_data_ = false;  // all the same
  bool eight_bit_mime_ = false;
  bool smtp_utf8_ = false;
  bool dsn_ = false;
  bool hello_due_ = false;  // EHLO or HELO is to be written
  bool ready_due_ = false;  // kReady is to be told
  bool quit_wanted_ = false;
  bool reset_needed_ = false;  // the server holds a transaction open that is over for us
  bool first_line_ = true;     // of EHLO's reply
  bool authenticated_ = false;
  uint8_t current_ = 0;  // the slot that the next reply is about
  uint8_t in_hand_ = 0;  // active slots
  uint32_t replies_ = 0;
  uint64_t size_limit_ = 0;
  SessionEnd end_ = SessionEnd::kQuit;
  RecipientResult end_result_;
  AuthExchange auth_;
  Slot slots_[kSlots];
  ReplyParser parser_;
};

static_assert(sizeof(ClientSession) <= 1024 + 128);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_CLIENT_SESSION_H_
