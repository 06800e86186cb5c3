// ScriptedServer: an SMTP server whose behaviour is a table: the relay's next hop in a simulation.
//
// Without rules it takes everything, as a good server does. A rule changes what happens at one
// point of the dialogue: another reply, a delay, silence, an end of the connection. Every message
// that it takes is recorded, with how its session ended, for the ledger.
#ifndef OUTBOX_TESTS_SIMULATION_SCRIPTED_SERVER_H_
#define OUTBOX_TESTS_SIMULATION_SCRIPTED_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/simulation/line_peer.h"

namespace outbox::simulation {

struct ScriptRule {
  enum class Then {
    kGoOn,
    kClose,  // after the reply
    kReset,  // after the reply has been handed to the kernel, or at once if there is none
    kStall,  // says and reads nothing any more
  };
  // The beginning of the command line, in any case: "RCPT TO:<a@b", "EHLO". Points that are no
  // command: "connect", "body" (the content begins to arrive: mostly no reply), "." (it is
  // complete). "BDAT" is its answer to one with recipients.
  std::string at;
  std::string reply;        // whole lines without the last CRLF; empty: none, unless keep_reply
  bool keep_reply = false;  // the reply is the one that comes without this rule
  int64_t delay_ns = 0;
  Then then = Then::kGoOn;
  uint32_t chance_ppm = 1'000'000;
  int times = -1;  // how often it applies; -1: always
};

struct Script {
  std::string name = "peer.example";
  std::vector<std::string> extensions = {"PIPELINING", "8BITMIME", "SIZE 100000000"};
  std::vector<ScriptRule> rules;  // the first that matches applies
  size_t recipients_max = SIZE_MAX;  // of a transaction; those beyond get too_many_reply
  std::string too_many_reply = "452 4.5.3 too many recipients";
  // LMTP: LHLO, and behind the content a reply for each recipient: "250", or that of a rule at
  // ". <address>".
  bool lmtp = false;
  // AUTH in one command is taken (235) unless a rule refuses it; without it no mail is.
  bool needs_auth = false;
};

// A message that the server said 250 to, or was about to.
struct TakenMessage {
  uint64_t session = 0;
  core::IpAddress client;  // where it came from, and
  std::string helo;        // what it was called there: the last EHLO, HELO or LHLO
  std::string reverse_path;
  std::vector<std::string> recipients;  // those it accepted
  // What stood behind the paths: of MAIL, and of these recipients.
  std::string asks;
  std::vector<std::string> recipients_ask;
  bool dsn = false;  // the server offers DSN
  std::string content;                  // wire form, without the final ".CRLF"
  std::string auth;                     // the AUTH command of its session that was taken
  int64_t taken_ns = 0;
  // The session went on to its QUIT: the client has read our 250. Without it a duplicate is no
  // fault.
  bool clean = false;
};

// What a recipient was told in answer to RCPT.
struct RecipientAnswer {
  uint64_t session = 0;
  std::string recipient;
  std::string reply;
  int64_t said_ns = 0;
  bool clean = false;  // as in TakenMessage: the client has read it
};

class ScriptedServer {
 public:
  // Decides the fate of a complete message later: call the function with the reply, once. When it
  // is not set, every message is taken at once with 250.
  using Verdict = std::function<void(std::string reply)>;
  using OnMessage = std::function<void(const TakenMessage& message, Verdict verdict)>;

  // A transaction was refused with 5xx behind its RCPTs.
  using OnRefused = std::function<void(const std::vector<std::string>& recipients)>;

  // Listens at once. The Io must be abandoned before this is destroyed.
  ScriptedServer(io::SimIo* io, const core::SocketAddress& address, Script script);
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer();

  Script& script() { return script_; }
  const core::SocketAddress& address() const { return address_; }
  void set_on_message(OnMessage on_message) { on_message_ = std::move(on_message); }
  void set_on_refused(OnRefused on_refused) { on_refused_ = std::move(on_refused); }

  const std::vector<TakenMessage>& taken() const { return taken_; }
  const std::vector<RecipientAnswer>& answers() const { return answers_; }
  size_t open_sessions() const { return sessions_.size(); }
  size_t open_sessions_peak() const { return open_peak_; }
  uint64_t sessions_total() const { return sessions_total_; }
  // What a client did that RFC 5321 or RFC 2920 forbids.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  class Session;

  void OnAccept(const io::OpResult& result);
  void Reap();
  Session* Find(uint64_t id);
  ScriptRule* Match(std::string_view at);

  io::SimIo* io_;
  core::SocketAddress address_;
  Script script_;
  io::Socket listener_;
  io::Op accept_;
  OnMessage on_message_;
  OnRefused on_refused_;
  std::map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<TakenMessage> taken_;
  std::vector<RecipientAnswer> answers_;
  std::vector<std::string> violations_;
  uint64_t sessions_total_ = 0;
  size_t open_peak_ = 0;
  bool reap_scheduled_ = false;
  // What the world still has to do for an object that is gone is not done.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_SCRIPTED_SERVER_H_
