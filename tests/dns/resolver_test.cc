// Whole resolutions, from the question of an owner to the plan, against simulated name servers.
#include "dns/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/time.h"
#include "tests/dns/resolver_world.h"

namespace outbox::dns {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(QueryTest, IsNotInFlightBeforeItIsAsked) {
  Query query;
  EXPECT_FALSE(query.in_flight());
}

// --- Every shape of MX ---------------------------------------------------------------------------

TEST(ResolverTest, HostsByPreferenceWithAllTheirAddresses) {
  ResolverWorld on;
  on.AddMx("example.com", 20, "b.example.com");
  on.AddMx("example.com", 10, "a.example.com");
  on.AddMx("example.com", 20, "c.example.com");
  on.AddAddress("a.example.com", "192.0.2.1");
  on.AddAddress("a.example.com", "2001:db8::1");
  on.AddAddress("b.example.com", "192.0.2.2");
  on.AddAddress("c.example.com", "192.0.2.3");
  const MxPlan plan = on.Plan("Example.COM.");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts) << plan.reason;
  EXPECT_EQ(plan.domain, "example.com");
  EXPECT_FALSE(plan.implicit);
  EXPECT_EQ(HostsOf(plan),
            "10 a.example.com: 192.0.2.1 2001:db8::1; 20 b.example.com: 192.0.2.2; "
            "20 c.example.com: 192.0.2.3");
  EXPECT_EQ(plan.reason,
            "mail hosts of example.com: 10 a.example.com, 20 b.example.com, 20 c.example.com, "
            "says 10.0.0.53");
  EXPECT_EQ(plan.SiteKey(), "a.example.com,b.example.com,c.example.com");
}

TEST(ResolverTest, TheDomainItselfWithoutMx) {
  ResolverWorld on;
  on.AddAddress("example.com", "192.0.2.1");
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts) << plan.reason;
  EXPECT_TRUE(plan.implicit);
  EXPECT_EQ(HostsOf(plan), "0 example.com: 192.0.2.1");
}

TEST(ResolverTest, OnlyIpv6) {
  ResolverWorld on;
  on.AddAddress("example.com", "2001:db8::25");
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "0 example.com: 2001:db8::25");
}

TEST(ResolverTest, AFamilyThatIsOffIsNotAskedFor) {
  ResolverOptions options;
  options.ipv6 = false;
  ResolverWorld on({}, options);
  on.AddAddress("example.com", "192.0.2.1");
  on.AddAddress("example.com", "2001:db8::25");
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "0 example.com: 192.0.2.1");
  EXPECT_EQ(on.questions(), 2u);
}

TEST(ResolverTest, NullMx) {
  ResolverWorld on;
  on.AddMx("example.com", 0, ".");
  on.AddAddress("example.com", "192.0.2.1");
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kNullMx);
  EXPECT_EQ(plan.reason, "example.com takes no mail: it has a null MX record, says 10.0.0.53");
}

TEST(ResolverTest, NoSuchDomain) {
  ResolverWorld on;
  const MxPlan plan = on.Plan("nowhere.example");
  EXPECT_EQ(plan.kind, MxPlanKind::kNoSuchDomain);
  EXPECT_EQ(plan.reason, "the domain nowhere.example does not exist (NXDOMAIN), says 10.0.0.53");
}

TEST(ResolverTest, NamesThatCannotBe) {
  ResolverWorld on;
  for (const std::string& name :
       {std::string("a..b"), std::string(""), std::string("."), std::string(64, 'x') + ".example",
        std::string("b\xc3\xbc.example"), std::string("[300.1.1.1]"), std::string("[::1]"),
        std::string("a b.example"), std::string("[")}) {
    Asker asker;
    on.Ask(&asker, name);
    ASSERT_NE(asker.plan, nullptr) << name;
    EXPECT_TRUE(asker.at_once);
    EXPECT_EQ(asker.plan->kind, MxPlanKind::kNoSuchDomain) << name;
  }
  EXPECT_EQ(on.questions(), 0u);
}

TEST(ResolverTest, AddressLiterals) {
  ResolverOptions options;
  options.own_networks = {core::Network::Parse("192.0.2.9").value()};
  ResolverWorld on({}, options);
  const MxPlan plan = on.Plan("[192.0.2.1]");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts);
  EXPECT_EQ(HostsOf(plan), "0 192.0.2.1: 192.0.2.1");
  EXPECT_EQ(HostsOf(on.Plan("[IPv6:2001:db8::1]")), "0 2001:db8::1: 2001:db8::1");
  EXPECT_EQ(on.Plan("[192.0.2.9]").kind, MxPlanKind::kSelf);
  EXPECT_EQ(on.Plan("[0.0.0.0]").kind, MxPlanKind::kNoAddress);
  EXPECT_EQ(on.questions(), 0u);
}

TEST(ResolverTest, TheTargetOfAnMxMayBeAnAlias) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "mail.example.com");
  for (SimNameServer* server : {&on.first, &on.second}) {
    server->AddAlias("mail.example.com", "host.example.net");
  }
  on.AddAddress("host.example.net", "192.0.2.1");
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "10 mail.example.com: 192.0.2.1");
}

TEST(ResolverTest, ADomainMayBeAnAlias) {
  for (const bool alias_only : {false, true}) {
    ResolverWorld on;
    for (SimNameServer* server : {&on.first, &on.second}) {
      server->AddAlias("www.example.com", "alias.example.com");
      server->AddAlias("alias.example.com", "example.net");
      server->faults().alias_only = alias_only;
    }
    on.AddMx("example.net", 10, "mx.example.net");
    on.AddAddress("mx.example.net", "192.0.2.1");
    const MxPlan plan = on.Plan("www.example.com");
    EXPECT_EQ(plan.domain, "www.example.com");
    EXPECT_EQ(HostsOf(plan), "10 mx.example.net: 192.0.2.1") << plan.reason;
  }
}

TEST(ResolverTest, AliasesInACircle) {
  for (const bool alias_only : {false, true}) {
    ResolverWorld on;
    for (SimNameServer* server : {&on.first, &on.second}) {
      server->AddAlias("a.example", "b.example");
      server->AddAlias("b.example", "a.example");
      server->faults().alias_only = alias_only;
    }
    const MxPlan plan = on.Plan("a.example");
    EXPECT_EQ(plan.kind, MxPlanKind::kInvalid) << plan.reason;
    EXPECT_LT(on.questions(), 20u);
  }
}

TEST(ResolverTest, OneHostThatDoesNotResolveIsNoObstacle) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "gone.example.com");
  on.AddMx("example.com", 20, "b.example.com");
  on.AddAddress("b.example.com", "192.0.2.2");
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts);
  EXPECT_EQ(HostsOf(plan), "10 gone.example.com:; 20 b.example.com: 192.0.2.2");
  EXPECT_THAT(plan.reason, HasSubstr("without an address: gone.example.com (no such name)"));
}

TEST(ResolverTest, ADeadHostNameIsWaitedForOnlyShortly) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "slow.example.com");
  on.AddMx("example.com", 20, "b.example.com");
  on.AddAddress("b.example.com", "192.0.2.2");
  for (SimNameServer* server : {&on.first, &on.second}) {
    server->FaultsOf("slow.example.com").silent = true;
  }
  const int64_t begin_ns = on.world.now_ns();
  const MxPlan plan = on.Plan("example.com");
  const int64_t took_ns = on.world.now_ns() - begin_ns;
  EXPECT_EQ(HostsOf(plan), "10 slow.example.com:; 20 b.example.com: 192.0.2.2");
  EXPECT_GE(took_ns, core::kDnsPatienceNs);
  EXPECT_LT(took_ns, core::kDnsPatienceNs + core::kNsPerSecond);
  EXPECT_LE(plan.valid_until_ns, on.world.now_ns() + core::kDnsRetryMinNs);
}

TEST(ResolverTest, NoneOfTheHostsHasAnAddress) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "a.example.com");
  on.AddMx("example.com", 20, "b.example.com");
  on.first.AddName("b.example.com");
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kNoAddress);
  EXPECT_EQ(plan.reason,
            "none of the mail hosts of example.com has a usable address: a.example.com (no such "
            "name); b.example.com (no usable address), says 10.0.0.53");
  EXPECT_TRUE(plan.hosts.empty());
}

TEST(ResolverTest, NeitherMxNorAddress) {
  ResolverWorld on;
  on.first.AddName("example.com");
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kNoAddress);
  EXPECT_EQ(plan.reason,
            "example.com has neither an MX record nor a usable address, says 10.0.0.53");
}

TEST(ResolverTest, OurselvesAmongTheHosts) {
  ResolverOptions options;
  options.own_names = {"Us.example."};
  options.own_networks = {core::Network::Parse("192.0.2.99").value()};
  ResolverWorld on({}, options);
  on.AddMx("middle.example", 10, "a.example");
  on.AddMx("middle.example", 20, "us.example");
  on.AddMx("middle.example", 20, "b.example");
  on.AddMx("middle.example", 30, "c.example");
  on.AddMx("first.example", 5, "us.example");
  on.AddMx("first.example", 10, "a.example");
  on.AddMx("address.example", 10, "a.example");
  on.AddMx("address.example", 20, "alias-of-us.example");
  on.AddMx("address.example", 30, "c.example");
  on.AddMx("only.example", 10, "alias-of-us.example");
  for (const char* name : {"a.example", "b.example", "c.example"}) {
    on.AddAddress(name, "192.0.2.1");
  }
  on.AddAddress("alias-of-us.example", "192.0.2.99");
  EXPECT_EQ(HostsOf(on.Plan("middle.example")), "10 a.example: 192.0.2.1");
  EXPECT_EQ(HostsOf(on.Plan("address.example")), "10 a.example: 192.0.2.1");
  const MxPlan first = on.Plan("first.example");
  EXPECT_EQ(first.kind, MxPlanKind::kSelf);
  EXPECT_EQ(first.reason,
            "the best mail host of first.example, us.example, is this machine itself, says "
            "10.0.0.53");
  EXPECT_EQ(on.Plan("only.example").kind, MxPlanKind::kSelf);
  const MxPlan itself = on.Plan("alias-of-us.example");
  EXPECT_EQ(itself.kind, MxPlanKind::kSelf);
  EXPECT_EQ(itself.reason,
            "alias-of-us.example has no MX record and is this machine itself, says 10.0.0.53");
}

TEST(ResolverTest, MxRecordsThatNameNoHosts) {
  ResolverWorld on;
  on.AddMx("address.example", 10, "192.0.2.1", 600);
  const MxPlan plan = on.Plan("address.example");
  EXPECT_EQ(plan.kind, MxPlanKind::kInvalid);
  EXPECT_EQ(plan.reason,
            "the MX records of address.example name nothing that can be a host: 10 192.0.2.1, "
            "says 10.0.0.53");
  // By the record's TTL.
  EXPECT_NEAR(static_cast<double>(plan.valid_until_ns - on.world.now_ns()),
              600.0 * core::kNsPerSecond, 1.0 * core::kNsPerSecond);
}

TEST(ResolverTest, HostsOfARoute) {
  ResolverWorld on;
  on.AddAddress("relay.example", "192.0.2.1");
  on.AddAddress("backup.example", "2001:db8::2");
  const MxPlan plan =
      on.PlanOfHosts({"Relay.example", "192.0.2.77", "gone.example", "backup.example", "::1"});
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts);
  EXPECT_EQ(HostsOf(plan),
            "0 relay.example: 192.0.2.1; 1 192.0.2.77: 192.0.2.77; 2 gone.example:; "
            "3 backup.example: 2001:db8::2; 4 ::1: ::1");
  EXPECT_EQ(on.PlanOfHosts({"gone.example"}).kind, MxPlanKind::kNoAddress);
  for (SimNameServer* server : {&on.first, &on.second}) server->faults().code = 2;
  EXPECT_EQ(on.PlanOfHosts({"gone.example", "servfail.example"}).kind, MxPlanKind::kTemporary);
  Asker asker;
  on.AskHosts(&asker, {"192.0.2.1"});
  EXPECT_TRUE(asker.at_once);
}

// --- The cache -----------------------------------------------------------------------------------

TEST(ResolverTest, AskedAgainOnlyWhenTheTtlIsOver) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "mx.example.com", 300);
  on.AddAddress("mx.example.com", "192.0.2.1", 600);
  const MxPlan plan = on.Plan("example.com");
  const uint64_t questions = on.questions();
  EXPECT_EQ(questions, 3u);
  EXPECT_NEAR(static_cast<double>(plan.valid_until_ns - on.world.now_ns()),
              300.0 * core::kNsPerSecond, 1.0 * core::kNsPerSecond);
  on.world.RunFor(290 * core::kNsPerSecond);
  Asker again;
  on.Ask(&again, "example.com");
  EXPECT_TRUE(again.at_once);
  EXPECT_EQ(on.questions(), questions);
  on.world.RunFor(20 * core::kNsPerSecond);
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "10 mx.example.com: 192.0.2.1");
  EXPECT_EQ(on.first.QuestionsAbout("example.com"), 2u);
}

TEST(ResolverTest, ChangedAnswersAreSeenAfterTheTtl) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "mx.example.com", 60);
  on.AddAddress("mx.example.com", "192.0.2.1", 60);
  on.Plan("example.com");
  on.first.Remove("mx.example.com");
  on.first.AddAddress("mx.example.com", Ip("192.0.2.2"), 60);
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "10 mx.example.com: 192.0.2.1");
  on.world.RunFor(61 * core::kNsPerSecond);
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "10 mx.example.com: 192.0.2.2");
}

TEST(ResolverTest, TtlZeroServesThoseWhoWaitAndNobodyElse) {
  ResolverWorld on;
  on.AddMx("example.com", 10, "mx.example.com", 0);
  on.AddAddress("mx.example.com", "192.0.2.1", 0);
  std::deque<Asker> askers(3);
  for (Asker& asker : askers) on.Ask(&asker, "example.com");
  for (Asker& asker : askers) {
    EXPECT_EQ(HostsOf(on.Wait(&asker)), "10 mx.example.com: 192.0.2.1");
    // Long enough for the mail that waits for it.
    EXPECT_GE(asker.plan->valid_until_ns, on.world.now_ns() + core::kDnsPlanMinNs / 2);
  }
  EXPECT_EQ(on.first.QuestionsAbout("example.com"), 1u);
  on.Plan("example.com");
  EXPECT_EQ(on.first.QuestionsAbout("example.com"), 2u);
  EXPECT_EQ(on.resolver->counters().cache_hits, 1u);  // the AAAA, which is not there
}

TEST(ResolverTest, ThatADomainDoesNotExistIsKeptAsItsZoneSays) {
  ResolverWorld on;
  on.first.SetNegativeTtl(120);
  EXPECT_EQ(on.Plan("nowhere.example").kind, MxPlanKind::kNoSuchDomain);
  on.world.RunFor(110 * core::kNsPerSecond);
  on.Plan("nowhere.example");
  EXPECT_EQ(on.questions(), 1u);
  on.world.RunFor(20 * core::kNsPerSecond);
  on.Plan("nowhere.example");
  EXPECT_EQ(on.questions(), 2u);
}

TEST(ResolverTest, ANegativeAnswerWithoutASoaIsNotKept) {
  ResolverWorld on;
  on.first.faults().no_soa = true;
  const MxPlan plan = on.Plan("nowhere.example");
  EXPECT_EQ(plan.valid_until_ns / core::kNsPerSecond,
            (on.io.now_ns() + core::kDnsRetryNominalNs) / core::kNsPerSecond);
  on.Plan("nowhere.example");
  EXPECT_EQ(on.questions(), 2u);
}

TEST(ResolverTest, ForgetAsksAgain) {
  ResolverWorld on;
  on.AddAddress("example.com", "192.0.2.1");
  on.Plan("example.com");
  on.Do([&] { on.resolver->Forget(); });
  on.Plan("example.com");
  EXPECT_EQ(on.first.QuestionsAbout("example.com"), 6u);
}

TEST(ResolverTest, EqualQuestionsAtTheSameTimeAreAskedOnce) {
  ResolverWorld on;
  for (const char* domain : {"one.example", "two.example"}) on.AddMx(domain, 10, "mx.example");
  on.AddAddress("mx.example", "192.0.2.1");
  on.first.faults().delay_ns = core::kNsPerSecond;
  std::deque<Asker> askers(20);
  for (size_t i = 0; i < askers.size(); ++i) {
    on.Ask(&askers[i], i % 2 == 0 ? "one.example" : "two.example");
  }
  for (Asker& asker : askers) EXPECT_EQ(HostsOf(on.Wait(&asker)), "10 mx.example: 192.0.2.1");
  EXPECT_EQ(on.questions(), 4u);
  for (const Asker& asker : askers) EXPECT_EQ(asker.times, 1);
}

TEST(ResolverTest, MoreQuestionsThanChannels) {
  ResolverOptions options;
  options.ipv6 = false;
  ResolverWorld on({}, options);
  constexpr int kDomains = 600;
  std::deque<Asker> askers(kDomains);
  for (int i = 0; i < kDomains; ++i) {
    on.AddAddress("d" + std::to_string(i) + ".example", "192.0.2.1");
  }
  on.first.faults().delay_ns = 100 * core::kNsPerMs;
  on.Do([&] {
    for (int i = 0; i < kDomains; ++i) {
      EXPECT_EQ(on.resolver->ResolveMx(&askers[i].query, "d" + std::to_string(i) + ".example"),
                nullptr);
    }
  });
  EXPECT_LE(on.world.network().datagrams().sockets(), core::kDnsQuestionsInFlight);
  for (Asker& asker : askers) EXPECT_EQ(on.Wait(&asker).kind, MxPlanKind::kHosts);
}

TEST(ResolverTest, TooManyQuestions) {
  ResolverWorld on;
  on.first.faults().silent = on.second.faults().silent = true;
  std::deque<Asker> askers(core::kDnsQuestionsMax);
  on.Do([&] {
    int number = 0;
    for (Asker& asker : askers) {
      const std::string domain = "d" + std::to_string(number++) + ".example";
      ASSERT_EQ(on.resolver->ResolveMx(&asker.query, domain), nullptr);
    }
  });
  const MxPlan plan = on.Plan("one-more.example");
  EXPECT_EQ(plan.kind, MxPlanKind::kTemporary);
  EXPECT_THAT(plan.reason, HasSubstr("too many questions wait for an answer"));
  on.Do([&] {
    for (Asker& asker : askers) on.resolver->Cancel(&asker.query);
  });
}

// --- The end -------------------------------------------------------------------------------------

TEST(ResolverTest, ACancelledQueryDoesNotComplete) {
  ResolverWorld on;
  on.AddAddress("example.com", "192.0.2.1");
  Asker one;
  Asker other;
  on.Ask(&one, "example.com");
  on.Ask(&other, "example.com");
  on.Do([&] { on.resolver->Cancel(&one.query); });
  EXPECT_FALSE(one.query.in_flight());
  EXPECT_EQ(on.Wait(&other).kind, MxPlanKind::kHosts);
  EXPECT_EQ(one.times, 0);
  Asker last;
  on.Ask(&last, "other.example");
  on.Do([&] { on.resolver->Cancel(&last.query); });
}

TEST(ResolverTest, CloseInTheMiddleOfEverything) {
  for (int64_t after_ns = 0; after_ns < 8 * core::kNsPerSecond; after_ns += 333 * core::kNsPerMs) {
    ResolverWorld on;
    on.first.faults().truncate = true;
    on.second.FaultsOf("silent.example").silent = true;
    std::deque<Asker> askers(4);
    on.first.FaultsOf("silent.example").silent = true;
    on.first.FaultsOf("slow.example").delay_ns = 3 * core::kNsPerSecond;
    on.Ask(&askers[0], "silent.example");
    on.Ask(&askers[1], "slow.example");
    on.Ask(&askers[2], "nowhere.example");
    on.AskHosts(&askers[3], {"silent.example", "slow.example"});
    on.world.RunFor(after_ns);
    on.Do([&] {
      for (Asker& asker : askers) on.resolver->Cancel(&asker.query);
      on.resolver->Close();
      Asker late;
      EXPECT_EQ(on.resolver->ResolveMx(&late.query, "x.example")->kind, MxPlanKind::kTemporary);
    });
  }
}

TEST(ResolverTest, AServerWithAnIpv6Address) {
  const core::SocketAddress address = {Ip("2001:db8::53"), 5353};
  ResolverOptions options;
  options.servers = {address};
  ResolverWorld on({}, options);
  SimNameServer server(&on.world, address);
  server.AddAddress("example.com", Ip("192.0.2.1"));
  server.faults().truncate = true;
  const MxPlan plan = on.Plan("example.com");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts);
  EXPECT_THAT(plan.reason, HasSubstr("says [2001:db8::53]:5353"));
}

TEST(ResolverTest, OtherServersAfterAReload) {
  ResolverWorld on;
  on.first.AddAddress("example.com", Ip("192.0.2.1"));
  on.second.AddAddress("example.com", Ip("192.0.2.2"));
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "0 example.com: 192.0.2.1");
  ResolverOptions options;
  options.servers = {kSecondServer};
  on.Do([&] { on.resolver->SetOptions(options); });
  EXPECT_EQ(HostsOf(on.Plan("example.com")), "0 example.com: 192.0.2.2");
  options.servers.clear();
  on.Do([&] { on.resolver->SetOptions(options); });
  const MxPlan none = on.Plan("example.com");
  EXPECT_EQ(none.kind, MxPlanKind::kTemporary);
  EXPECT_THAT(none.reason, HasSubstr("no name server is known"));
}

}  // namespace
}  // namespace outbox::dns
