// Which site mail goes to: the configured one that matches first, else the set of hosts.
#include "queue/site_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/time.h"
#include "queue/router.h"

namespace outbox::queue {
namespace {

core::Config TestConfig() {
  core::Config config;
  config.hostname = "relay.example";
  config.delivery.max_connections = 17;
  config.delivery.max_messages_per_connection = 70;
  core::SiteConfig large;
  large.name = "large";
  large.hosts = {"*.mx.example.com", "mx.example.com"};
  large.max_connections = 3;
  large.max_messages_per_connection = 10;
  large.rate = {100, core::kNsPerMinute};
  core::SiteConfig domain;
  domain.name = "domain";
  domain.domains = {"one.example"};
  core::SiteConfig wide;
  wide.name = "wide";
  wide.hosts = {"*.example.com"};
  wide.domains = {"two.example"};
  config.sites = {large, domain, wide};
  return config;
}

SiteHosts Hosts(std::string domain, std::vector<std::string> best,
                std::vector<std::string> behind = {}) {
  SiteHosts hosts;
  hosts.domain = std::move(domain);
  hosts.best = std::move(best);
  for (const std::string& name : hosts.best) hosts.places.push_back(name + ":25");
  for (const std::string& name : behind) hosts.places.push_back(name + ":25");
  return hosts;
}

class SiteRulesTest : public testing::Test {
 protected:
  std::string NameOf(const SiteHosts& hosts) {
    return rules_.For("mx:" + hosts.domain, hosts).name;
  }

  const core::Config config_ = TestConfig();
  const Router router_{config_};
  const SiteRules rules_{config_, &router_};
};

TEST_F(SiteRulesTest, TheFirstSiteThatMatchesWins) {
  EXPECT_EQ(NameOf(Hosts("a.example", {"mx.example.com"})), "large");
  EXPECT_EQ(NameOf(Hosts("a.example", {"1.mx.example.com", "2.mx.example.com"})), "large");
  EXPECT_EQ(NameOf(Hosts("a.example", {"www.example.com"})), "wide");
  EXPECT_EQ(NameOf(Hosts("one.example", {"www.example.com"})), "domain");
  EXPECT_EQ(NameOf(Hosts("one.example", {"mx.example.com"})), "large");
  EXPECT_EQ(NameOf(Hosts("two.example", {"elsewhere.example"})), "wide");
  // A host behind the best ones does not count; all of the best ones do.
  EXPECT_EQ(NameOf(Hosts("a.example", {"mx.example.com"}, {"elsewhere.example"})), "large");
  EXPECT_EQ(NameOf(Hosts("a.example", {"mx.example.com", "elsewhere.example"})),
            "elsewhere.example:25,mx.example.com:25");
}

TEST_F(SiteRulesTest, TheLimitsAreTheSites) {
  const SitePolicy large = rules_.For("mx:a.example", Hosts("a.example", {"mx.example.com"}));
  EXPECT_EQ(large.max_connections, 3u);
  EXPECT_EQ(large.max_messages_per_connection, 10u);
  EXPECT_EQ(large.rate, (core::Rate{100, core::kNsPerMinute}));
  // Whatever the hosts, it is one site.
  EXPECT_EQ(large.hash, rules_.For("mx:b.example", Hosts("b.example", {"7.mx.example.com"})).hash);
  const SitePolicy other = rules_.For("mx:a.example", Hosts("a.example", {"elsewhere.example"}));
  EXPECT_EQ(other.max_connections, 17u);
  EXPECT_EQ(other.max_messages_per_connection, 70u);
  EXPECT_FALSE(other.rate.limited());
  EXPECT_NE(other.hash, large.hash);
}

TEST_F(SiteRulesTest, TheSameHostsAreTheSameSite) {
  const auto hash = [&](const SiteHosts& hosts) { return rules_.For("mx:x", hosts).hash; };
  const uint64_t first = hash(Hosts("a.example", {"x.example", "y.example"}));
  EXPECT_EQ(first, hash(Hosts("b.example", {"y.example"}, {"x.example"})));
  EXPECT_EQ(first, hash(Hosts("c.example", {"x.example", "x.example"}, {"y.example"})));
  EXPECT_NE(first, hash(Hosts("d.example", {"x.example"})));
  EXPECT_NE(hash(Hosts("d.example", {"x.example"})), hash(Hosts("d.example", {"y.example"})));
}

}  // namespace
}  // namespace outbox::queue
