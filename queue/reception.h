// ShardReception: the shard's answer to its clients: who may send what, and when it is safe.
//
// Implements smtp::Reception for one listener. Decides admission (connection limits), relaying
// (only for the networks in relay_from, and for who has authenticated itself, queue/client_login.h;
// mail for local mailboxes is taken from everybody), room
// (452 when the store or memory has none), routes every recipient, and says 250 to the final dot
// only when the store has committed the message.
//
// Sessions are pooled like drafts; an idle one is a few hundred bytes. Shard-local.
#ifndef OUTBOX_QUEUE_RECEPTION_H_
#define OUTBOX_QUEUE_RECEPTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "io/io.h"
#include "queue/authenticator.h"
#include "queue/client_limits.h"
#include "queue/draft.h"
#include "queue/mailbox_asker.h"
#include "queue/router.h"
#include "queue/shard_log.h"
#include "queue/signing_line.h"
#include "queue/store.h"
#include "smtp/reception.h"

namespace outbox::queue {

// Whether there is room for new mail besides the disk: the shard knows.
class RoomGauge {
 public:
  virtual ~RoomGauge() = default;
  // Null: yes. Otherwise why not, as a sentence for the client.
  virtual const char* WhyNoRoom() const = 0;
};

struct ReceptionContext {
  io::Io* io = nullptr;
  Store* store = nullptr;
  DraftPool* drafts = nullptr;
  const SigningLine* signing = nullptr;
  ClientLimits* clients = nullptr;
  Authenticator* authenticator = nullptr;
  const std::shared_ptr<const Router>* router = nullptr;  // of today
  ShardLog* log = nullptr;
  const RoomGauge* room = nullptr;
  MailboxAsker* asker = nullptr;  // for routers whose local mailboxes must be asked for
  std::string hostname;
  bool at_unix_sockets = true;  // this shard listens there, which one alone can
};

class ShardReception : public smtp::Reception {
 public:
  ShardReception(const ReceptionContext& context, const core::ListenerConfig& listener);
  ShardReception(const ShardReception&) = delete;
  ShardReception& operator=(const ShardReception&) = delete;
  // REQUIRES: no session is open.
  ~ShardReception() override;

  Admission Admit(const core::SocketAddress& peer, const core::SocketAddress& local,
                  smtp::ServerConnection* connection) override;

  uint32_t sessions() const { return sessions_; }

 private:
  class Session;

  bool MayRelay(const core::IpAddress& client) const;
  void Free(Session* session);

  const ReceptionContext context_;
  const core::ListenerConfig listener_;
  uint32_t sessions_ = 0;
  std::vector<std::unique_ptr<Session>> free_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_RECEPTION_H_
