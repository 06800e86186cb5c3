// ShardStory: one or more whole shards in a simulated world, for tests that tell a short story.
//
// A story adds scripted servers (each the static route of its domain), starts the relay, hands it
// mail, lets time pass and looks at what arrived. Stopping and starting again goes on with the same
// disk. The ledger must add up whenever time has passed, and from one life to the next. Finish() is
// the end of every story: the ledger must agree with the listing as well, the relay must stop, and
// nobody may have broken the protocol.
#ifndef OUTBOX_TESTS_SCENARIO_SHARD_STORY_H_
#define OUTBOX_TESTS_SCENARIO_SHARD_STORY_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/metrics.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "queue/explain.h"
#include "queue/queue_counter.h"
#include "queue/queue_lister.h"
#include "queue/shard.h"
#include "queue/site.h"
#include "queue/site_lister.h"
#include "queue/suspension_list.h"
#include "tests/dns/sim_name_server.h"
#include "tests/simulation/relay.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::queue {

// Who writes, unless the story says otherwise.
inline constexpr char kSender[] = "alice@sender.example";

class ShardStory : public ShardObserver {
 public:
  explicit ShardStory(uint32_t shards);
  ~ShardStory() override;

  // --- Before Start ---
  // [delivery]'s periods and connections are those of every route.
  core::Config& config() { return config_; }
  // What listeners and routes with TLS need.
  void SetCertificates(ShardTls tls) { tls_ = std::move(tls); }
  // A server for mail to *@domain. May be called later if the relay starts again after it.
  simulation::ScriptedServer* AddServer(const std::string& domain,
                                        std::vector<simulation::ScriptRule> rules = {});
  // An LMTP server at a unix socket, for [local] or a route.
  simulation::ScriptedServer* AddLmtp(const std::string& path,
                                      std::vector<simulation::ScriptRule> rules = {});
  // A further host of the domain's route, behind those that it has.
  simulation::ScriptedServer* AddHost(const std::string& domain,
                                      std::vector<simulation::ScriptRule> rules = {});
  // A route to an address at which nobody listens.
  void AddDeadRoute(const std::string& domain);
  // A server at the address of the domain's last host, where nobody listened.
  simulation::ScriptedServer* Revive(const std::string& domain);

  // The DNS, which the relay asks from the start if this was called before.
  dns::SimNameServer& names();
  // A server that the MX records of the domain name, with this preference.
  simulation::ScriptedServer* AddMx(const std::string& domain, uint16_t preference,
                                    const std::string& host,
                                    std::vector<simulation::ScriptRule> rules = {});
  // The same, at an address at which nobody listens.
  void AddDeadMx(const std::string& domain, uint16_t preference, const std::string& host);

  void Start();
  // An orderly stop, as the daemon does it. False: it did not come to its end.
  bool Stop();
  // The power fails; the disk keeps what was durable. Start again after it.
  void Crash();
  // kill -9: what the system was given it keeps, for as long as it has power. Likewise.
  void Kill();
  // What config() says now takes the place of what runs, as a reload of the daemon does it.
  void Reload();
  // What an operator has suspended, from now on and in later lives.
  void SetSuspensions(std::vector<Suspension> all);
  // The sites that mail goes to, of all shards, by name.
  std::map<std::string, SitePart> SiteParts();
  // The table that the shards of this life share.
  SiteTable& site_table();
  // Gives a command to all shards and waits for its end.
  CommandCounts Command(QueueOrder order, const QueueFilter& filter,
                        const OrderDetails& details = {});
  CommandCounts Redirect(const RouteOrder& order, const QueueFilter& filter);
  // The same without waiting; nobody hears the end.
  void StartRedirect(const RouteOrder& order, const QueueFilter& filter);
  // What `outbox why` knows of the recipients that are meant.
  std::vector<RecipientFacts> Explain(const QueueFilter& filter);
  // What holds the mail that is ready at this destination, of the shard that sends there.
  std::optional<DestinationView> LookAt(const std::string& key);
  // What a purge would take.
  PurgeFacts Preview(const QueueFilter& filter);
  bool running() const { return life_ != nullptr; }

  // Clients say SMTPUTF8 from now on, or do not.
  void DeclareUtf8(bool declare) { client_script_.smtp_utf8 = declare; }
  // Submits and waits for the answer.
  simulation::ClientResult Send(const std::string& from, const std::vector<std::string>& to,
                                const std::string& content = "Subject: x\r\n\r\nhello\r\n");
  simulation::ClientResult Send(const simulation::ClientMessage& message);
  // Submits; the answer is not waited for.
  void SendLater(const std::string& from, const std::vector<std::string>& to,
                 const std::string& content = "Subject: x\r\n\r\nhello\r\n");
  size_t acknowledged_later() const { return acknowledged_later_; }
  void RunFor(int64_t ns);
  bool RunUntil(const std::function<bool()>& condition, int64_t limit_ns);
  // Until no recipient is queued.
  bool RunUntilEmpty(int64_t limit_ns);

  std::vector<QueueLine> List();
  // As asked; of a sorted one all shards' best lines, in order.
  std::vector<QueueLine> List(const QueueQuery& query);
  // How much is queued, by a column; the groups of all shards by name.
  std::map<std::string, QueueGroup> Census(const QueueFilter& filter,
                                           std::optional<QueueColumn> by);
  // What the last listing left out, summed over the shards.
  ListGaps gaps() const;
  // Starts a listing without waiting; the number of times that each recipient was shown. Who asked
  // reads no further than `lines`, until ReadOn.
  void StartListing(const QueueQuery& query = {}, size_t lines = SIZE_MAX);
  void ReadOn();
  bool ListingDone() const;  // the last one
  bool AllListingsDone() const;
  std::map<std::string, int> Shown() const;
  // In one turn of one shard, by the last listing.
  size_t most_listed_in_a_turn() const;

  // In this life, summed over the shards.
  simulation::RelayCounters Counters() const;
  // The counters add up, as they must at any moment; and what was left at the last stop has been
  // found again, once everything was.
  void CheckLedger();
  int64_t Metric(core::MetricCell core::ShardMetrics::*cell) const;

  // Those of the table that were ever used, in this life. They stay in place.
  std::vector<const Site*> Sites() const;

  // The end of the story; see above. `queued`: recipients that must be left.
  void Finish(uint64_t queued = 0);

  io::SimWorld& world() { return world_; }
  // Where the hosts of the world live.
  io::SimIo& peers() { return peers_; }
  const std::string& events() const { return events_; }
  // In how many pieces they came.
  size_t event_writes() const { return event_writes_; }
  // What was written of attempts that failed; nothing is while the disk refuses.
  const std::string& talks() const { return talks_; }
  void RefuseTalks(bool refuse) { talks_refused_ = refuse; }

  void OnShardReady(uint32_t shard, const core::Status& status) override;

 private:
  CommandCounts Give(const std::function<bool(Shard*, CommandSink*)>& give);
  struct Counting;
  struct Listing;
  struct Life;

  io::SimWorld world_{io::SimOptions{}};
  io::SimIo peers_{&world_, 1};
  io::SimIo client_io_{&world_, 2};
  std::unique_ptr<dns::SimNameServer> names_;
  void LeaveLife();
  simulation::ScriptedServer* AddServerAt(const core::SocketAddress& address,
                                          std::vector<simulation::ScriptRule> rules);
  core::ViaHost NextHost();
  core::RouteConfig& RouteOf(const std::string& domain);
  std::vector<std::unique_ptr<simulation::ScriptedServer>> servers_;
  simulation::ScriptedClient client_{&client_io_};
  simulation::ClientScript client_script_;
  core::Config config_;
  ShardTls tls_;
  std::shared_ptr<const SuspensionList> suspensions_;  // null: nothing
  const uint32_t shards_;
  uint8_t hosts_ = 0;
  size_t ready_ = 0;
  size_t acknowledged_later_ = 0;
  uint64_t left_ = 0;     // recipients that were queued at the last stop
  bool crashed_ = false;  // instead: nobody has counted
  std::string events_;
  size_t event_writes_ = 0;
  std::string talks_;
  bool talks_refused_ = false;
  std::unique_ptr<Life> life_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SCENARIO_SHARD_STORY_H_
