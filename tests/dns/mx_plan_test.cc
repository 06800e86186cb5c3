// The plan as a value: its site, and the order in which an attempt tries its addresses.
#include "dns/mx_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"

namespace outbox::dns {
namespace {

core::IpAddress Ip(const char* text) { return core::IpAddress::Parse(text).value(); }

MxPlan PlanOf(std::vector<MxHost> hosts) {
  MxPlan plan;
  plan.kind = MxPlanKind::kHosts;
  plan.hosts = std::move(hosts);
  return plan;
}

TEST(SiteKeyTest, TheSetOfNamesWhateverTheOrder) {
  const MxPlan one = PlanOf({{"b.example", 10, {}}, {"a.example", 20, {}}});
  const MxPlan other = PlanOf({{"a.example", 5, {}}, {"b.example", 5, {}}});
  EXPECT_EQ(one.SiteKey(), "a.example,b.example");
  EXPECT_EQ(one.SiteKey(), other.SiteKey());
  EXPECT_EQ(PlanOf({{"a.example", 0, {}}, {"a.example", 1, {}}}).SiteKey(), "a.example");
}

TEST(ChooseCandidatesTest, PreferenceDecidesAndEqualsAreShuffled) {
  const MxPlan plan = PlanOf({{"a", 10, {Ip("192.0.2.1")}},
                              {"b", 20, {Ip("192.0.2.2")}},
                              {"c", 20, {Ip("192.0.2.3")}},
                              {"d", 20, {Ip("192.0.2.4")}},
                              {"e", 30, {Ip("192.0.2.5")}}});
  core::Random random(7);
  std::map<std::vector<uint32_t>, int> orders;
  for (int i = 0; i < 600; ++i) {
    std::vector<uint32_t> order;
    for (const MxCandidate& candidate : ChooseCandidates(plan, 10, &random)) {
      EXPECT_EQ(candidate.address, plan.hosts[candidate.host].addresses[0]);
      order.push_back(candidate.host);
    }
    ASSERT_EQ(order.size(), 5u);
    EXPECT_EQ(order.front(), 0u);
    EXPECT_EQ(order.back(), 4u);
    ++orders[order];
  }
  EXPECT_EQ(orders.size(), 6u);  // 3! orders of the middle
  for (const auto& [order, times] : orders) EXPECT_GT(times, 50);
}

TEST(ChooseCandidatesTest, FamiliesTakeTurns) {
  const MxPlan plan =
      PlanOf({{"a", 10, {Ip("192.0.2.1"), Ip("192.0.2.2"), Ip("192.0.2.3"), Ip("2001:db8::1")}}});
  core::Random random(1);
  const std::vector<MxCandidate> chosen = ChooseCandidates(plan, 10, &random);
  ASSERT_EQ(chosen.size(), 4u);
  EXPECT_FALSE(chosen[0].address.is_v4());
  EXPECT_TRUE(chosen[1].address.is_v4());
  std::set<core::IpAddress> all;
  for (const MxCandidate& candidate : chosen) all.insert(candidate.address);
  EXPECT_EQ(all.size(), 4u);
}

TEST(ChooseCandidatesTest, EveryHostHasAPlaceBeforeOneHasTwo) {
  std::vector<core::IpAddress> many;
  for (uint8_t i = 1; i <= 20; ++i) many.push_back(core::IpAddress::V4(192, 0, 2, i));
  const MxPlan plan = PlanOf({{"a", 10, many},
                              {"none", 15, {}},
                              {"b", 20, {Ip("198.51.100.1")}},
                              {"c", 30, {Ip("198.51.100.2"), Ip("198.51.100.3")}}});
  core::Random random(3);
  std::map<uint32_t, int> per_host;
  uint32_t last = 0;
  for (const MxCandidate& candidate : ChooseCandidates(plan, 10, &random)) {
    EXPECT_GE(candidate.host, last);  // still by preference
    last = candidate.host;
    ++per_host[candidate.host];
  }
  EXPECT_EQ(per_host, (std::map<uint32_t, int>{{0, 7}, {2, 1}, {3, 2}}));
}

TEST(ChooseCandidatesTest, NoMoreThanAsked) {
  std::vector<MxHost> hosts;
  for (uint8_t i = 1; i <= 20; ++i) {
    hosts.push_back({"h" + std::to_string(i), i, {core::IpAddress::V4(192, 0, 2, i)}});
  }
  core::Random random(3);
  const std::vector<MxCandidate> chosen = ChooseCandidates(PlanOf(hosts), 10, &random);
  ASSERT_EQ(chosen.size(), 10u);
  EXPECT_EQ(chosen.back().host, 9u);
  EXPECT_TRUE(ChooseCandidates(PlanOf({}), 10, &random).empty());
}

}  // namespace
}  // namespace outbox::dns
