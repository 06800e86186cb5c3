// ServerSession: the server's side of an SMTP dialogue (RFC 5321, PIPELINING RFC 2920, SIZE RFC
// 1870, 8BITMIME RFC 6152, SMTPUTF8 RFC 6531, DSN RFC 3461, ENHANCEDSTATUSCODES RFC 2034, STARTTLS
// RFC 3207, AUTH RFC 4954, CHUNKING RFC 3030).
//
// Pure: bytes and answers in, replies and steps out. No socket, no clock, no allocation. The driver
// (smtp/server_connection.h, or a test) feeds bytes to Next() and does what the step says:
//
//     session.Start(&out);                     // the banner
//     while (have bytes) step = session.Next(&bytes, &out);
//
// Questions of policy and durability (may this sender, this recipient, is it committed) are steps
// that the driver answers with Answer(), at once or later; until then Next() must not be called and
// consumes nothing, so that a reply never overtakes an earlier one. Replies gather in `out`: the
// driver sends it when the input is used up, when it waits, or when kFlush says that it is full.
//
// Bytes from the client never trip a CHECK; calls out of turn by the driver do.
#ifndef OUTBOX_SMTP_SERVER_SESSION_H_
#define OUTBOX_SMTP_SERVER_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/auth_mechanism.h"
#include "core/limits.h"
#include "smtp/body_scanner.h"
#include "smtp/command.h"
#include "smtp/output_buffer.h"
#include "smtp/reply.h"

namespace outbox::smtp {

// What a listener's sessions have in common; outlives them. Set once, then constant.
struct ServerSessionOptions {
  std::string hostname;                                // in the banner and in EHLO's reply
  uint64_t max_message_bytes = 50u << 20;              // RFC 1870 size; 0: no limit
  uint32_t max_recipients = core::kSmtpRecipientsMax;  // per transaction; above: 452 4.5.3
  uint32_t max_errors = core::kSmtpErrorsMax;          // since the last accepted message; then 421
  uint32_t max_transactions = 0;                       // per session, then 421; 0: no limit
  uint64_t max_text_line = core::kSmtpTextLineOctetsMax;  // octets without CRLF; above: 550 5.6.0
  // (not below kLongLine, smtp/body_scanner.h)
  uint32_t max_received_headers = core::kSmtpReceivedHeadersMax;  // above: 554 5.4.6, a mail loop
  bool refuse_nul = false;  // a message with NUL octets: 550 5.6.0
  bool offers_tls = false;  // STARTTLS
  bool needs_tls = false;   // without it MAIL gets 530 5.7.0
  bool offers_chunking = false;  // BDAT
  bool offers_auth = false;    // AUTH PLAIN and LOGIN, under TLS
  bool auth_in_clear = false;  // and without TLS
  bool needs_auth = false;     // without it MAIL gets 530 5.7.0
};

// What kAskAuth is about. Both are secrets of the client's; neither is empty.
struct Credentials {
  core::AuthMechanism mechanism = core::AuthMechanism::kPlain;
  std::string_view user;      // at most core::kAuthUserBytes
  std::string_view password;  // at most core::kAuthPasswordBytes, without NUL
};

class ServerSession {
 public:
  // What the driver has to do after Next() or Answer(). A session that says kClose says nothing
  // else any more.
  enum class Step : uint8_t {
    kNeedBytes,  // from Next: all bytes were used; send `out`, receive more. From Answer: go on
                 // with Next
    kFlush,      // `out` is full: send it, clear it, call Next again
    kAskMail,    // may this sender? command().path, declared_size, body, ret, envid. Answer() with
                 // 250 or a refusal
    kAskRcpt,    // may this recipient? command().path, dsn. Answer() likewise
    kAskData,    // DATA, or the first BDAT: is there room? Answer() with 354 or a refusal
    kBody,       // store chunk(): wire form, the final dot included. Then call Next again
    kEndOfBody,  // everything is stored, body() says what: commit, then Answer() with the final
                 // reply
    kAbort,    // forget the transaction: RSET, or the message is refused while its rest is drained.
               // Then call Next again. Only after kAskMail was answered with 2xx
    kHello,    // EHLO or HELO was accepted: command().argument is the name. Forget the transaction,
               // if one is open. Then call Next again
    kAskAuth,  // is it who it says? credentials(). Answer() with 235 or a refusal. No transaction
               // is open
    kStartTls,  // send `out`, then shake hands, then call Secured(). Bytes that come before are the
                // handshake's. No transaction is open
    kClose,     // send `out`, then close. Forget the transaction, if one is open
  };

  // Which of RFC 5321 4.5.3.2's limits the driver should hold the client to.
  enum class Phase : uint8_t {
    kBanner,     // Start has not been called: the client has no say
    kCommand,    // waiting for a command: 5 minutes
    kData,       // waiting for a piece of the message: 3 minutes
    kAnswer,     // a question is open: the client waits for us
    kHandshake,  // of TLS: Secured() comes next
    kClosed,
  };

  // REQUIRES: `options` outlives the session.
  explicit ServerSession(const ServerSessionOptions* options) : options_(options) {}
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;
  ~ServerSession();

  // Writes the banner. Bytes that came before it are an early talker's: the driver passes them to
  // Next while the phase is kBanner, which refuses and closes.
  void Start(OutputBuffer* out);
  // Instead of Start: refuses the client with `reply` (421 or 554) and closes.
  void Refuse(const Reply& reply, OutputBuffer* out);

  // TLS is on, from now on or, before Start, from the first byte. What the client has said so far
  // is forgotten (RFC 3207 4.2). REQUIRES: phase kHandshake, or kBanner.
  void Secured();

  // Consumes bytes from the front of `*input`. REQUIRES: no question open (phase kAnswer), no
  // handshake, not closed; out->room() >= core::kSmtpReplyRoom, or the result is kFlush.
  Step Next(std::string_view* input, OutputBuffer* out);

  // Answers the open question and writes the reply. For kAskMail, kAskRcpt, kAskAuth and kEndOfBody
  // 2xx is yes; for kAskData 354 is yes. 421 closes. REQUIRES: phase() == kAnswer; out->room() as
  // above.
  Step Answer(const Reply& reply, OutputBuffer* out);

  // The client kept silent for longer than its phase allows, or the server stops: writes 421 with
  // `text` and closes. With a question open the 421 is written in the place of its answer.
  // REQUIRES: phase() is not kClosed.
  void Close(EnhancedCode enhanced, std::string_view text, OutputBuffer* out);

  Phase phase() const;
  // The client greeted with EHLO (with HELO: false).
  bool extended() const { return extended_; }
  // It was closed for what the client did.
  bool disowned() const { return disowned_; }
  bool secured() const { return secured_; }
  // AUTH was answered with 2xx; holds until TLS begins.
  bool authenticated() const { return authenticated_; }
  // What it says next may be its password: whoever keeps a copy overwrites it.
  bool may_authenticate() const {
    return options_->offers_auth && !authenticated_ && !transaction_;
  }
  // Of kAskAuth, until ForgetSecrets or Answer.
  Credentials credentials() const;
  // Overwrites what is known of the password. Whoever answers later calls it when he has a copy.
  void ForgetSecrets();
  // The command of the step. Views into the input or into the session: valid until the next call.
  const Command& command() const { return command_; }
  // BODY= of this transaction.
  BodyType body_type() const { return body_type_; }
  // kBody: the bytes to store; a view into the input that Next was given, or, with BDAT, octets of
  // wire form that the client does not send.
  std::string_view chunk() const { return chunk_; }
  // So many octets of the input are of the message, whatever they are: the rest of a BDAT's chunk;
  // UINT64_MAX with DATA; 0: a command comes next, or octets that are dropped.
  uint64_t body_left() const;
  // What comes is content of BDAT, before whose dots there may be others to store.
  bool in_chunk() const { return state_ == State::kChunk; }
  // What is known of the message in hand (kBody) or complete (kEndOfBody).
  const BodySummary& body() const { return scanner_.summary(); }
  // A transaction has been opened at the driver's side (kAskMail was answered with 250).
  bool in_transaction() const { return transaction_; }
  uint32_t recipients() const { return recipients_; }

 private:
  enum class State : uint8_t {
    kBanner,
    kCommands,
    kAskedMail,
    kAskedRcpt,
    kAskedData,
    kBody,
    kDrain,  // the message is refused already: its rest is read and dropped
    kAskedChunk,    // kAskData, for BDAT
    kChunk,         // BDAT's octets
    kDrainedChunk,  // those of a BDAT that is refused
    kAskedCommit,
    kAuthResponse,  // the client's line is PLAIN's, or
    kAuthUser,      // LOGIN's
    kAuthPassword,
    kAskedAuth,
    kHandshake,
    kClosed,
  };
  // What BDAT has come to in this transaction.
  enum class Chunks : uint8_t {
    kNone,
    kOpen,    // of a message that is not complete
    kFailed,  // one was refused: nothing goes on before RSET, or the last one
    kStray,   // there was one without a transaction
  };

  Step NextStep(std::string_view* input, OutputBuffer* out);
  Step NextLine(std::string_view* input, OutputBuffer* out);
  Step HandleLine(std::string_view line, OutputBuffer* out);
  Step HandleHello(OutputBuffer* out);
  Step HandleMail(OutputBuffer* out);
  Step HandleRcpt(OutputBuffer* out);
  Step HandleData(OutputBuffer* out);
  Step HandleOther(OutputBuffer* out);
  Step HandleStartTls(OutputBuffer* out);
  // smtp/server_auth.cc
  Step HandleAuth(OutputBuffer* out);
  Step HandleAuthLine(std::string_view line, OutputBuffer* out);
  Step TakeResponse(std::string_view text, OutputBuffer* out);
  Step TakePlain(std::string_view message, OutputBuffer* out);
  Step TakeUser(std::string_view user, OutputBuffer* out);
  Step AskAuth(std::string_view user, std::string_view password, OutputBuffer* out);
  Step AnswerAuth(const Reply& reply, OutputBuffer* out);
  Step EndAuth(const Reply& reply, OutputBuffer* out);
  bool can_authenticate() const {
    return options_->offers_auth && (secured_ || options_->auth_in_clear);
  }
  bool in_auth() const { return state_ >= State::kAuthResponse && state_ <= State::kAuthPassword; }
  // What MAIL gets without it.
  Reply AuthRequired() const;
  // Room for the line in hand.
  size_t LineRoom() const;
  // The line in hand, of which `piece` comes next, is one of AUTH.
  bool IsOfAuth(std::string_view piece) const;
  Step LineTooLong(OutputBuffer* out);
  Step AnswerMail(const Reply& reply, OutputBuffer* out);
  Step AnswerRcpt(const Reply& reply, OutputBuffer* out);
  Step AnswerData(const Reply& reply, OutputBuffer* out);
  Step NextBody(std::string_view* input, OutputBuffer* out);
  Step NextDrain(std::string_view* input, OutputBuffer* out);
  Step RefuseWholeBody(OutputBuffer* out);
  Reply BodyRefusal() const;
  // server_chunks.cc
  Step HandleBdat(OutputBuffer* out);
  Reply WhyNoChunk() const;
  void RefuseChunk(const Reply& refusal, bool counts);
  Step AnswerChunk(const Reply& reply);
  Step NextChunk(std::string_view* input, OutputBuffer* out);
  Step EndChunk(OutputBuffer* out);
  void CompleteBody();
  Step NextDrainedChunk(std::string_view* input, OutputBuffer* out);
  // A message has begun by BDAT, and is not over.
  bool chunks_begun() const { return chunks_ == Chunks::kOpen || chunks_ == Chunks::kFailed; }
  Step Say(const Reply& reply, OutputBuffer* out);
  Step Error(const Reply& reply, OutputBuffer* out);
  Step BadCommand(OutputBuffer* out);
  // Closes for the client's faults.
  Step Disown(const Reply& reply, OutputBuffer* out);
  Step CloseWith(const Reply& reply, OutputBuffer* out);
  void ForgetTransaction();

  const ServerSessionOptions* options_;
  State state_ = State::kBanner;
  bool extended_ = false;
  bool greeted_ = false;
  bool transaction_ = false;
  bool disowned_ = false;
  bool secured_ = false;
  bool authenticated_ = false;
  bool secret_dropped_ = false;  // the line that is too long is one of AUTH
  core::AuthMechanism mechanism_ = core::AuthMechanism::kPlain;
  uint8_t auth_failures_ = 0;
  bool utf8_ = false;          // MAIL had SMTPUTF8
  bool rcpt_refused_ = false;  // a RCPT of this transaction was refused
  bool line_dropped_ = false;  // the line in hand is too long: its rest is read and dropped
  bool line_cr_ = false;       // and the octet before was CR
  BodyType body_type_ = BodyType::kUnspecified;
  uint16_t line_size_ = 0;
  uint16_t user_at_ = 0;  // of the credentials, in line_
  uint16_t user_size_ = 0;
  uint16_t password_at_ = 0;
  uint16_t password_size_ = 0;
  uint32_t recipients_ = 0;     // accepted in this transaction
  uint32_t errors_ = 0;         // since the last accepted message
  uint32_t idle_commands_ = 0;  // likewise
  uint32_t transactions_ = 0;
  uint64_t drained_ = 0;
  Chunks chunks_ = Chunks::kNone;
  bool last_chunk_ = false;
  bool chunk_error_ = false;    // the refusal of the chunk in hand counts against the client
  bool scans_drained_ = false;  // and what is wrong with the content is found out to its end
  uint64_t chunk_size_ = 0;
  uint64_t chunk_left_ = 0;  // of it, still to come
  Reply chunk_refusal_;      // what the chunk in hand will be answered with
  Command command_;
  std::string_view chunk_;
  BodyScanner scanner_;
  // The beginning of a line that came in pieces; the credentials, when it has none; or the text of
  // a refusal that waits for the end of its chunk.
  char line_[core::kSmtpCommandLineMax];
};

// An idle session must leave room in its 4 KiB for the connection and its operations.
static_assert(sizeof(ServerSession) <= 512 + core::kSmtpCommandLineMax);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_SERVER_SESSION_H_
