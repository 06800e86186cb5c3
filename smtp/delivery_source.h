// DeliverySource: where the client driver (smtp/client_connection.h) gets its mail, and whom it
// tells.
//
// smtp knows no queue: the driver opens a connection, speaks, and asks this interface for
// transactions one after another; queue implements it, one source per connection. All calls are on
// the shard's thread: from the loop, or from inside ClientConnection::Poke and OfferWindow; never
// from inside its other functions.
#ifndef OUTBOX_SMTP_DELIVERY_SOURCE_H_
#define OUTBOX_SMTP_DELIVERY_SOURCE_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "io/tls_stream.h"
#include "smtp/client_session.h"

namespace outbox::smtp {

// One transaction. All views stay valid until OnTransactionDone; a prefix of more than
// core::kClientPrefixCopyMax octets also until the body's first window has been released.
struct DeliveryRequest {
  ClientEnvelope envelope;  // `size`, if known: octets of prefix and body, as BDAT counts them
  std::string_view
      prefix;  // header fields that go before the body: whole lines in wire form, may be ""
  uint64_t stuffed_dots = 0;  // of the body; only those of 0 are taken to have none
  uint64_t cookie = 0;        // the source's own name for it
  // Of the message, for who keeps it as a file, and must know one that it has already.
  uint64_t message_id = 0;
  int64_t accepted_wall_ns = 0;
  bool may_repeat = false;  // it may have been taken before: the answer was lost
};

// A piece of the body in wire form, lent until ReleaseWindow. The body is what smtp/body_scanner.h
// calls the wire form of a message: the last window's last bytes are CRLF.CRLF (or the body is
// ".CRLF").
struct BodyWindow {
  std::span<const char> bytes;
  uint64_t token = 0;  // the source's own name for it
  bool last = false;   // no window comes behind it
};

enum class NextAnswer : uint8_t {
  kYes,    // the out parameter is filled
  kLater,  // nothing now: ClientConnection::Poke (transactions) or OfferWindow (windows) will
           // follow
  kNo,     // transactions: no more, QUIT; windows: the body cannot be had, the session is given up
};

class DeliverySource {
 public:
  virtual ~DeliverySource() = default;

  // The session is encrypted; or the handshake has failed, and `error` says why (else empty). A
  // session that need not be encrypted then begins again without, by itself.
  virtual void OnTls(const io::TlsFacts& /*facts*/, std::string_view /*error*/) {}
  // The host knows who we are, by this mechanism. That it does not is the session's end.
  virtual void OnAuthenticated(core::AuthMechanism /*mechanism*/) {}
  // The session takes a transaction: when it is ready, after each transaction, and, with
  // PIPELINING, as soon as the last window of the current body is being sent (then the two overlap:
  // the results of the one in hand come later). After kLater the connection stays open until its
  // idle limit.
  virtual NextAnswer NextTransaction(DeliveryRequest* request) = 0;
  // The next window of the body of `cookie`, in order, the first one after the server's 354.
  virtual NextAnswer NextWindow(uint64_t cookie, BodyWindow* window) = 0;
  // The window's bytes are no longer read. Comes exactly once for each window given, always before
  // OnSessionEnd, and maybe after OnTransactionDone.
  virtual void ReleaseWindow(uint64_t cookie, uint64_t token) = 0;
  // Recipient `recipient` of the envelope is decided; exactly once for each one of each
  // transaction.
  virtual void OnResult(uint64_t cookie, uint16_t recipient, const RecipientResult& result) = 0;
  // All recipients have been decided. Windows of it may still be out (a server that refuses early).
  virtual void OnTransactionDone(uint64_t cookie) = 0;
  // The session is over and the connection closed: the last call; the ClientConnection may be
  // destroyed in it. `stage` is where it ended; the reply is the server's when there was one (code
  // 0 otherwise: the text is ours).
  virtual void OnSessionEnd(SessionEnd end, Stage stage, const Reply& reply) = 0;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_DELIVERY_SOURCE_H_
