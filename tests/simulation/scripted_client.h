// ScriptedClient: an application that hands mail to a relay over SMTP in a simulation.
//
// Each message gets a connection of its own; any number may be under way. Knows exactly what it was
// promised: the reply to every recipient and to the final dot, or that there was none.
#ifndef OUTBOX_TESTS_SIMULATION_SCRIPTED_CLIENT_H_
#define OUTBOX_TESTS_SIMULATION_SCRIPTED_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "io/sim_io.h"
#include "io/sim_world.h"

namespace outbox::simulation {

struct ClientMessage {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::string content;  // wire form without the final ".CRLF"; empty or ending in CRLF
  // Parameters of RFC 3461, said to a server that offers them: of MAIL, and of the recipients. ""
  // or " NOTIFY=NEVER"; fewer than there are recipients: the others have none.
  std::string asks = {};
  std::vector<std::string> recipients_ask = {};

  std::string AsksFor(size_t recipient) const {
    return recipient < recipients_ask.size() ? recipients_ask[recipient] : "";
  }
};

// How a client behaves with one message.
struct ClientScript {
  bool pipelining = true;  // if it is offered
  enum class Abort {
    kNever,
    kAfterConnect,
    kInEnvelope,
    kInContent,
    kAfterDot
  } abort = Abort::kNever;
  int64_t timeout_ns = 10 * core::kNsPerMinute;  // of the whole transaction
  bool smtp_utf8 = false;                        // MAIL says SMTPUTF8
};

struct ClientResult {
  std::vector<std::string> recipient_replies;  // first lines; empty where none came
  std::string last_reply;     // to the final dot, or the one that ended the transaction before
  bool dot_sent = false;      // everything was sent: the message may have been taken
  bool acknowledged = false;  // 2xx to the final dot
  bool asked = false;         // the server has DSN, and was told the parameters
};

class ScriptedClient {
 public:
  using Done = std::function<void(const ClientResult& result)>;

  // The Io must be abandoned before this is destroyed.
  explicit ScriptedClient(io::SimIo* io);
  ScriptedClient(const ScriptedClient&) = delete;
  ScriptedClient& operator=(const ScriptedClient&) = delete;
  ~ScriptedClient();

  // `done` comes exactly once, unless the Io is abandoned before.
  void Send(const core::SocketAddress& server, const ClientMessage& message,
            const ClientScript& script, Done done);
  size_t under_way() const { return transactions_.size(); }
  // Connections to this server that are open or being opened.
  size_t connections(const core::SocketAddress& server) const;

 private:
  class Transaction;

  Transaction* Find(uint64_t id);
  void Reap();

  io::SimIo* io_;
  std::map<uint64_t, std::unique_ptr<Transaction>> transactions_;
  uint64_t last_id_ = 0;
  bool reap_scheduled_ = false;
  // What the world still has to do for an object that is gone is not done.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_SCRIPTED_CLIENT_H_
