#include "tests/scenario/shard_story.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "io/sim_disk.h"
#include "tests/scenario/story_life.h"

namespace outbox::queue {
namespace {

using simulation::ClientResult;
using simulation::RelayCounters;

const core::SocketAddress kListen = {core::IpAddress::V4(10, 0, 0, 1), 25};

}  // namespace

ShardStory::ShardStory(uint32_t shards) : shards_(shards) {
  config_.hostname = "relay.example";
  config_.spool = "/spool";
  config_.storage.segment_size = uint64_t{1} << 20;
  config_.storage.hot_memory = uint64_t{4} << 20;
  config_.storage.reserve = uint64_t{1} << 20;
  core::ListenerConfig listener;
  listener.address = kListen;
  listener.relay_from = {core::Network::Parse("127.0.0.0/8").value()};
  config_.listeners = {listener};
  config_.delivery.periods.retry_ns = {core::kNsPerMinute};
  config_.delivery.periods.notify_after_ns = core::kNever;
  config_.delivery.periods.retry_until_ns = core::kNsPerHour;
  world_.disk(0).MakeDirectory(config_.spool);
}

ShardStory::~ShardStory() {
  if (life_ != nullptr) Stop();
  peers_.Abandon();
  client_io_.Abandon();
}

core::ViaHost ShardStory::NextHost() {
  const core::SocketAddress address = {core::IpAddress::V4(10, 1, 0, ++hosts_), 25};
  core::ViaHost host;
  host.host = address.ToString();
  host.port = address.port;
  host.is_address = true;
  host.address = address;
  return host;
}

core::RouteConfig& ShardStory::RouteOf(const std::string& domain) {
  const auto found =
      std::find_if(config_.routes.begin(), config_.routes.end(),
                   [&domain](const core::RouteConfig& route) { return route.name == domain; });
  CHECK(found != config_.routes.end());
  return *found;
}

simulation::ScriptedServer* ShardStory::AddServerAt(const core::SocketAddress& address,
                                                    std::vector<simulation::ScriptRule> rules) {
  simulation::Script script;
  script.rules = std::move(rules);
  servers_.push_back(
      std::make_unique<simulation::ScriptedServer>(&peers_, address, std::move(script)));
  return servers_.back().get();
}

simulation::ScriptedServer* ShardStory::AddServer(const std::string& domain,
                                                  std::vector<simulation::ScriptRule> rules) {
  AddDeadRoute(domain);
  return AddServerAt(config_.routes.back().via[0].address, std::move(rules));
}

simulation::ScriptedServer* ShardStory::AddHost(const std::string& domain,
                                                std::vector<simulation::ScriptRule> rules) {
  core::RouteConfig& route = RouteOf(domain);
  route.via.push_back(NextHost());
  return AddServerAt(route.via.back().address, std::move(rules));
}

simulation::ScriptedServer* ShardStory::AddLmtp(const std::string& path,
                                                std::vector<simulation::ScriptRule> rules) {
  const core::SocketAddress address = NextHost().address;
  world_.network().AddUnixPath(path, address);
  simulation::ScriptedServer* server = AddServerAt(address, std::move(rules));
  server->script().lmtp = true;
  return server;
}

void ShardStory::AddDeadRoute(const std::string& domain) {
  core::RouteConfig route;
  route.name = domain;
  route.match = {domain};
  route.via = {NextHost()};
  config_.routes.push_back(route);
}

dns::SimNameServer& ShardStory::names() {
  if (names_ == nullptr) {
    const core::SocketAddress address = {core::IpAddress::V4(10, 0, 0, 53), 53};
    names_ = std::make_unique<dns::SimNameServer>(&world_, address);
    config_.resolver.servers = {address};
  }
  return *names_;
}

simulation::ScriptedServer* ShardStory::AddMx(const std::string& domain, uint16_t preference,
                                              const std::string& host,
                                              std::vector<simulation::ScriptRule> rules) {
  const core::SocketAddress address = NextHost().address;
  names().AddMx(domain, preference, host);
  names().AddAddress(host, address.ip);
  return AddServerAt(address, std::move(rules));
}

void ShardStory::AddDeadMx(const std::string& domain, uint16_t preference,
                           const std::string& host) {
  names().AddMx(domain, preference, host);
  names().AddAddress(host, NextHost().address.ip);
}

simulation::ScriptedServer* ShardStory::Revive(const std::string& domain) {
  return AddServerAt(RouteOf(domain).via.back().address, {});
}

void ShardStory::Start() {
  ASSERT_EQ(life_, nullptr);
  for (core::RouteConfig& route : config_.routes) {
    route.periods = config_.delivery.periods;
    route.max_connections = config_.delivery.max_connections;
  }
  config_.local.periods = config_.delivery.periods;
  life_ = std::make_unique<Life>();
  life_->events_begin = events_.size();
  ready_ = 0;
  life_->exchange = std::make_unique<Exchange>(shards_);
  std::vector<io::Io*> ios;
  for (uint32_t i = 0; i < shards_; ++i) {
    life_->ios.push_back(std::make_unique<io::SimIo>(&world_, 0));
    life_->metrics.push_back(std::make_unique<core::ShardMetrics>());
    ios.push_back(life_->ios[i].get());
  }
  for (uint32_t i = 0; i < shards_; ++i) {
    ShardSetup setup;
    setup.index = i;
    setup.config = ShardConfig::Make(std::make_shared<core::Config>(config_), tls_);
    setup.io = ios[i];
    setup.ios = ios;
    setup.exchange = life_->exchange.get();
    setup.sites = &life_->sites;
    setup.suspensions = suspensions_;
    setup.clients = &life_->clients;
    setup.auth_failures = &life_->auth_failures;
    setup.observer = this;
    setup.metrics = life_->metrics[i].get();
    setup.write_events = [this](std::string_view lines) {
      events_.append(lines);
      ++event_writes_;
      return true;
    };
    setup.write_talks = [this](std::string_view lines) {
      if (talks_refused_) return false;
      talks_.append(lines);
      return true;
    };
    life_->shards.push_back(std::make_unique<Shard>(setup));
    life_->ios[i]->set_run_once([shard = life_->shards[i].get()] { shard->RunOnce(); });
  }
  for (const auto& shard : life_->shards) shard->Start();
  ASSERT_TRUE(RunUntil([this] { return ready_ == shards_; }, core::kNsPerMinute)) << events_;
}

void ShardStory::OnShardReady(uint32_t shard, const core::Status& status) {
  EXPECT_TRUE(status.ok()) << shard << ": " << status.ToString();
  ++ready_;
}

void ShardStory::Reload() {
  for (core::RouteConfig& route : config_.routes) {
    route.periods = config_.delivery.periods;
    route.max_connections = config_.delivery.max_connections;
  }
  config_.local.periods = config_.delivery.periods;
  size_t done = 0;
  for (const auto& shard : life_->shards) {
    const ShardConfig next = ShardConfig::Make(std::make_shared<core::Config>(config_), tls_);
    shard->Post([next, &done](Shard* one) {
      EXPECT_TRUE(one->PrepareReload(next, next.router->Since(one->router())).ok());
      one->CommitReload();
      ++done;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return done == shards_; }, core::kNsPerMinute));
}

bool ShardStory::Stop() {
  for (const auto& shard : life_->shards) {
    shard->Post([](Shard* one) { one->BeginStop(); });
  }
  const auto stopped = [this] {
    return std::all_of(life_->shards.begin(), life_->shards.end(),
                       [](const auto& shard) { return shard->stopped(); });
  };
  bool ended = RunUntil(stopped, config_.stop_timeout_ns);
  if (!ended) {
    for (const auto& shard : life_->shards) {
      shard->Post([](Shard* one) { one->Abort(); });
    }
    ended = RunUntil(stopped, core::kNsPerMinute);
  }
  if (ended) {
    left_ = Counters().queued;
    crashed_ = false;
    life_->shards.clear();
    life_.reset();
  } else {
    for (const auto& io : life_->ios) io->Abandon();
    LeaveLife();
  }
  return ended;
}

// Its destructors would trip over what it still does; it is left where it lies.
void ShardStory::LeaveLife() {
  life_->ios.clear();
  static std::vector<Life*>* const stuck = new std::vector<Life*>;
  stuck->push_back(life_.release());
}

void ShardStory::Crash() {
  world_.Crash(0);
  LeaveLife();
  crashed_ = true;
}

void ShardStory::Kill() {
  for (const auto& io : life_->ios) io->Abandon();
  LeaveLife();
  crashed_ = true;
}

ClientResult ShardStory::Send(const std::string& from, const std::vector<std::string>& to,
                              const std::string& content) {
  return Send({from, to, content});
}

ClientResult ShardStory::Send(const simulation::ClientMessage& message) {
  ClientResult result;
  bool done = false;
  client_.Send(kListen, message, client_script_, [&](const ClientResult& got) {
    result = got;
    done = true;
  });
  EXPECT_TRUE(RunUntil([&done] { return done; }, core::kNsPerHour));
  return result;
}

void ShardStory::SendLater(const std::string& from, const std::vector<std::string>& to,
                           const std::string& content) {
  client_.Send(kListen, {from, to, content}, client_script_,
               [this](const ClientResult& got) { acknowledged_later_ += got.acknowledged; });
}

bool ShardStory::RunUntil(const std::function<bool()>& condition, int64_t limit_ns) {
  const bool met = world_.RunUntil(condition, limit_ns) == io::SimWorld::RunResult::kCondition;
  CheckLedger();
  return met;
}

void ShardStory::RunFor(int64_t ns) {
  world_.RunFor(ns);
  CheckLedger();
}

void ShardStory::CheckLedger() {
  if (life_ == nullptr) return;
  const RelayCounters counters = Counters();
  EXPECT_TRUE(counters.AddUp()) << counters.ToString();
  if (!life_->recovered) {
    // Each shard says so when it has looked at its log.
    const std::string said = "\"event\":\"recovered\"";
    uint32_t times = 0;
    size_t at = events_.find(said, life_->events_begin);
    for (; at != std::string::npos; at = events_.find(said, at + 1)) ++times;
    life_->recovered = times == shards_;
  }
  if (life_->recovered && !crashed_) {
    EXPECT_EQ(counters.recovered, left_) << counters.ToString();
  }
}

bool ShardStory::RunUntilEmpty(int64_t limit_ns) {
  return RunUntil([this] { return Counters().queued == 0; }, limit_ns);
}

void ShardStory::ReadOn() {
  for (const auto& listing : life_->listings) listing->lines_max = SIZE_MAX;
}

void ShardStory::StartListing(const QueueQuery& query, size_t lines) {
  life_->listings.push_back(std::make_unique<Listing>());
  life_->listings.back()->lines_max = lines;
  life_->listings.back()->world = &world_;
  for (const auto& shard : life_->shards) {
    shard->Post([query, sink = life_->listings.back().get()](Shard* one) {
      one->operations().List(query, sink);
    });
  }
}

size_t ShardStory::most_listed_in_a_turn() const { return life_->listings.back()->most_in_turn; }

ListGaps ShardStory::gaps() const { return life_->listings.back()->gaps; }

bool ShardStory::AllListingsDone() const {
  return std::all_of(life_->listings.begin(), life_->listings.end(),
                     [this](const auto& listing) { return listing->done == shards_; });
}

bool ShardStory::ListingDone() const { return life_->listings.back()->done == shards_; }

std::map<std::string, int> ShardStory::Shown() const {
  std::map<std::string, int> shown;
  for (const QueueLine& line : life_->listings.back()->lines) ++shown[line.recipient];
  return shown;
}

std::vector<QueueLine> ShardStory::List(const QueueQuery& query) {
  StartListing(query);
  EXPECT_TRUE(RunUntil([this] { return ListingDone(); }, core::kNsPerMinute));
  std::vector<QueueLine> lines = life_->listings.back()->lines;
  std::sort(lines.begin(), lines.end(), [&query](const QueueLine& a, const QueueLine& b) {
    return a.key.Before(b.key, query.descending);
  });
  if (query.limit > 0 && lines.size() > query.limit) lines.resize(query.limit);
  return lines;
}

std::map<std::string, QueueGroup> ShardStory::Census(const QueueFilter& filter,
                                                     std::optional<QueueColumn> by) {
  // In place for as long as a shard may call it.
  life_->countings.push_back(std::make_unique<Counting>());
  Counting* const counting = life_->countings.back().get();
  for (const auto& shard : life_->shards) {
    shard->Post(
        [filter, by, counting](Shard* one) { one->operations().Count(filter, by, counting); });
  }
  EXPECT_TRUE(RunUntil([&] { return counting->done == shards_; }, core::kNsPerMinute));
  return counting->groups;
}

std::vector<QueueLine> ShardStory::List() {
  StartListing();
  EXPECT_TRUE(RunUntil([this] { return ListingDone(); }, core::kNsPerMinute));
  std::vector<QueueLine> lines = life_->listings.back()->lines;
  std::sort(lines.begin(), lines.end(), [](const QueueLine& a, const QueueLine& b) {
    return std::tie(a.recipient, a.id) < std::tie(b.recipient, b.id);
  });
  return lines;
}

int64_t ShardStory::Metric(core::MetricCell core::ShardMetrics::*cell) const {
  int64_t sum = 0;
  for (const auto& metrics : life_->metrics) sum += ((*metrics).*cell).value();
  return sum;
}

std::vector<const Site*> ShardStory::Sites() const {
  std::vector<const Site*> used;
  for (uint32_t i = 0; i < life_->sites.capacity(); ++i) {
    if (life_->sites[i].key.load() != 0) used.push_back(&life_->sites[i]);
  }
  return used;
}

RelayCounters ShardStory::Counters() const {
  using core::ShardMetrics;
  const auto sum = [this](core::MetricCell ShardMetrics::*cell) {
    return static_cast<uint64_t>(Metric(cell));
  };
  return {sum(&ShardMetrics::recovered_total), sum(&ShardMetrics::accepted_total),
          sum(&ShardMetrics::generated_total), sum(&ShardMetrics::delivered_total),
          sum(&ShardMetrics::bounced_total),   sum(&ShardMetrics::expired_total),
          sum(&ShardMetrics::discarded_total), sum(&ShardMetrics::removed_total),
          sum(&ShardMetrics::queued)};
}

void ShardStory::Finish(uint64_t queued) {
  const std::vector<QueueLine> lines = List();
  const RelayCounters counters = Counters();
  EXPECT_EQ(counters.queued, queued);
  EXPECT_EQ(lines.size(), queued);
  EXPECT_TRUE(Stop()) << "it does not stop";
  for (const auto& server : servers_) {
    EXPECT_TRUE(server->violations().empty())
        << server->address().ToString() << ": " << server->violations()[0];
  }
  if (testing::Test::HasFailure()) printf("%s", events_.c_str());
}

}  // namespace outbox::queue
