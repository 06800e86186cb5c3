#include "bench/whole_shard.h"

#include <utility>

#include "bench/outside.h"
#include "bench/sample_mail.h"
#include "core/check.h"
#include "core/config.h"
#include "core/limits.h"

namespace outbox::bench {
namespace {

// Between two turns, as on a busy machine.
constexpr int64_t kTurnNs = 100 * core::kNsPerUs;
// In which nothing comes: a tenth of a second each. Some seconds, far from any timeout.
constexpr int kQuietTurns = 30;

core::Config ConfigFor(uint32_t domains) {
  core::Config config;
  config.hostname = "relay.example.com";
  config.spool = "/spool";
  config.storage.segment_size = uint64_t{4} << 20;
  config.storage.hot_memory = uint64_t{16} << 20;
  config.storage.reserve = uint64_t{1} << 20;
  core::ListenerConfig listener;
  listener.address = {core::IpAddress::V4(127, 0, 0, 1), 25};
  listener.relay_from = {core::Network::Parse("127.0.0.0/8").value()};
  listener.max_connections = listener.max_connections_per_client = 10'000;
  config.listeners = {listener};
  for (uint32_t i = 0; i < domains; ++i) {
    core::RouteConfig route;
    route.name = "d" + std::to_string(i) + ".example.net";
    route.match = {route.name};
    core::ViaHost host;
    host.address = {core::IpAddress::V4(10, 1, static_cast<uint8_t>(i >> 8),
                                        static_cast<uint8_t>(i)),
                    25};
    host.port = host.address.port;
    host.host = host.address.ToString();
    host.is_address = true;
    route.via = {host};
    route.periods = config.delivery.periods;
    route.max_connections = config.delivery.max_connections;
    config.routes.push_back(route);
  }
  return config;
}

}  // namespace

WholeShard::WholeShard(uint32_t clients, uint32_t domains, size_t octets)
    : sites_(core::kMaxSites), wire_(SampleWire(octets)) {
  for (uint32_t i = 0; i < domains; ++i) {
    recipients_.push_back("recipient@d" + std::to_string(i) + ".example.net");
  }
  queue::ShardSetup setup;
  setup.config = queue::ShardConfig::Make(std::make_shared<core::Config>(ConfigFor(domains)));
  setup.io = &io_;
  setup.ios = {&io_};
  setup.exchange = &exchange_;
  setup.sites = &sites_;
  setup.clients = &limits_;
  setup.auth_failures = &auth_failures_;
  setup.observer = this;
  setup.metrics = &metrics_;
  shard_ = std::make_unique<queue::Shard>(setup);
  shard_->Start();
  while (!ready_) shard_->RunOnce();
  // A larger body is read back.
  if (octets < core::kInlineBodyBytesMax) io_.DropWrites();
  for (uint32_t i = 0; i < clients; ++i) {
    auto client = std::make_unique<ClientPeer>(&wire_, [this] { return NextRecipient(); });
    clients_.push_back(client.get());
    client->say.reserve(4 * octets);
    io_.Call(std::move(client));
  }
}

WholeShard::~WholeShard() {
  shard_->BeginStop();
  while (!shard_->stopped()) shard_->RunOnce();
}

void WholeShard::OnShardReady(uint32_t, const core::Status& status) {
  CHECK(status.ok());
  ready_ = true;
}

std::string_view WholeShard::NextRecipient() {
  if (to_send_ == 0) return {};
  --to_send_;
  const std::string& recipient = recipients_[next_];
  if (++next_ == recipients_.size()) next_ = 0;
  return recipient;
}

void WholeShard::Turn() {
  shard_->RunOnce();
  Outside([this] { io_.Pass(kTurnNs); });
}

void WholeShard::Relay(uint64_t messages) {
  const uint64_t end = io_.delivered() + messages;
  Outside([&] {
    to_send_ = messages;
    for (ClientPeer* client : clients_) client->Go();
  });
  while (io_.delivered() < end || metrics_.messages_queued.value() > 0) Turn();
  CHECK(io_.delivered() == end);
}

void WholeShard::Queue(uint64_t messages) {
  const int64_t end = metrics_.messages_queued.value() + static_cast<int64_t>(messages);
  io_.Refuse();
  Outside([&] {
    to_send_ = messages;
    for (ClientPeer* client : clients_) client->Go();
  });
  while (metrics_.messages_queued.value() < end) Turn();
  for (int i = 0; i < kQuietTurns; ++i) Turn();
}

}  // namespace outbox::bench
