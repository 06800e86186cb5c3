// What the client's side of a dialogue leads to: a result for every recipient, and an end.
#ifndef OUTBOX_SMTP_DELIVERY_RESULT_H_
#define OUTBOX_SMTP_DELIVERY_RESULT_H_

#include <cstdint>

#include "smtp/reply.h"

namespace outbox::smtp {

// What became of one recipient.
enum class ResultKind : uint8_t {
  kReply,     // the server's reply decides: 2xx delivered, 4xx, 5xx
  kTryNext,   // 452 or 552 behind an accepted recipient: offer it again, in the next transaction
  kTooLarge,  // nothing was sent: larger than the SIZE that the server offers. Permanent here
  kNeeds8BitMime,  // nothing was sent: 8-bit content, and the server does not offer 8BITMIME
  kNeedsSmtpUtf8,  // nothing was sent: UTF-8 where ASCII is needed without SMTPUTF8 (RFC 6531)
  kAnew,  // nothing was decided: the server offers CHUNKING and does not know BDAT. Offer it again,
          // ClientEnvelope::by_data, in another session
  kLost,           // the session ended before a reply (see stage, and the session's end)
};

// What a reply, or its absence, was about.
enum class Stage : uint8_t {
  kConnect,  // the driver's: no connection
  kGreeting,
  kHello,  // EHLO, HELO
  kStartTls,
  kTls,  // the handshake
  kAuth,
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
  // The server has DSN, and was told what the envelope asks for: it answers for that from now on.
  bool told_dsn = false;
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
  // No connection, and the server has nothing to do with it: this machine is short of descriptors
  // or memory; it has no port left towards this server.
  kShortage,
  kNoPort,
  // Likewise: the address that it was to be sent from is not this machine's, or not of the server's
  // family.
  kNoAddress,
  // The session was to be encrypted: the handshake has failed; the server does not offer it.
  kTlsFailed,
  kTlsMissing,
  // The server was to know who we are: it has refused us, or what it said made no sense (then the
  // text is ours, and no code is there); there is no way to tell it.
  kAuthRefused,
  kAuthMissing,
  kNoChunking,  // the server offers CHUNKING and does not know BDAT: another session, with DATA
};
const char* SessionEndName(SessionEnd end);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_DELIVERY_RESULT_H_
