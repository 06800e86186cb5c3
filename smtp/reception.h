// Reception: whom the server driver (smtp/server_connection.h) asks, and where it leaves the mail.
//
// smtp knows no queue: it speaks the protocol and leaves every decision (may this client, this
// sender, this recipient; is it durable) to these two interfaces, which queue implements. All calls
// are on the shard's thread.
//
// A question is answered by returning a Reply, or by returning nothing and calling
// ServerConnection::Answer later, never from inside the question itself. One question is open at a
// time. Strings handed over are valid during the call only. The text of a returned Reply must stay
// valid until the next call into the same object.
#ifndef OUTBOX_SMTP_RECEPTION_H_
#define OUTBOX_SMTP_RECEPTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/ip_address.h"
#include "io/tls_stream.h"
#include "smtp/body_scanner.h"
#include "smtp/command.h"
#include "smtp/reply.h"
#include "smtp/server_session.h"

namespace outbox::smtp {

class ServerConnection;

// Now, or (nullopt) later by ServerConnection::Answer.
using MaybeReply = std::optional<Reply>;

struct MailRequest {
  Path reverse_path;           // may be null
  uint64_t declared_size = 0;  // SIZE=; 0: not declared
  BodyType body = BodyType::kUnspecified;
  bool smtp_utf8 = false;  // the client says that mail of this transaction may need SMTPUTF8
  DsnReturn ret = DsnReturn::kUnspecified;
  std::string_view envid = {};  // xtext; empty: not given
};

// How body storage stands after it took bytes.
enum class BodyState : uint8_t {
  kMore,    // go on
  kWait,    // the bytes were taken, but no more now: ServerConnection::ResumeBody() says when
  kFailed,  // cannot be stored: gets no more bytes; Finish is still called, and must refuse
};

// How a client's session ended, as statistics have it.
enum class ServerEnd : uint8_t {
  kOther,    // in good order, or the client left
  kTimeout,  // it kept silent, or did not read, for too long
  kFaults,   // closed for what it sent
};

// One client connection's mail. Made by Reception::Admit, ended by OnClosed.
//
// Order of calls: (OnHello | OnTls | OnAuth)* ( OnMail ( OnRcpt* OnData ( BodySpace? Append* )*
// Finish )? | Abort )* OnClosed. A transaction begins when OnMail is answered with 2xx and ends
// with the answer to Finish or with Abort.
class ReceptionSession {
 public:
  virtual ~ReceptionSession() = default;

  // The name that the client gave itself. `extended`: by EHLO.
  virtual void OnHello(std::string_view name, bool extended) = 0;
  // TLS is on, and whatever OnHello has said is forgotten; or the handshake has failed, and `error`
  // says why. No transaction is open.
  virtual void OnTls(const io::TlsFacts& /*facts*/, std::string_view /*error*/) {}
  // 235: the client is who it says, until OnTls. Otherwise a refusal. Asked where the listener's
  // sessions offer AUTH. No transaction is open.
  virtual MaybeReply OnAuth(const Credentials& credentials);
  // 250 or a refusal.
  virtual MaybeReply OnMail(const MailRequest& request) = 0;
  virtual MaybeReply OnRcpt(const Path& forward_path, const RecipientDsn& dsn) = 0;
  // 354, or a refusal (452 4.3.1: no space). Asked only when a recipient was accepted. A refusal
  // does not end the transaction.
  virtual MaybeReply OnData() = 0;

  // The next bytes of the message in wire form (smtp/body_scanner.h), to be copied during the call.
  virtual BodyState Append(std::string_view bytes) = 0;
  // Memory to receive the next bytes of a larger message into, without a copy. Empty: none now,
  // bytes come by Append. The memory stays the driver's until it calls
  // AppendDirect, OnClosed or Abort (after which it is no longer written to).
  virtual std::span<char> BodySpace() { return {}; }
  // The first `size` bytes of the last BodySpace are the next bytes of the message. size may be 0:
  // the space was not used.
  virtual BodyState AppendDirect(size_t size);

  // All bytes of the message have been given. The reply must wait for durability: 250 when
  // committed, a 4xx or 5xx otherwise. Ends the transaction when answered.
  virtual MaybeReply Finish(const BodySummary& summary) = 0;
  // The transaction is over without a message: RSET, a new EHLO, or a message that was refused for
  // its form or size. May come instead of further Append calls. Not called for a disconnect.
  virtual void Abort() = 0;
  // The connection is gone, and with it the open transaction, if any: the last call. When Finish is
  // waiting for its answer the message may still be committed; the client will not learn it.
  virtual void OnClosed(ServerEnd end) = 0;
};

// One per listener and shard.
class Reception {
 public:
  virtual ~Reception() = default;

  struct Admission {
    ReceptionSession* session = nullptr;  // null: refused
    Reply refusal;                        // 421 or 554, when refused
  };
  // A client has connected from `peer` to `local`. `connection` is for answers; it lives until
  // OnClosed has returned.
  virtual Admission Admit(const core::SocketAddress& peer, const core::SocketAddress& local,
                          ServerConnection* connection) = 0;
};

inline MaybeReply ReceptionSession::OnAuth(const Credentials&) {
  return Reply{454, {4, 7, 0}, "Nobody can be authenticated now"};
}

inline BodyState ReceptionSession::AppendDirect(size_t) { return BodyState::kFailed; }

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_RECEPTION_H_
