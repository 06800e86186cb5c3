// The rules of RFC 5321 5.1 and RFC 7505 as a table: MX records in, hosts or the reason out.
#include "dns/mx_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/time.h"

namespace outbox::dns {
namespace {

constexpr int64_t kNowNs = 5000 * core::kNsPerSecond;
constexpr int64_t kLaterNs = kNowNs + core::kNsPerHour;

core::IpAddress Ip(const std::string& text) { return core::IpAddress::Parse(text).value(); }

AnswerPtr Addresses(const std::vector<std::string>& texts, int64_t expires_ns = kLaterNs) {
  auto answer = std::make_shared<Answer>();
  answer->kind = texts.empty() ? AnswerKind::kNoData : AnswerKind::kRecords;
  for (const std::string& text : texts) answer->addresses.push_back(Ip(text));
  answer->expires_ns = expires_ns;
  return answer;
}

AnswerPtr Of(AnswerKind kind, const std::string& failure = "") {
  auto answer = std::make_shared<Answer>();
  answer->kind = kind;
  answer->failure = failure;
  answer->expires_ns = kLaterNs;
  return answer;
}

// What every case knows about hosts.
const std::map<std::string, HostAnswers>& World() {
  static const auto* const world = new std::map<std::string, HostAnswers>{
      {"a.example", {Addresses({"192.0.2.1"}), Addresses({})}},
      {"b.example", {Addresses({"192.0.2.2", "192.0.2.3"}), Addresses({"2001:db8::2"})}},
      {"six.example", {Addresses({}), Addresses({"2001:db8::6"})}},
      {"bare.example", {Addresses({}), Addresses({})}},
      {"gone.example", {Of(AnswerKind::kNoSuchName), Of(AnswerKind::kNoSuchName)}},
      {"lame.example", {Of(AnswerKind::kFailed, "ns said no"), Of(AnswerKind::kFailed, "ns")}},
      {"half.example", {Addresses({"192.0.2.9"}), Of(AnswerKind::kFailed, "ns said no")}},
      {"zero.example", {Addresses({"0.0.0.0", "0.1.2.3"}), Addresses({"::"})}},
      {"multi.example", {Addresses({"224.0.0.1", "255.255.255.255"}), Addresses({"ff02::1"})}},
      {"ouraddress.example", {Addresses({"192.0.2.1", "198.51.100.7"}), Addresses({})}},
      {"us.example", {Addresses({"203.0.113.1"}), Addresses({})}},
      {"domain.example", {Addresses({"192.0.2.50"}), Addresses({})}},
  };
  return *world;
}

const Self& Us() {
  static const auto* const self = new Self{{"us.example", "other-us.example"},
                                           {core::Network::Parse("198.51.100.0/24").value()}};
  return *self;
}

MxPlan Finish(MxDraft draft) {
  if (draft.done) return std::move(draft.plan);
  std::vector<HostAnswers> answers;
  for (const MxHost& host : draft.plan.hosts) {
    const auto found = World().find(host.name);
    answers.push_back(found == World().end() ? HostAnswers() : found->second);
  }
  return FinishPlan(std::move(draft), answers, Us(), kNowNs);
}

struct PlanCase {
  const char* name;
  std::vector<MxRecord> mx;
  MxPlanKind kind;
  std::string hosts;  // "10 a.example, 20 b.example"
};

class MxRulesTest : public testing::TestWithParam<PlanCase> {};

TEST_P(MxRulesTest, RecordsToPlan) {
  Answer mx;
  mx.kind = GetParam().mx.empty() ? AnswerKind::kNoData : AnswerKind::kRecords;
  mx.mx = GetParam().mx;
  mx.expires_ns = kLaterNs;
  const MxPlan plan = Finish(ListHosts("domain.example", mx, Us(), kNowNs));
  std::string hosts;
  for (const MxHost& host : plan.hosts) {
    if (!hosts.empty()) hosts += ", ";
    hosts += std::to_string(host.preference) + " " + host.name;
  }
  EXPECT_EQ(MxPlanKindName(plan.kind), std::string(MxPlanKindName(GetParam().kind))) << plan.reason;
  EXPECT_EQ(hosts, GetParam().hosts);
  EXPECT_FALSE(plan.reason.empty());
  EXPECT_GT(plan.valid_until_ns, kNowNs);
}

std::string CaseName(const testing::TestParamInfo<PlanCase>& which) { return which.param.name; }

using K = MxPlanKind;
INSTANTIATE_TEST_SUITE_P(
    Table, MxRulesTest,
    testing::ValuesIn(std::vector<PlanCase>{
        {"OneHost", {{10, "a.example"}}, K::kHosts, "10 a.example"},
        {"ByPreference",
         {{20, "a.example"}, {10, "b.example"}},
         K::kHosts,
         "10 b.example, 20 a.example"},
        {"Equals", {{5, "b.example"}, {5, "a.example"}}, K::kHosts, "5 a.example, 5 b.example"},
        {"SameHostTwice", {{20, "a.example"}, {10, "a.example"}}, K::kHosts, "10 a.example"},
        {"NoMx", {}, K::kHosts, "0 domain.example"},
        {"NullMx", {{0, "."}}, K::kNullMx, ""},
        {"NullMxOfAnotherPreference", {{10, "."}}, K::kNullMx, ""},
        {"NullMxAmongOthers", {{0, "."}, {10, "a.example"}}, K::kHosts, "10 a.example"},
        {"AddressAsName", {{10, "192.0.2.1"}}, K::kInvalid, ""},
        {"AddressAsNameAmongOthers",
         {{5, "192.0.2.1"}, {10, "a.example"}},
         K::kHosts,
         "10 a.example"},
        {"NoName", {{10, "a b"}, {10, "\\."}}, K::kInvalid, ""},
        {"OnlyIpv6", {{10, "six.example"}}, K::kHosts, "10 six.example"},
        {"FirstGone",
         {{10, "gone.example"}, {20, "a.example"}},
         K::kHosts,
         "10 gone.example, 20 a.example"},
        {"FirstLame",
         {{10, "lame.example"}, {20, "a.example"}},
         K::kHosts,
         "10 lame.example, 20 a.example"},
        {"AllGone", {{10, "gone.example"}, {20, "bare.example"}}, K::kNoAddress, ""},
        {"AllLame", {{10, "lame.example"}}, K::kTemporary, ""},
        {"GoneAndLame", {{10, "gone.example"}, {20, "lame.example"}}, K::kTemporary, ""},
        {"HalfIsEnough", {{10, "half.example"}}, K::kHosts, "10 half.example"},
        {"Wildcards", {{10, "zero.example"}}, K::kNoAddress, ""},
        {"Multicast", {{10, "multi.example"}}, K::kNoAddress, ""},
        {"UsLast", {{10, "a.example"}, {20, "us.example"}}, K::kHosts, "10 a.example"},
        {"UsInTheMiddle",
         {{10, "a.example"}, {20, "us.example"}, {30, "b.example"}},
         K::kHosts,
         "10 a.example"},
        {"UsAmongEquals",
         {{10, "a.example"}, {20, "us.example"}, {20, "b.example"}},
         K::kHosts,
         "10 a.example"},
        {"UsFirst", {{10, "us.example"}, {20, "a.example"}}, K::kSelf, ""},
        {"UsAlone", {{10, "other-us.example"}}, K::kSelf, ""},
        {"UsTwice",
         {{10, "a.example"}, {20, "us.example"}, {15, "other-us.example"}},
         K::kHosts,
         "10 a.example"},
        {"UsByAddress",
         {{10, "a.example"}, {20, "ouraddress.example"}, {30, "b.example"}},
         K::kHosts,
         "10 a.example"},
        {"UsByAddressFirst", {{10, "ouraddress.example"}, {20, "a.example"}}, K::kSelf, ""},
        {"NothingBetterThanUsHasAnAddress",
         {{10, "gone.example"}, {20, "us.example"}},
         K::kNoAddress,
         ""},
    }),
    CaseName);

TEST(MxRulesTest, NoMoreHostsThanTheBoundAndTheBestOnes) {
  Answer mx;
  mx.kind = AnswerKind::kRecords;
  mx.expires_ns = kLaterNs;
  for (uint16_t i = 1; i <= 60; ++i) {
    mx.mx.push_back({static_cast<uint16_t>(100 - i), "h" + std::to_string(i) + ".example"});
  }
  const MxDraft draft = ListHosts("domain.example", mx, Us(), kNowNs);
  ASSERT_EQ(draft.plan.hosts.size(), core::kDnsHostsMax);
  EXPECT_EQ(draft.plan.hosts.front().name, "h60.example");
}

// --- How long it holds ---------------------------------------------------------------------------

MxPlan PlanWith(AnswerKind kind, int64_t mx_ns, int64_t address_ns) {
  Answer mx;
  mx.kind = kind;
  if (kind == AnswerKind::kRecords) mx.mx = {{10, "a.example"}};
  mx.expires_ns = kNowNs + mx_ns;
  MxDraft draft = ListHosts("domain.example", mx, Us(), kNowNs);
  if (draft.done) return std::move(draft.plan);
  const HostAnswers host = {Addresses({"192.0.2.1"}, kNowNs + address_ns), nullptr};
  return FinishPlan(std::move(draft), {host}, Us(), kNowNs);
}

TEST(ValidityTest, TheShortestTtlWithinItsBounds) {
  const auto holds = [](int64_t mx_ns, int64_t address_ns) {
    return PlanWith(AnswerKind::kRecords, mx_ns, address_ns).valid_until_ns - kNowNs;
  };
  EXPECT_EQ(holds(600, core::kNsPerMinute), core::kDnsPlanMinNs);
  EXPECT_EQ(holds(core::kNsPerHour, core::kNsPerMinute), core::kNsPerMinute);
  EXPECT_EQ(holds(core::kNsPerMinute, core::kNsPerHour), core::kNsPerMinute);
  EXPECT_EQ(holds(0, 0), core::kDnsPlanMinNs);
  EXPECT_EQ(holds(90 * core::kNsPerDay, 90 * core::kNsPerDay), core::kDnsTtlMaxNs);
}

TEST(ValidityTest, WithoutHostsItIsAskedAgainByTtlOrAfterAFewMinutes) {
  const auto again = [](int64_t ttl_ns) {
    return PlanWith(AnswerKind::kNoSuchName, ttl_ns, 0).valid_until_ns - kNowNs;
  };
  EXPECT_EQ(again(0), core::kDnsRetryNominalNs);
  EXPECT_EQ(again(core::kNsPerSecond), core::kDnsRetryMinNs);
  EXPECT_EQ(again(10 * core::kNsPerMinute), 10 * core::kNsPerMinute);
  EXPECT_EQ(again(core::kNsPerDay), core::kDnsRetryMaxNs);
  EXPECT_EQ(PlanWith(AnswerKind::kFailed, core::kNsPerSecond, 0).valid_until_ns - kNowNs,
            core::kDnsRetryNominalNs);
}

TEST(ValidityTest, WhatIsHalfKnownIsAskedAgainSoon) {
  Answer mx;
  mx.kind = AnswerKind::kRecords;
  mx.mx = {{10, "half.example"}};
  mx.expires_ns = kLaterNs;
  const MxPlan plan = Finish(ListHosts("domain.example", mx, Us(), kNowNs));
  EXPECT_EQ(plan.valid_until_ns, kNowNs + core::kDnsRetryMinNs);
}

// --- Sentences -----------------------------------------------------------------------------------

TEST(ReasonTest, StaysReadableWhateverIsInIt) {
  Answer mx;
  mx.kind = AnswerKind::kRecords;
  mx.expires_ns = kLaterNs;
  for (uint16_t i = 0; i < 40; ++i) {
    mx.mx.push_back({i, std::string(60, 'x') + std::to_string(i) + ".example"});
  }
  MxDraft draft = ListHosts("domain.example", mx, Us(), kNowNs);
  const HostAnswers lame = {Of(AnswerKind::kFailed, std::string(300, 'f')), nullptr};
  const std::vector<HostAnswers> answers(draft.plan.hosts.size(), lame);
  const MxPlan plan = FinishPlan(std::move(draft), answers, Us(), kNowNs);
  EXPECT_EQ(plan.kind, MxPlanKind::kTemporary);
  EXPECT_LT(plan.reason.size(), 900u);
}

TEST(ReasonTest, OfAListOfHosts) {
  const MxPlan plan = Finish(ListOf({"a.example", "lame.example", "192.0.2.8"}));
  EXPECT_EQ(plan.reason,
            "hosts of the route: a.example, lame.example, 192.0.2.8; without an address: "
            "lame.example (ns)");
}

}  // namespace
}  // namespace outbox::dns
