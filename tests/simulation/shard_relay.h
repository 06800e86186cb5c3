// ShardRelay: the product in the simulation: its shards, on one thread, as the daemon puts them
// together.
//
// In half of the seeds every route is a list of addresses; in the others the hosts have names, and
// the routes go by MX or by names, with a name server that fails now and then (never with an answer
// that would be permanent: what may bounce is the ledger's to say).
//
// Every life may have another number of shards, so that left-over logs are adopted. A process that
// dies runs no destructors: what belonged to its shards is left where it lies (a seed runs in a
// process of its own).
#ifndef OUTBOX_TESTS_SIMULATION_SHARD_RELAY_H_
#define OUTBOX_TESTS_SIMULATION_SHARD_RELAY_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "queue/shard.h"
#include "tests/dns/sim_name_server.h"
#include "tests/simulation/mail_signatures.h"
#include "tests/simulation/relay.h"
#include "tests/simulation/relay_sources.h"

namespace outbox::simulation {

class ShardRelay : public Relay, public queue::ShardObserver {
 public:
  ShardRelay(io::SimWorld* world, const RelayOptions& options);
  ~ShardRelay() override;

  void Start() override;
  bool ready() const override;
  void Vanish() override;
  void Stop() override;
  bool stopped() const override;
  RelayCounters Counters() const override;
  // Delivered goes with the next batch; a disk that fails is tried again every second or so.
  int64_t commit_ns() const override { return core::kNsPerMinute; }
  std::set<std::string> Queued() override;
  std::optional<std::vector<std::string>> Archive() const override;
  std::string WrongWith(const TakenMessage& message) const override {
    return signatures_ == nullptr ? std::string() : signatures_->WrongWith(message);
  }

  size_t sources() const override { return sources_->count(); }
  bool has_operator() const override { return true; }
  void Retry(const std::string& domain) override;
  void Hold(const std::string& domain) override;
  void Release() override;
  void Remove(const std::string& recipient, std::function<void(bool removed)> done) override;
  void Clear(const std::string& domain) override;
  void Reroute(const std::string& recipient, const std::string& to,
               std::function<void(bool done)> done) override;
  void Purge(const std::string& recipient, int64_t undo_ns,
             std::function<void(bool purged)> done) override;
  void Undo(const std::string& recipient, std::function<void(bool undone)> done) override;
  void Bounce(const std::string& recipient) override;
  void Reload() override;
  void Look(const std::string& domain) override;
  void Heal() override;

  void OnShardReady(uint32_t shard, const core::Status& status) override;

 private:
  struct Life;

  void MakeConfig(const RelayOptions& options);
  // The route by names instead of addresses.
  void NameHosts(const RelayRoute& route, core::RouteConfig* made);
  // All outgoing mail is copied to a Maildir on the relay's disk.
  void KeepArchive();
  // The configuration without the routes that are gone for a while.
  std::shared_ptr<const core::Config> Today() const;
  // Something goes wrong with the name server, or is well again; and so on.
  void ChangeNames();

  io::SimWorld* world_;
  int shards_max_;
  core::Config config_;
  uint32_t connections_out_ = UINT32_MAX;       // of a shard
  std::unique_ptr<dns::SimNameServer> names_;   // null: nobody needs it
  std::set<std::string> named_;                 // hosts that it knows
  std::unique_ptr<MailSignatures> signatures_;  // null: nothing is ever signed
  std::unique_ptr<RelaySources> sources_;
  std::set<std::string> dropped_;               // domains whose routes are gone
  bool healed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Life> life_;
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_SHARD_RELAY_H_
