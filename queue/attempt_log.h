// AttemptLog: who writes down what each attempt came to.
//
// The owner of a destination is the one that has the words of the peer and, in the window, the
// addresses; so it tells them, recipient by recipient, as they are decided. Home's own events
// (deferred until when, bounced, expired) follow under the same id. Called on the owner's shard.
#ifndef OUTBOX_QUEUE_ATTEMPT_LOG_H_
#define OUTBOX_QUEUE_ATTEMPT_LOG_H_

#include <cstdint>
#include <string_view>

#include "core/auth_mechanism.h"
#include "io/tls_stream.h"
#include "queue/ticket.h"
#include "smtp/reply.h"

namespace outbox::queue {

class DeliveryLink;

// What a reply of its hosts has come to for a site: `on_reply`. Zeros: not that.
struct SiteLowered {
  std::string_view site;  // its name
  std::string_view mailhost;
  const smtp::Reply& reply;
  int64_t interval_ns = 0;    // between two messages from now on
  uint32_t connections = 0;   // at a time
  int64_t lower_for_ns = 0;   // how long these two last
  int64_t suspended_for_ns = 0;
};

class AttemptLog {
 public:
  virtual ~AttemptLog() = default;
  // A session with a host is ready, so long after the connection was begun; it is over, after so
  // many transactions.
  virtual void OnConnected(std::string_view /*mailhost*/, int64_t /*took_ns*/,
                           const io::TlsFacts& /*tls*/) {}
  // A TLS handshake has failed; what becomes of the mail is told by others.
  virtual void OnTlsFailed(std::string_view /*mailhost*/, std::string_view /*why*/) {}
  // The host has taken our user; or has not, or could not be told: the reply says why.
  virtual void OnAuthenticated(std::string_view /*mailhost*/, std::string_view /*user*/,
                               core::AuthMechanism /*mechanism*/) {}
  virtual void OnAuthFailed(std::string_view /*mailhost*/, std::string_view /*user*/,
                            const smtp::Reply& /*reply*/) {}
  virtual void OnDisconnected(std::string_view /*mailhost*/, uint32_t /*transactions*/,
                              std::string_view /*how*/) {}
  // A transaction with so many of the ticket's recipients begins.
  virtual void OnSending(const Ticket& /*ticket*/, std::string_view /*mailhost*/,
                         size_t /*recipients*/) {}
  // A host has taken the message for one recipient of the ticket, in an attempt that has begun at
  // `began_ns` (steady).
  virtual void OnDelivered(const Ticket& ticket, std::string_view sender,
                           std::string_view recipient, std::string_view mailhost,
                           const smtp::Reply& reply, int64_t began_ns,
                           const io::TlsFacts& tls) = 0;
  // A host has said something else about one recipient of the ticket, or the connection was lost
  // before it did (then result.code is 0).
  virtual void OnRecipient(const Ticket& ticket, std::string_view sender,
                           std::string_view recipient, std::string_view mailhost, Verdict verdict,
                           const RecipientResult& result) = 0;
  // It has to go with its plain return path, though its route wants VERP.
  virtual void OnNoVerp(const Ticket& /*ticket*/, std::string_view /*sender*/,
                        std::string_view /*recipient*/, std::string_view /*why*/) {}
  // That was all that a host has to say about the ticket: `session` has the lines. `failure`: the
  // words of what failed; null: nothing did.
  virtual void OnTalk(const Ticket& /*ticket*/, std::string_view /*mailhost*/,
                      const DeliveryLink& /*session*/, const RecipientResult* /*failure*/) {}
  // A host could not be reached, or would not talk to us; `result` holds the words.
  virtual void OnHostFailed(const Ticket& ticket, std::string_view mailhost,
                            const RecipientResult& result) = 0;
  // A connection was not made because this machine is short of something; the host was not asked.
  virtual void OnShortage(std::string_view /*text*/) {}
  // Likewise, since this machine does not have the address to send from. Told as often as it is
  // met.
  virtual void OnSourceLost(std::string_view /*text*/) {}
  // A reply has lowered what a site gets.
  virtual void OnSiteLowered(const SiteLowered& /*fact*/) {}
  // That has ended by itself.
  virtual void OnSiteRecovered(std::string_view /*site*/) {}
  // The DNS does not know the hosts of its destination for now; it is asked again at
  // until_ns (steady).
  virtual void OnUnresolved(const Ticket& ticket, std::string_view destination,
                            const RecipientResult& result, int64_t until_ns) = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ATTEMPT_LOG_H_
