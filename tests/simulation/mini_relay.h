// MiniRelay: the smallest relay that keeps its promises, to test the simulation itself with.
//
// One file a recipient, synced before the 250; one connection a delivery; one shard. It is slow and
// simple enough to be right by reading. With a fault it breaks one promise, and a simulation that
// does not notice is no simulation.
#ifndef OUTBOX_TESTS_SIMULATION_MINI_RELAY_H_
#define OUTBOX_TESTS_SIMULATION_MINI_RELAY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/sim_io.h"
#include "tests/simulation/relay.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::simulation {

enum class MiniRelayFault {
  kNone,
  kAcknowledgeEarly,  // 250 before the file is synced
  kForgetDeferred,    // a 4xx is the end
  kForgetDone,        // a delivered message stays on the disk
  kRetryAtOnce,       // does not wait for its time
  kCutContent,        // loses the last line of some messages
  kBounceTwice,       // two DSNs for one recipient
  kBounceDeferred,    // a 4xx is refused for good
};

class MiniRelay : public Relay {
 public:
  MiniRelay(io::SimWorld* world, const RelayOptions& options, MiniRelayFault fault);
  ~MiniRelay() override;

  void Start() override;
  bool ready() const override { return server_ != nullptr; }
  void Vanish() override;
  void Stop() override;
  bool stopped() const override { return io_ == nullptr; }
  RelayCounters Counters() const override;
  int64_t commit_ns() const override { return core::kNsPerMinute; }
  std::set<std::string> Queued() override;

 private:
  struct Item {
    uint64_t number = 0;  // its file
    std::string sender;
    std::string recipient;
    int64_t accepted_wall_ns = 0;
    std::string content;
    size_t host = 0;  // of its route: the one to try
  };
  class Steps;

  std::string PathOf(uint64_t number) const;
  void Run(std::unique_ptr<Steps> steps);
  void Recover();
  void ReadNext();
  void Listen();
  void OnMessage(const TakenMessage& message, ScriptedServer::Verdict verdict);
  void Store(const Item& item, bool sync, std::function<void(bool)> done);
  void Forget(uint64_t number);
  void Attempt(uint64_t number);
  void OnResult(uint64_t number, const ClientResult& result);
  void Later(uint64_t number);
  void BounceMessage(uint64_t number, const std::string& reply);
  std::string Dsn(const Item& item, const std::string& reply) const;

  io::SimWorld* world_;
  RelayOptions options_;
  MiniRelayFault fault_;
  std::unique_ptr<io::SimIo> io_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<ScriptedClient> client_;
  std::vector<std::unique_ptr<Steps>> steps_;
  std::map<uint64_t, Item> items_;
  std::vector<io::FileInfo> files_;  // at recovery: those still to read
  uint64_t last_number_ = 0;
  RelayCounters counters_;
  std::shared_ptr<int> alive_;  // of this life
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_MINI_RELAY_H_
