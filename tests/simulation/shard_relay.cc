#include "tests/simulation/shard_relay.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/limits.h"
#include "io/sim_disk.h"
#include "io/sim_io.h"
#include "queue/auth_failures.h"
#include "queue/client_limits.h"
#include "queue/queue_lister.h"
#include "queue/shard_mail.h"
#include "queue/site.h"

namespace outbox::simulation {
namespace {

constexpr char kArchiveUser[] = "archive";
constexpr int64_t kListNs = core::kNsPerMinute;

// A listing of all shards.
struct Listing : queue::QueueListSink {
  bool Lines(std::vector<queue::QueueLine> lines) override {
    if (!lines.empty()) message = lines.back().id;
    for (queue::QueueLine& line : lines) recipients.insert(std::move(line.recipient));
    return true;
  }
  bool full() const override { return false; }
  void Done(const queue::ListGaps&) override { ++done; }

  std::set<std::string> recipients;
  uint64_t message = 0;  // one of those that were listed
  size_t done = 0;
};

// A command of an operator to all shards.
struct Order : queue::CommandSink {
  void OnCommandWaits(const queue::CommandCounts&) override {}
  void OnCommandDone(const queue::CommandCounts& counts) override {
    sum += counts;
    if (--left == 0 && report) report(sum);
  }

  queue::CommandCounts sum;
  size_t left = 0;
  std::function<void(const queue::CommandCounts&)> report;
};

// A question about a message that was listed before: the answer, if it is queued still, is about
// that message and says where each of its recipients is.
struct Question : queue::MessageFactsSink {
  void OnMessageFacts(queue::MessageFacts facts) override {
    for (const queue::RecipientFacts& recipient : facts.recipients) {
      CHECK(recipient.line.id == message);
      CHECK(!recipient.line.recipient.empty() && !recipient.destination.empty());
    }
  }

  uint64_t message = 1;  // there is none
};

}  // namespace

// One life of the process.
struct ShardRelay::Life {
  std::vector<std::unique_ptr<io::SimIo>> ios;
  std::unique_ptr<queue::Exchange> exchange;
  std::unique_ptr<queue::SiteTable> sites = std::make_unique<queue::SiteTable>(core::kMaxSites);
  std::unique_ptr<queue::ClientLimits> clients = std::make_unique<queue::ClientLimits>();
  std::unique_ptr<queue::AuthFailures> auth_failures = std::make_unique<queue::AuthFailures>();
  std::vector<std::unique_ptr<core::ShardMetrics>> metrics;
  std::vector<std::unique_ptr<queue::Shard>> shards;
  std::unique_ptr<Listing> listing;
  std::vector<queue::ShardConfig> configs;  // of today, one a shard
  std::vector<std::unique_ptr<Order>> orders;
  std::vector<std::unique_ptr<Listing>> looks;
  std::vector<std::unique_ptr<Question>> questions;

  void Give(queue::QueueOrder order, const queue::QueueFilter& filter,
            std::function<void(const queue::CommandCounts&)> report,
            const queue::OrderDetails& details = {}) {
    Give(
        [order, filter, details](queue::Shard* shard, queue::CommandSink* sink) {
          return shard->operations().Command(order, filter, sink, details);
        },
        std::move(report));
  }
  void Give(const queue::RouteOrder& order, const queue::QueueFilter& filter,
            std::function<void(const queue::CommandCounts&)> report) {
    const auto shared = std::make_shared<const queue::RouteOrder>(order);
    Give(
        [shared, filter](queue::Shard* shard, queue::CommandSink* sink) {
          return shard->operations().Redirect(shared, filter, sink);
        },
        std::move(report));
  }
  void Give(const std::function<bool(queue::Shard*, queue::CommandSink*)>& give,
            std::function<void(const queue::CommandCounts&)> report) {
    orders.push_back(std::make_unique<Order>());
    Order* made = orders.back().get();
    made->left = shards.size();
    made->report = std::move(report);
    for (const auto& shard : shards) {
      shard->Post([give, made](queue::Shard* one) {
        if (!give(one, made)) made->OnCommandDone({});
      });
    }
  }
  size_t ready = 0;
};

ShardRelay::ShardRelay(io::SimWorld* world, const RelayOptions& options)
    : world_(world), shards_max_(options.shards) {
  if (world_->random().Chance(1, 2)) {
    const core::SocketAddress address = {core::IpAddress::V4(10, 2, 0, 53), 53};
    names_ = std::make_unique<dns::SimNameServer>(world_, address);
    config_.resolver.servers = {address};
  }
  MakeConfig(options);
  if (names_ != nullptr) ChangeNames();
  if (world_->random().Chance(1, 3)) KeepArchive();
  if (world_->random().Chance(1, 2)) {
    signatures_ = std::make_unique<MailSignatures>(&world_->random());
  }
  sources_ = std::make_unique<RelaySources>(world_, &config_);
}

void ShardRelay::KeepArchive() {
  core::LocalConfig& local = config_.local;
  local.domains = {"archive.example"};
  local.maildir = "/mail/{user}";
  local.mailboxes = {"nobody"};
  local.periods = config_.delivery.periods;
  config_.archive.to = std::string(kArchiveUser) + "@archive.example";
  config_.archive.notices = world_->random().Chance(1, 2);
  for (core::RouteConfig& route : config_.routes) route.archive = config_.archive.to;
}

std::optional<std::vector<std::string>> ShardRelay::Archive() const {
  if (config_.archive.to.empty()) return std::nullopt;
  io::SimDisk& disk = world_->disk(kRelayNode);
  const std::string place = "/mail/" + std::string(kArchiveUser) + "/new/";
  std::vector<std::string> texts;
  for (const std::string& name : disk.List(place)) texts.push_back(disk.ReadAll(place + name));
  return texts;
}

std::shared_ptr<const core::Config> ShardRelay::Today() const {
  auto today = std::make_shared<core::Config>(config_);
  std::erase_if(today->routes, [this](const core::RouteConfig& route) {
    return dropped_.contains(route.match[0]);
  });
  if (signatures_ != nullptr) today->dkim = signatures_->entries();
  return today;
}

ShardRelay::~ShardRelay() {
  *alive_ = false;
  if (life_ == nullptr) return;
  if (stopped()) {
    life_->shards.clear();
  } else {
    Vanish();
  }
}

void ShardRelay::MakeConfig(const RelayOptions& options) {
  config_.hostname = options.hostname;
  config_.spool = options.spool;
  config_.storage.segment_size = uint64_t{1} << 20;
  config_.storage.hot_memory = uint64_t{4} << 20;
  config_.storage.reserve = uint64_t{1} << 20;
  config_.storage.direct = world_->options().disk.direct_supported;
  core::ListenerConfig listener;
  listener.address = options.listen;
  listener.relay_from = {core::Network::Parse("127.0.0.0/8").value()};
  config_.listeners = {listener};
  core::RetryPeriods periods;
  periods.retry_ns = {options.retry_ns};
  periods.notify_after_ns = options.notify_ns;
  periods.retry_until_ns = options.expire_ns;
  config_.delivery.periods = periods;
  config_.delivery.max_connections = options.connections_max;
  connections_out_ = options.connections_out;
  for (const RelayRoute& route : options.routes) {
    core::RouteConfig made;
    made.name = route.domain;
    made.match = {route.domain};
    if (names_ != nullptr) {
      NameHosts(route, &made);
    } else {
      for (const core::SocketAddress& host : route.hosts) {
        made.via.push_back({host.ToString(), host.port, true, host});
      }
    }
    made.periods = periods;
    made.max_connections = options.connections_max;
    config_.routes.push_back(made);
  }
}

void ShardRelay::NameHosts(const RelayRoute& route, core::RouteConfig* made) {
  core::Random& random = world_->random();
  made->via_mx = random.Chance(1, 2);
  uint16_t preference = 10;
  for (const core::SocketAddress& host : route.hosts) {
    const std::string name = "h" + std::to_string(host.ip.octets()[15]) + ".hosts.example";
    const uint32_t ttl_s = static_cast<uint32_t>(random.Between(0, 600));
    if (named_.insert(name).second) names_->AddAddress(name, host.ip, ttl_s);
    names_->AddMx(route.domain, preference, name, ttl_s);  // also for mail without the route
    if (!made->via_mx) made->via.push_back({name, host.port, false, {}});
    if (random.Chance(1, 2)) ++preference;
  }
}

void ShardRelay::ChangeNames() {
  core::Random& random = world_->random();
  dns::SimNameFaults& faults = names_->faults();
  faults = dns::SimNameFaults{};
  int64_t until_ns = random.Between(1, 300) * core::kNsPerSecond;
  if (random.Chance(1, 2)) {
    until_ns = random.Between(1, 60) * core::kNsPerSecond;
    switch (random.Below(8)) {
      case 0:
        faults.silent = true;
        break;
      case 1:
        faults.silent_ppm = 300'000;
        break;
      case 2:
        faults.code = random.Chance(1, 2) ? 2 : 5;
        break;
      case 3:
        faults.truncate = true;
        faults.no_tcp = random.Chance(1, 3);
        break;
      case 4:
        faults.garbage = true;
        break;
      case 5:
        faults.wrong_id = true;
        break;
      case 6:
        faults.zero_ttl = true;
        break;
      default:
        faults.delay_ns = random.Between(0, 4 * core::kNsPerSecond);
        break;
    }
  }
  world_->Schedule(until_ns, [this, alive = alive_] {
    if (*alive && !healed_) ChangeNames();
  });
}

void ShardRelay::Heal() {
  healed_ = true;
  sources_->Heal();
  if (names_ != nullptr) names_->Heal();
}

void ShardRelay::Start() {
  CHECK(life_ == nullptr);
  life_ = std::make_unique<Life>();
  core::Random& random = world_->random();
  const uint32_t shards = static_cast<uint32_t>(random.Between(1, shards_max_));
  io::SimDisk& disk = world_->disk(kRelayNode);
  disk.MakeDirectory(config_.spool);
  disk.MakeDirectory("/mail");
  life_->exchange = std::make_unique<queue::Exchange>(shards, /*tiny=*/random.Chance(1, 3));
  std::vector<io::Io*> ios;
  for (uint32_t i = 0; i < shards; ++i) {
    life_->ios.push_back(std::make_unique<io::SimIo>(world_, kRelayNode));
    life_->metrics.push_back(std::make_unique<core::ShardMetrics>());
    ios.push_back(life_->ios[i].get());
  }
  for (uint32_t i = 0; i < shards; ++i) {
    queue::ShardSetup setup;
    setup.index = i;
    life_->configs.push_back(queue::ShardConfig::Make(Today()));
    setup.config = life_->configs[i];
    setup.io = ios[i];
    setup.ios = ios;
    setup.exchange = life_->exchange.get();
    setup.sites = life_->sites.get();
    setup.clients = life_->clients.get();
    setup.auth_failures = life_->auth_failures.get();
    setup.max_connections_out = connections_out_;
    setup.observer = this;
    setup.metrics = life_->metrics[i].get();
    for (const std::string& name : disk.List(config_.spool)) {
      if (!name.starts_with("log-")) continue;
      const uint32_t log = static_cast<uint32_t>(strtoul(name.c_str() + 4, nullptr, 10));
      if (log >= shards && log % shards == i) setup.adopted_logs.push_back(log);
    }
    if (world_->trace() != nullptr) {
      setup.write_events = [trace = world_->trace()](std::string_view lines) {
        return fwrite(lines.data(), 1, lines.size(), trace) == lines.size();
      };
    } else {
      setup.write_events = [](std::string_view) { return true; };
    }
    life_->shards.push_back(std::make_unique<queue::Shard>(setup));
    life_->ios[i]->set_run_once([shard = life_->shards[i].get()] { shard->RunOnce(); });
  }
  for (const auto& shard : life_->shards) shard->Start();
}

void ShardRelay::OnShardReady(uint32_t shard, const core::Status& status) {
  if (status.ok()) {
    ++life_->ready;
    return;
  }
  if (world_->trace() != nullptr) {
    fprintf(world_->trace(), "shard %u does not start: %s\n", shard, status.ToString().c_str());
  }
  // The daemon ends then, and the service manager starts it again.
  world_->Schedule(core::kNsPerMs, [this, alive = alive_, life = life_.get()] {
    if (!*alive || life_.get() != life) return;
    Vanish();
    Start();
  });
}

bool ShardRelay::ready() const { return life_ != nullptr && life_->ready == life_->shards.size(); }

void ShardRelay::Vanish() {
  if (life_ == nullptr) return;
  for (const auto& io : life_->ios) {
    if (!io->abandoned()) io->Abandon();
  }
  life_->ios.clear();
  // The memory of a dead process; its destructors never run. Kept where it can be found, so that
  // leaks proper are still seen.
  static std::vector<Life*>* const dead = new std::vector<Life*>;
  dead->push_back(life_.release());
}

void ShardRelay::Stop() {
  for (const auto& shard : life_->shards) {
    shard->Post([](queue::Shard* one) { one->BeginStop(); });
  }
  world_->Schedule(config_.stop_timeout_ns, [this, life = life_.get()] {
    if (life_.get() != life) return;
    for (const auto& shard : life_->shards) {
      shard->Post([](queue::Shard* one) { one->Abort(); });
    }
  });
}

bool ShardRelay::stopped() const {
  return std::all_of(life_->shards.begin(), life_->shards.end(),
                     [](const auto& shard) { return shard->stopped(); });
}

RelayCounters ShardRelay::Counters() const {
  RelayCounters counters;
  for (const auto& metrics : life_->metrics) {
    const auto add = [](const core::MetricCell& cell, uint64_t* sum) {
      *sum += static_cast<uint64_t>(cell.value());
    };
    add(metrics->recovered_total, &counters.recovered);
    add(metrics->accepted_total, &counters.accepted);
    add(metrics->generated_total, &counters.generated);
    add(metrics->delivered_total, &counters.delivered);
    add(metrics->bounced_total, &counters.bounced);
    add(metrics->expired_total, &counters.expired);
    add(metrics->discarded_total, &counters.discarded);
    add(metrics->removed_total, &counters.removed);
    add(metrics->queued, &counters.queued);
  }
  return counters;
}

std::set<std::string> ShardRelay::Queued() {
  life_->listing = std::make_unique<Listing>();
  for (const auto& shard : life_->shards) shard->operations().List({}, life_->listing.get());
  for (const auto& io : life_->ios) io->WakeFromOutside();
  world_->RunUntil([this] { return life_->listing->done == life_->shards.size(); }, kListNs);
  return life_->listing->recipients;
}

void ShardRelay::Retry(const std::string& domain) {
  queue::QueueFilter filter;
  filter.domain = domain;
  life_->Give(queue::QueueOrder::kRetry, filter, nullptr);
}

void ShardRelay::Hold(const std::string& domain) {
  queue::QueueFilter filter;
  filter.domain = domain;
  life_->Give(queue::QueueOrder::kHold, filter, nullptr);
}

void ShardRelay::Release() { life_->Give(queue::QueueOrder::kRelease, {}, nullptr); }

void ShardRelay::Remove(const std::string& recipient, std::function<void(bool removed)> done) {
  queue::QueueFilter filter;
  filter.recipient = recipient;
  life_->Give(queue::QueueOrder::kRemove, filter,
              [done = std::move(done)](const queue::CommandCounts& sum) { done(sum.done > 0); });
}

void ShardRelay::Clear(const std::string& domain) {
  queue::QueueFilter filter;
  filter.domain = domain;
  queue::RouteOrder order;
  order.clear = true;
  life_->Give(order, filter, nullptr);
}

void ShardRelay::Reroute(const std::string& recipient, const std::string& to,
                         std::function<void(bool done)> done) {
  queue::QueueFilter filter;
  filter.recipient = recipient;
  queue::RouteOrder order;
  if (!to.empty()) order.to = {to};
  order.original = to.empty();
  life_->Give(order, filter,
              [done = std::move(done)](const queue::CommandCounts& sum) { done(sum.made > 0); });
}

void ShardRelay::Purge(const std::string& recipient, int64_t undo_ns,
                       std::function<void(bool purged)> done) {
  queue::QueueFilter filter;
  filter.recipient = recipient;
  life_->Give(queue::QueueOrder::kPurge, filter,
              [done = std::move(done)](const queue::CommandCounts& sum) { done(sum.done > 0); },
              {.undo_ns = undo_ns});
}

void ShardRelay::Undo(const std::string& recipient, std::function<void(bool undone)> done) {
  queue::QueueFilter filter;
  filter.recipient = recipient;
  life_->Give(queue::QueueOrder::kUndo, filter,
              [done = std::move(done)](const queue::CommandCounts& sum) { done(sum.done > 0); });
}

void ShardRelay::Bounce(const std::string& recipient) {
  queue::QueueFilter filter;
  filter.recipient = recipient;
  life_->Give(queue::QueueOrder::kBounce, filter, nullptr,
              {.reason = "an operator had enough of it"});
}

void ShardRelay::Reload() {
  core::Random& random = world_->random();
  if (signatures_ != nullptr && random.Chance(1, 3)) signatures_->Switch();
  sources_->Change();
  for (core::RouteConfig& route : config_.routes) {
    if (random.Chance(1, 2) && !route.via.empty()) {
      std::rotate(route.via.begin(), route.via.begin() + 1, route.via.end());
    }
    if (random.Chance(1, 3)) route.name += "'";
    // Without its route its mail goes by MX, which takes a resolver.
    if (names_ == nullptr || !random.Chance(1, 3)) continue;
    if (dropped_.erase(route.match[0]) == 0) dropped_.insert(route.match[0]);
  }
  for (size_t i = 0; i < life_->shards.size(); ++i) {
    const queue::ShardConfig next = queue::ShardConfig::Make(Today());
    const queue::RouteChanges changes = next.router->Since(*life_->configs[i].router);
    life_->configs[i] = next;
    life_->shards[i]->Post([next, changes](queue::Shard* shard) {
      if (shard->PrepareReload(next, changes).ok()) shard->CommitReload();
    });
  }
}

void ShardRelay::Look(const std::string& domain) {
  queue::QueueQuery query;
  query.filter.domain = domain;
  queue::QueueFilter asked;
  life_->looks.push_back(std::make_unique<Listing>());
  Listing* listing = life_->looks.back().get();
  life_->questions.push_back(std::make_unique<Question>());
  Question* question = life_->questions.back().get();
  for (const auto& look : life_->looks) {
    if (look->message != 0) question->message = look->message;
  }
  asked.id = question->message;
  for (const auto& shard : life_->shards) {
    shard->Post([query, asked, listing, question, domain](queue::Shard* one) {
      one->operations().List(query, listing);
      one->operations().Explain(asked, question);
      one->operations().LookAt(one->router().Route("postmaster@" + domain).destination, domain);
    });
  }
}

}  // namespace outbox::simulation
