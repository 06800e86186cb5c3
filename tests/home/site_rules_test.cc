// Which site mail goes to: the configured one that matches first, else the set of hosts.
#include "queue/site_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/time.h"
#include "queue/reply_rules.h"
#include "queue/router.h"
#include "queue/suspension_list.h"

namespace outbox::queue {
namespace {

core::Config TestConfig() {
  core::Config config;
  config.hostname = "relay.example";
  config.delivery.max_connections = 17;
  config.delivery.messages_per_connection = 70;
  core::SiteConfig large;
  large.name = "large";
  large.hosts = {"*.mx.example.com", "mx.example.com"};
  large.max_connections = 3;
  large.messages_per_connection = 10;
  large.max_rate = {100, core::kNsPerMinute};
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
  EXPECT_EQ(large.messages_per_connection, 10u);
  EXPECT_EQ(large.rate, (core::Rate{100, core::kNsPerMinute}));
  // Whatever the hosts, it is one site.
  EXPECT_EQ(large.hash, rules_.For("mx:b.example", Hosts("b.example", {"7.mx.example.com"})).hash);
  const SitePolicy other = rules_.For("mx:a.example", Hosts("a.example", {"elsewhere.example"}));
  EXPECT_EQ(other.max_connections, 17u);
  EXPECT_EQ(other.messages_per_connection, 70u);
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

smtp::Reply ReplyOf(uint16_t code, std::string_view text, smtp::EnhancedCode enhanced = {}) {
  smtp::Reply reply;
  reply.code = code;
  reply.enhanced = enhanced;
  reply.text = text;
  return reply;
}

TEST(ReplyRulesTest, TheFirstRuleThatFitsCounts) {
  ReplyRule greeting;
  greeting.patterns = {"connections"};
  greeting.phases = static_cast<uint8_t>(core::ReplyPhase::kGreeting);
  ReplyRule any;
  any.patterns = {"450 4.7.1 too much", "connections"};
  const auto rules = ReplyRules::Make({greeting, any});
  const auto index = [&](smtp::Stage stage, const smtp::Reply& reply) {
    const ReplyRule* rule = rules->Find(stage, reply);
    return rule == nullptr ? -1 : *rule == greeting ? 0 : 1;
  };
  EXPECT_EQ(index(smtp::Stage::kGreeting, ReplyOf(421, "Too many Connections")), 0);
  EXPECT_EQ(index(smtp::Stage::kRcpt, ReplyOf(421, "Too many Connections")), 1);
  EXPECT_EQ(index(smtp::Stage::kMail, ReplyOf(450, "Too MUCH mail", {4, 7, 1})), 1);
  EXPECT_EQ(index(smtp::Stage::kMail, ReplyOf(450, "Too MUCH mail", {4, 7, 2})), -1);
  EXPECT_EQ(index(smtp::Stage::kFinalDot, ReplyOf(550, "no such user")), -1);
  EXPECT_EQ(ReplyRules::Make({}), nullptr);
}

// A reload with the same rules changes nothing for a destination.
TEST(ReplyRulesTest, ThePolicyIsTheSameWithTheSameRules) {
  core::Config config = TestConfig();
  ReplyRule rule;
  rule.patterns = {"slow"};
  config.sites[0].on_reply = {rule};
  const Router router(config);
  const SiteRules before(config, &router);
  const SiteRules after(config, &router);
  const SiteHosts hosts = Hosts("a.example", {"mx.example.com"});
  EXPECT_EQ(before.For("mx:a.example", hosts), after.For("mx:a.example", hosts));
  config.sites[0].on_reply[0].patterns = {"slower"};
  const SiteRules other(config, &router);
  EXPECT_FALSE(before.For("mx:a.example", hosts) == other.For("mx:a.example", hosts));
  config.sites[0].on_reply.clear();
  const SiteRules none(config, &router);
  EXPECT_FALSE(before.For("mx:a.example", hosts) == none.For("mx:a.example", hosts));
  EXPECT_EQ(none.For("mx:a.example", hosts).on_reply, nullptr);
}

TEST(SuspensionListTest, WhatIsSuspended) {
  const auto domain = [](const char* pattern) {
    Suspension one;
    one.name = pattern;
    return one;
  };
  Suspension large = domain("large");
  large.site = true;
  const SuspensionList list({domain("one.example"), domain("*.two.example"), large});
  const auto name = [](const SuspensionList& of, const char* where, const char* site) {
    const Suspension* found = of.Find(where, site);
    return found == nullptr ? std::string() : found->name;
  };
  EXPECT_EQ(name(list, "one.example", ""), "one.example");
  EXPECT_EQ(name(list, "a.one.example", ""), "");
  EXPECT_EQ(name(list, "a.b.two.example", "large"), "*.two.example");
  EXPECT_EQ(name(list, "two.example", "large"), "large");
  EXPECT_EQ(name(list, "", "large"), "large");
  EXPECT_EQ(name(list, "large", ""), "");
  EXPECT_EQ(name(SuspensionList({domain("*")}), "", ""), "*");
  EXPECT_EQ(SuspensionList().Find("one.example", "large"), nullptr);
}

}  // namespace
}  // namespace outbox::queue
