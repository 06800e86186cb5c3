// One run of the simulation; only for its implementation.
#ifndef OUTBOX_TESTS_SIMULATION_SIMULATION_RUN_H_
#define OUTBOX_TESTS_SIMULATION_SIMULATION_RUN_H_

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/scripted_server.h"
#include "tests/simulation/simulation.h"

namespace outbox::simulation {

inline constexpr int kPeerNode = 1;
inline constexpr int kClientNode = 2;
inline constexpr int64_t kUndoNs = 10 * core::kNsPerMinute;
inline constexpr char kDeadDomain[] = "dead.example";  // nobody listens there

class Simulation {
 public:
  Simulation(const SimulationOptions& options, const RelayFactory& factory, FILE* trace)
      : options_(options),
        world_(options.world),
        peers_(&world_, kPeerNode),
        clients_(&world_, kClientNode),
        client_(&clients_),
        // With jumps of the wall clock mail may expire early: its age over a restart is what the
        // clock says.
        ledger_(LedgerOptions{.retry_min_ns = options.relay.retry_ns,
                              .expire_ns = options.wall_jumps > 0 ? 0 : options.relay.expire_ns}) {
    world_.set_trace(trace);
    MakeHosts();
    relay_ = factory(&world_, options_.relay);
    ledger_.set_commit_ns(relay_->commit_ns());
  }
  ~Simulation() {
    relay_.reset();
    clients_.Abandon();
    peers_.Abandon();
  }

  SimulationResult Run();

 private:
  int64_t Within(int64_t duration_ns) {
    return static_cast<int64_t>(world_.random().Below(static_cast<uint64_t>(duration_ns)));
  }
  void MakeHosts();
  Script MakeScript();
  bool RefusesSessions(const core::SocketAddress& address) const;
  ClientMessage MakeMessage(uint64_t id);
  void Ask(ClientMessage* message);
  void Submit(int tries_left);
  void PlanTrouble();
  void PlanDeath();
  void GiveOrder();
  void GiveNewRecipient(const std::string& domain);
  void PurgeOne(const std::string& recipient);
  void UndoOne();
  bool RunUntil(const std::function<bool()>& condition, int64_t limit_ns);
  void CheckCounters();
  void Die();
  void Heal();
  void LetGo();
  bool Settled() const;
  void CheckConnections();
  void Wrong(const std::string& what) { wrong_.push_back(what); }

  SimulationOptions options_;
  io::SimWorld world_;
  io::SimIo peers_;
  io::SimIo clients_;
  ScriptedClient client_;
  Ledger ledger_;
  std::vector<std::unique_ptr<ScriptedServer>> hosts_;
  std::unique_ptr<Relay> relay_;
  bool relay_up_ = false;
  bool death_due_ = false;
  bool death_by_kill_ = false;
  bool start_due_ = false;
  bool healed_ = false;
  int submissions_due_ = 0;
  int deaths_ = 0;
  uint64_t last_message_ = 0;
  std::vector<std::string> recipients_;  // of all that was submitted
  uint64_t new_recipients_ = 0;
  std::vector<std::string> rerouted_;  // addresses that an operator has put in the place of others
  std::vector<std::string> wrong_;
  std::vector<std::string> purged_;  // recipients that were, some time or other
  std::vector<std::string> undone_;
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_SIMULATION_RUN_H_
