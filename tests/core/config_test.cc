// What a configuration means, with everything set and with nothing but what must be there.
#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/time.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;

constexpr std::string_view kLeast = R"(
hostname = "relay.example.com"
[[listener]]
address = "127.0.0.1:2525"
relay_from = "127.0.0.0/8"
)";

TEST(Config, LeastOfAll) {
  const ConfigResult result = ParseConfig(kLeast, "outbox.toml");
  ASSERT_THAT(result.errors, ElementsAre());
  const Config& config = result.config;
  EXPECT_EQ(config.hostname, "relay.example.com");
  EXPECT_EQ(config.spool, "/var/spool/outbox");
  EXPECT_EQ(config.control, "/run/outbox/control.sock");
  EXPECT_EQ(config.shards, 0u);
  EXPECT_EQ(config.stop_timeout_ns, 10 * kNsPerSecond);
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].max_size, 50u << 20);
  EXPECT_EQ(config.listeners[0].max_recipients, 1000u);
  EXPECT_EQ(config.delivery.periods.retry_ns, std::vector<int64_t>{15 * kNsPerMinute});
  EXPECT_EQ(config.delivery.periods.notify_after_ns, 4 * kNsPerHour);
  EXPECT_EQ(config.delivery.periods.retry_until_ns, 5 * kNsPerDay);
  EXPECT_EQ(config.delivery.max_connections, 20u);
  EXPECT_TRUE(config.routes.empty());
  EXPECT_TRUE(config.storage.direct);
  EXPECT_EQ(config.queue.undo_period_ns, kNsPerHour);
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.talk.memory, uint64_t{4} << 20);
  EXPECT_EQ(config.talk.directory, config.spool + "/talk");
}

constexpr std::string_view kMost = R"(
hostname = "[192.0.2.1]"
spool = "var/spool"
control = "var/control.sock"
shards = 4
stop_timeout = "1m"

[storage]
segment_size = "8MiB"
reserve = "1GiB"
max_size = "10GiB"
hot_memory = "16MiB"
direct = false

[[listener]]
address = "127.0.0.1:2525"
relay_from = ["127.0.0.0/8", "::1"]
max_size = "10MB"
max_recipients = 100
max_connections = 50
max_connections_per_client = 5
refuse_nul = true
chunking = false
command_timeout = "30s"
data_timeout = "20s"

[[listener]]
address = "[::1]:2525"
relay_from = ["::1"]

[queue]
undo_period = "0s"

[resolver]
servers = ["127.0.0.1:5300", "192.0.2.53"]

[delivery]
retry = ["1m", "5m", "1h"]
notify_after = "never"
retry_until = "2d"
port = 2526
max_connections = 7
messages_per_connection = 100
idle_timeout = "1s"
connect_timeout = "2s"
greeting_timeout = "3s"
helo_timeout = "4s"
mail_timeout = "5s"
rcpt_timeout = "6s"
data_timeout = "7s"
block_timeout = "8s"
final_dot_timeout = "9s"
quit_timeout = "100ms"

[[route]]
name = "inner"
match = ["Example.NET", "*.example.net"]
via = ["10.1.2.3:2525", "10.1.2.4", "[2001:db8::1]:26", "Backup.Example.Net:2525", "relay"]
retry = "30s"
notify_after = "1h"
retry_until = "1d"
max_connections = 3

[[route]]
match = "*.example.org"
via = "mx"
port = 2527

[[route]]
match = "*"
via = "192.0.2.25"

[[site]]
name = "large"
hosts = ["*.MX.example.com", "mx.example.com"]
domains = "example.com"
max_connections = 4
messages_per_connection = 50
max_rate = "100/min"

[[site]]
domains = ["example.edu"]

[log]
file = "/var/log/outbox/outbox.log"
level = "warning"
format = "classic"
name = "postfix"

[talk]
memory = "1MiB"
disk = 0
directory = "/var/log/outbox/talk"

[limits]
memory = "2GiB"
connections_out = 5000

[io]
disable = ["msg_ring", "poll_first"]
)";

TEST(Config, EverythingSet) {
  const ConfigResult result = ParseConfig(kMost, "outbox.toml");
  ASSERT_THAT(result.errors, ElementsAre());
  const Config& config = result.config;
  EXPECT_EQ(config.hostname, "[192.0.2.1]");
  EXPECT_EQ(config.spool, "var/spool");
  EXPECT_EQ(config.control, "var/control.sock");
  EXPECT_EQ(config.shards, 4u);
  EXPECT_EQ(config.stop_timeout_ns, kNsPerMinute);

  EXPECT_EQ(config.storage.segment_size, 8u << 20);
  EXPECT_EQ(config.storage.reserve, 1u << 30);
  EXPECT_EQ(config.storage.max_size, uint64_t{10} << 30);
  EXPECT_EQ(config.storage.hot_memory, 16u << 20);
  EXPECT_FALSE(config.storage.direct);
  EXPECT_EQ(config.queue.undo_period_ns, 0);

  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0].address.ToString(), "127.0.0.1:2525");
  ASSERT_EQ(config.listeners[0].relay_from.size(), 2u);
  EXPECT_EQ(config.listeners[0].relay_from[1].ToString(), "::1");
  EXPECT_EQ(config.listeners[0].max_size, 10'000'000u);
  EXPECT_EQ(config.listeners[0].max_recipients, 100u);
  EXPECT_EQ(config.listeners[0].max_connections, 50u);
  EXPECT_EQ(config.listeners[0].max_connections_per_client, 5u);
  EXPECT_TRUE(config.listeners[0].refuse_nul);
  EXPECT_FALSE(config.listeners[0].chunking);
  EXPECT_EQ(config.listeners[0].command_timeout_ns, 30 * kNsPerSecond);
  EXPECT_EQ(config.listeners[0].data_timeout_ns, 20 * kNsPerSecond);
  EXPECT_EQ(config.listeners[1].address.ToString(), "[::1]:2525");

  ASSERT_EQ(config.resolver.servers.size(), 2u);
  EXPECT_EQ(config.resolver.servers[0].ToString(), "127.0.0.1:5300");
  EXPECT_EQ(config.resolver.servers[1].ToString(), "192.0.2.53:53");
}

TEST(Config, EverythingSetForDelivery) {
  const Config config = ParseConfig(kMost, "outbox.toml").config;
  const DeliveryConfig& delivery = config.delivery;
  EXPECT_THAT(delivery.periods.retry_ns, ElementsAre(kNsPerMinute, 5 * kNsPerMinute, kNsPerHour));
  EXPECT_EQ(delivery.periods.notify_after_ns, kNever);
  EXPECT_EQ(delivery.periods.retry_until_ns, 2 * kNsPerDay);
  EXPECT_EQ(delivery.max_connections, 7u);
  EXPECT_EQ(delivery.port, 2526);
  EXPECT_EQ(delivery.messages_per_connection, 100u);
  const int64_t timeouts[] = {
      delivery.idle_timeout_ns, delivery.connect_timeout_ns, delivery.greeting_timeout_ns,
      delivery.helo_timeout_ns, delivery.mail_timeout_ns,    delivery.rcpt_timeout_ns,
      delivery.data_timeout_ns, delivery.block_timeout_ns,   delivery.final_dot_timeout_ns};
  for (int64_t i = 0; i < 9; ++i) EXPECT_EQ(timeouts[i], (i + 1) * kNsPerSecond) << i;
  EXPECT_EQ(delivery.quit_timeout_ns, 100 * kNsPerMs);

  ASSERT_EQ(config.routes.size(), 3u);
  const RouteConfig& inner = config.routes[0];
  EXPECT_EQ(inner.name, "inner");
  EXPECT_THAT(inner.match, ElementsAre("example.net", "*.example.net"));
  EXPECT_FALSE(inner.via_mx);
  ASSERT_EQ(inner.via.size(), 5u);
  EXPECT_EQ(inner.via[0].address.ToString(), "10.1.2.3:2525");
  EXPECT_EQ(inner.via[1].address.ToString(), "10.1.2.4:25");
  EXPECT_EQ(inner.via[1].host, "10.1.2.4");
  EXPECT_EQ(inner.via[2].address.ToString(), "[2001:db8::1]:26");
  EXPECT_EQ(inner.via[2].port, 26);
  EXPECT_FALSE(inner.via[3].is_address);
  EXPECT_EQ(inner.via[3].host, "backup.example.net");
  EXPECT_EQ(inner.via[3].port, 2525);
  EXPECT_EQ(inner.via[4].host, "relay");
  EXPECT_EQ(inner.via[4].port, 25);
  EXPECT_THAT(inner.periods.retry_ns, ElementsAre(30 * kNsPerSecond));
  EXPECT_EQ(inner.periods.notify_after_ns, kNsPerHour);
  EXPECT_EQ(inner.periods.retry_until_ns, kNsPerDay);
  EXPECT_EQ(inner.max_connections, 3u);
  // What the second route does not say is [delivery]'s.
  EXPECT_TRUE(config.routes[1].via_mx);
  EXPECT_TRUE(config.routes[1].via.empty());
  EXPECT_EQ(config.routes[1].port, 2527);
  const RouteConfig& rest = config.routes[2];
  EXPECT_EQ(rest.name, "*");
  EXPECT_EQ(rest.periods.retry_ns.size(), 3u);
  EXPECT_EQ(rest.periods.notify_after_ns, kNever);
  EXPECT_EQ(rest.max_connections, 7u);

  EXPECT_EQ(config.log.file, "/var/log/outbox/outbox.log");
  EXPECT_EQ(config.log.level, LogLevel::kWarning);
  EXPECT_EQ(config.log.format, LogFormat::kClassic);
  EXPECT_EQ(config.log.name, "postfix");
  EXPECT_EQ(config.talk.memory, uint64_t{1} << 20);
  EXPECT_EQ(config.talk.disk, 0u);
  EXPECT_EQ(config.talk.directory, "/var/log/outbox/talk");
  EXPECT_EQ(config.limits.memory, uint64_t{2} << 30);
  EXPECT_EQ(config.limits.connections_out, 5000u);
  EXPECT_THAT(config.io.disable, ElementsAre("msg_ring", "poll_first"));
}

TEST(Config, Sites) {
  const Config config = ParseConfig(kMost, "outbox.toml").config;
  ASSERT_EQ(config.sites.size(), 2u);
  const SiteConfig& large = config.sites[0];
  EXPECT_EQ(large.name, "large");
  EXPECT_THAT(large.hosts, ElementsAre("*.mx.example.com", "mx.example.com"));
  EXPECT_THAT(large.domains, ElementsAre("example.com"));
  EXPECT_EQ(large.max_connections, 4u);
  EXPECT_EQ(large.messages_per_connection, 50u);
  EXPECT_EQ(large.max_rate, (Rate{100, kNsPerMinute}));
  // What the second one does not say is [delivery]'s, and it is called after its first pattern.
  const SiteConfig& small = config.sites[1];
  EXPECT_EQ(small.name, "example.edu");
  EXPECT_EQ(small.max_connections, 7u);
  EXPECT_EQ(small.messages_per_connection, 100u);
  EXPECT_FALSE(small.max_rate.limited());
}

TEST(Config, TheOrderOfTablesDoesNotMatter) {
  const std::string text = std::string(kLeast) +
                           "[[route]]\nmatch = \"*\"\nvia = \"10.0.0.1\"\n"
                           "[delivery]\nretry = \"7m\"\n";
  const ConfigResult result = ParseConfig(text, "outbox.toml");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_THAT(result.config.routes[0].periods.retry_ns, ElementsAre(7 * kNsPerMinute));
}

TEST(Config, PrivateNetworksAndReasonablePublicOnesMayRelay) {
  for (const char* networks :
       {"10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "fd00::/8", "9.0.0.0/8", "2001:db8::/32",
        "203.0.113.7", "100.64.0.0/10", "9.0.0.0/9\", \"9.128.0.0/9"}) {
    const std::string text = std::string("hostname = \"relay.example.com\"\n[[listener]]\n") +
                             "address = \"127.0.0.1:25\"\nrelay_from = [\"" + networks + "\"]\n";
    EXPECT_THAT(ParseConfig(text, "f").errors, ElementsAre()) << networks;
  }
}

}  // namespace
}  // namespace outbox::core
