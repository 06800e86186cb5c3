// The router: the documented rules in a table, and the index against a walk through the list.
#include "queue/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/random.h"
#include "core/time.h"

namespace outbox::queue {
namespace {

using ::testing::ElementsAre;

core::ViaHost Host(std::string_view text) {
  const core::SocketAddress address = core::SocketAddress::Parse(text, 25).value();
  return {std::string(text), address.port, true, address};
}

core::ViaHost Name(std::string name, uint16_t port) { return {std::move(name), port, false, {}}; }

core::RouteConfig AtPort(uint16_t port, core::RouteConfig route) {
  route.port = port;
  return route;
}

core::RouteConfig Via(std::string name, std::vector<std::string> match,
                      std::vector<core::ViaHost> hosts) {
  core::RouteConfig route;
  route.name = std::move(name);
  route.match = std::move(match);
  route.via_mx = hosts.empty();
  route.via = std::move(hosts);
  return route;
}

core::Config ConfigOf(std::vector<core::RouteConfig> routes) {
  core::Config config;
  config.hostname = "relay.example";
  config.routes = std::move(routes);
  return config;
}

TEST(RouterTest, TheFirstRouteThatMatchesWins) {
  const Router router(ConfigOf({
      Via("exact", {"example.net"}, {Host("10.0.0.1:25")}),
      Via("deep", {"*.a.example.com", "b.example.com"}, {Host("10.0.0.2:25")}),
      Via("suffix", {"*.example.com", "*.example.net"}, {Host("10.0.0.3:25")}),
      Via("late", {"a.example.com", "x.a.example.com"}, {Host("10.0.0.4:25")}),
      Via("self", {"relay.example"}, {Host("10.0.0.5:25")}),
  }));
  const struct {
    std::string_view recipient;
    std::string_view route;
    uint32_t index;
  } kTable[] = {
      {"u@example.net", "exact", 0},
      {"u@EXAMPLE.Net", "exact", 0},
      {"u@www.example.net", "suffix", 2},
      {"u@notexample.net", "mx", 5},
      {"u@example.com", "mx", 5},  // a suffix does not match itself
      {"u@a.example.com", "suffix", 2},
      {"u@x.a.example.com", "deep", 1},
      {"u@y.x.a.example.com", "deep", 1},
      {"u@b.example.com", "deep", 1},
      {"u@c.b.example.com", "suffix", 2},
      {"u@com", "mx", 5},
      {"\"a@example.net\"@other.example", "mx", 5},  // the last @ separates
      {"u@[10.0.0.1]", "mx", 5},
      {"postmaster", "self", 4},  // without a domain it is our own
  };
  for (const auto& row : kTable) {
    const RouteChoice choice = router.Route(row.recipient);
    EXPECT_EQ(choice.route, row.route) << row.recipient;
    EXPECT_EQ(choice.index, row.index) << row.recipient;
  }
}

TEST(RouterTest, AStarBeforeOthersHidesThem) {
  const Router router(ConfigOf({
      Via("first", {"a.example"}, {Host("10.0.0.1:25")}),
      Via("all", {"*"}, {Host("10.0.0.2:25")}),
      Via("hidden", {"b.example", "*"}, {Host("10.0.0.3:25")}),
  }));
  EXPECT_EQ(router.Route("u@a.example").route, "first");
  EXPECT_EQ(router.Route("u@b.example").route, "all");
  EXPECT_EQ(router.Route("u@c.example").route, "all");
}

TEST(RouterTest, ARouteByItsNameTakesWhatItDoesNotMatch) {
  const Router router(ConfigOf({
      Via("first", {"a.example"}, {Host("10.0.0.1:25")}),
      AtPort(2526, Via("port", {"b.example"}, {})),
  }));
  EXPECT_EQ(router.RouteThrough("first", "u@x.example", {})->destination, "via:10.0.0.1:25");
  const std::optional<RouteChoice> port = router.RouteThrough("port", "u@X.example", {});
  ASSERT_TRUE(port.has_value());
  EXPECT_EQ(port->destination, "mx:x.example:2526");
  EXPECT_EQ(port->route, "port");
  EXPECT_EQ(router.RouteThrough(kImplicitRoute, "u@a.example", {})->destination, "mx:a.example");
  EXPECT_FALSE(router.RouteThrough("none", "u@a.example", {}).has_value());
}

TEST(RouterTest, KeysNameTheHostsInOrderOrTheDomain) {
  const Router router(ConfigOf({
      Via("two", {"two.example"}, {Host("10.1.2.3:2525"), Host("[::1]:25")}),
      Via("mx", {"mx.example"}, {}),
      Via("names", {"names.example"}, {Host("10.1.2.3:25"), Name("backup.example.net", 2525)}),
      AtPort(2526, Via("port", {"port.example", "[10.0.0.1]"}, {})),
  }));
  EXPECT_EQ(router.Route("u@names.example").destination, "via:10.1.2.3:25,backup.example.net:2525");
  EXPECT_EQ(router.Route("u@port.example").destination, "mx:port.example:2526");
  EXPECT_EQ(router.Route("u@[10.0.0.1]").destination, "mx:[10.0.0.1]:2526");
  EXPECT_EQ(router.Route("u@two.example").destination, "via:10.1.2.3:2525,[::1]:25");
  EXPECT_EQ(router.Route("u@MX.Example").destination, "mx:mx.example");
  EXPECT_EQ(router.Route("u@Elsewhere.Example").destination, "mx:elsewhere.example");
}

TEST(RouterTest, PeriodsAreTheRoutesOwn) {
  core::RouteConfig own = Via("own", {"own.example"}, {Host("10.0.0.1:25")});
  own.periods.retry_ns = {core::kNsPerMinute, core::kNsPerHour + core::kNsPerMs};
  own.periods.notify_after_ns = core::kNever;
  own.periods.retry_until_ns = 2 * core::kNsPerDay;
  core::RouteConfig short_one = Via("short", {"short.example"}, {Host("10.0.0.2:25")});
  short_one.periods.retry_ns = {core::kNsPerMs};
  short_one.periods.notify_after_ns = 2 * core::kNsPerSecond;
  short_one.periods.retry_until_ns = 10 * core::kNsPerSecond;
  core::Config config = ConfigOf({own, short_one});
  config.delivery.periods.retry_ns = {7 * core::kNsPerSecond};
  config.delivery.periods.notify_after_ns = core::kNsPerHour;
  config.delivery.periods.retry_until_ns = core::kNsPerDay;
  const Router router(config);
  RouteChoice choice = router.Route("u@own.example");
  EXPECT_THAT(choice.retry_s, ElementsAre(60u, 3600u));
  EXPECT_EQ(choice.periods.notify_after_s, Periods::kNotifyNever);
  EXPECT_EQ(choice.periods.retry_until_s, 172'800u);
  choice = router.Route("u@short.example");
  EXPECT_THAT(choice.retry_s, ElementsAre(1u));  // below a second there is nothing on disk
  EXPECT_EQ(choice.periods.notify_after_s, 2u);
  EXPECT_EQ(choice.periods.retry_until_s, 10u);
  choice = router.Route("u@elsewhere.example");
  EXPECT_EQ(choice.route, kImplicitRoute);
  EXPECT_THAT(choice.retry_s, ElementsAre(7u));
  EXPECT_EQ(choice.periods.notify_after_s, 3600u);
  EXPECT_EQ(choice.periods.retry_until_s, 86'400u);
}

TEST(RouterTest, ConnectionsAreByDestination) {
  core::RouteConfig one = Via("one", {"one.example"}, {Host("10.0.0.1:25")});
  one.max_connections = 3;
  core::RouteConfig same = Via("same", {"same.example"}, {Host("10.0.0.1:25")});
  same.max_connections = 9;
  core::RouteConfig mx = Via("mx-route", {"mx.example"}, {});
  mx.max_connections = 4;
  core::Config config = ConfigOf({one, same, mx});
  config.delivery.max_connections = 17;
  const Router router(config);
  // Two routes to the same hosts are one destination: the smaller number counts.
  EXPECT_EQ(router.ConnectionsFor(router.Route("u@one.example").destination), 3u);
  EXPECT_EQ(router.ConnectionsFor(router.Route("u@same.example").destination), 3u);
  std::swap(config.routes[0], config.routes[1]);
  EXPECT_EQ(Router(config).ConnectionsFor("via:10.0.0.1:25"), 3u);
  EXPECT_EQ(router.ConnectionsFor("mx:elsewhere.example"), 17u);
  EXPECT_EQ(router.ConnectionsFor("mx:mx.example"), 4u);
  // A route that has gone, or is another one today.
  EXPECT_EQ(router.ConnectionsFor("mx:one.example"), 17u);
  EXPECT_EQ(router.ConnectionsFor("via:10.0.0.9:25"), 17u);
}

// What the documentation says, word by word.
uint32_t Walk(const core::Config& config, std::string_view domain) {
  for (uint32_t i = 0; i < config.routes.size(); ++i) {
    for (const std::string& pattern : config.routes[i].match) {
      if (pattern == "*" || pattern == domain) return i;
      if (pattern.starts_with("*.") && domain.size() > pattern.size() - 1 &&
          domain.ends_with(std::string_view(pattern).substr(1))) {
        return i;
      }
    }
  }
  return static_cast<uint32_t>(config.routes.size());
}

// Few labels, so that names meet often.
std::string RandomDomain(core::Random* random) {
  std::string domain;
  const uint64_t labels = 1 + random->Below(4);
  for (uint64_t i = 0; i < labels; ++i) {
    if (i > 0) domain.push_back('.');
    domain.push_back(static_cast<char>('a' + random->Below(3)));
    if (random->Chance(1, 4)) domain.push_back('a');
  }
  return domain;
}

TEST(RouterTest, AgreesWithAWalkThroughTheList) {
  core::Random random(42);
  int implicit = 0;
  int explicit_ones = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<core::RouteConfig> routes;
    const uint64_t count = random.Below(12);
    for (uint64_t i = 0; i < count; ++i) {
      std::vector<std::string> match;
      for (uint64_t j = 0; j <= random.Below(3); ++j) {
        const uint64_t kind = random.Below(20);
        match.push_back(kind == 0  ? "*"
                        : kind < 9 ? "*." + RandomDomain(&random)
                                   : RandomDomain(&random));
      }
      routes.push_back(Via("r" + std::to_string(i), std::move(match), {}));
    }
    const core::Config config = ConfigOf(std::move(routes));
    const Router router(config);
    for (int question = 0; question < 100; ++question) {
      const std::string domain = RandomDomain(&random);
      const uint32_t expected = Walk(config, domain);
      ASSERT_EQ(router.Route("someone@" + domain).index, expected) << round << " " << domain;
      ++(expected == config.routes.size() ? implicit : explicit_ones);
    }
  }
  // The test is about both.
  EXPECT_GT(implicit, 1000);
  EXPECT_GT(explicit_ones, 1000);
}

}  // namespace
}  // namespace outbox::queue
