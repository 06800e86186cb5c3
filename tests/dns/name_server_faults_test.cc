// What name servers do to a resolution: silence, errors, truncation, garbage, guessing strangers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "core/limits.h"
#include "core/time.h"
#include "dns/resolver.h"
#include "tests/dns/resolver_world.h"

namespace outbox::dns {
namespace {

using testing::HasSubstr;

class FaultsTest : public testing::Test {
 protected:
  FaultsTest() {
    on_.AddMx("example.com", 10, "mx.example.com");
    on_.AddAddress("mx.example.com", "192.0.2.1");
  }
  void ExpectFine() {
    const MxPlan plan = on_.Plan("example.com");
    EXPECT_EQ(HostsOf(plan), "10 mx.example.com: 192.0.2.1") << plan.reason;
  }
  std::string ExpectTemporary() {
    const MxPlan plan = on_.Plan("example.com");
    EXPECT_EQ(plan.kind, MxPlanKind::kTemporary);
    EXPECT_EQ(plan.valid_until_ns, on_.io.now_ns() + core::kDnsRetryNominalNs);
    return plan.reason;
  }
  // To whoever asks just now, in the first server's name.
  void SendGuesses(uint32_t count) {
    io::SimDatagrams& datagrams = on_.world.network().datagrams();
    ASSERT_EQ(datagrams.sockets(), 1u);
    for (uint32_t i = 0; i < count; ++i) {
      datagrams.SendFrom(kFirstServer, datagrams.LocalAddresses()[0], std::string(12, '\0'));
    }
  }
  // Steady time that `what` takes.
  template <typename What>
  int64_t Time(What what) {
    const int64_t begin_ns = on_.world.now_ns();
    what();
    return on_.world.now_ns() - begin_ns;
  }

  ResolverWorld on_;
};

TEST_F(FaultsTest, ASilentFirstServerCostsATimeoutUntilItIsPutBack) {
  on_.first.faults().silent = true;
  EXPECT_GE(Time([&] { ExpectFine(); }), core::kDnsTryNs);
  // The MX, then A and AAAA: three answers missed. Now the second one is asked first.
  EXPECT_EQ(on_.resolver->counters().timeouts, 3u);
  on_.AddAddress("other.example", "192.0.2.2");
  EXPECT_LT(Time([&] { on_.Plan("other.example"); }), core::kNsPerSecond);
  EXPECT_EQ(on_.first.QuestionsAbout("other.example"), 0u);
  // After a while it is asked again.
  on_.first.Heal();
  on_.world.RunFor(core::kDnsServerRestNs + core::kNsPerSecond);
  on_.AddAddress("third.example", "192.0.2.3");
  on_.Plan("third.example");
  EXPECT_GT(on_.first.QuestionsAbout("third.example"), 0u);
}

TEST_F(FaultsTest, AllSilent) {
  on_.first.faults().silent = on_.second.faults().silent = true;
  std::string reason;
  const int64_t took_ns = Time([&] { reason = ExpectTemporary(); });
  EXPECT_EQ(reason,
            "the MX of example.com cannot be found out now: 10.0.0.53 did not answer, 10.0.0.54 "
            "did not answer");
  EXPECT_GE(took_ns, core::kDnsQuestionNs);
  EXPECT_LT(took_ns, core::kDnsQuestionNs + core::kNsPerSecond);
  // 2, 2, 4, 4, 8: five tries.
  EXPECT_EQ(on_.questions(), 5u);
}

// Many domains, and nobody who answers: each one fails sooner once that is known.
TEST_F(FaultsTest, DeadServersAreNotWaitedForAtLength) {
  on_.first.faults().silent = on_.second.faults().silent = true;
  std::deque<Asker> askers(3);
  for (size_t i = 0; i < askers.size(); ++i) {
    on_.Ask(&askers[i], "d" + std::to_string(i) + ".example");
  }
  for (Asker& asker : askers) EXPECT_EQ(on_.Wait(&asker).kind, MxPlanKind::kTemporary);
  const int64_t took_ns = Time([&] { ExpectTemporary(); });
  EXPECT_GE(took_ns, core::kDnsQuestionRestNs);
  EXPECT_LT(took_ns, core::kDnsQuestionRestNs + core::kNsPerSecond);
}

TEST_F(FaultsTest, ServersComeBack) {
  on_.first.faults().silent = on_.second.faults().silent = true;
  ExpectTemporary();
  on_.first.Heal();
  on_.second.Heal();
  // That nobody answers is remembered for a moment only.
  on_.world.RunFor(core::kDnsFailureTtlNs + core::kNsPerSecond);
  ExpectFine();
}

TEST_F(FaultsTest, AServerWithoutAnAnswerIsNotAskedTwice) {
  on_.first.faults().code = 2;
  ExpectFine();
  EXPECT_EQ(on_.first.questions(), 3u);
  EXPECT_EQ(on_.resolver->counters().server_errors, 3u);
  on_.Do([&] { on_.resolver->Forget(); });
  on_.second.faults().code = 5;
  const int64_t took_ns = Time([&] {
    EXPECT_THAT(ExpectTemporary(),
                HasSubstr("10.0.0.53 answered SERVFAIL, 10.0.0.54 answered REFUSED"));
  });
  EXPECT_LT(took_ns, core::kNsPerSecond);
}

TEST_F(FaultsTest, ServerFailureForTheAddressesOnly) {
  for (SimNameServer* server : {&on_.first, &on_.second}) {
    server->FaultsOf("mx.example.com").code = 2;
  }
  EXPECT_THAT(ExpectTemporary(),
              HasSubstr("the addresses of the mail hosts of example.com cannot be found out now: "
                        "mx.example.com (10.0.0.53 answered SERVFAIL"));
}

TEST_F(FaultsTest, AnUnusualResponseCode) {
  on_.first.faults().code = on_.second.faults().code = 9;
  EXPECT_THAT(ExpectTemporary(), HasSubstr("answered response code 9"));
}

TEST_F(FaultsTest, NobodyListensAtTheFirstServer) {
  on_.world.network().SetReach(kFirstServer, io::SimReach::kRefused);
  EXPECT_LT(Time([&] { ExpectFine(); }), core::kNsPerSecond);
}

TEST_F(FaultsTest, NoFileDescriptorIsLeft) {
  on_.world.mutable_options().network.udp_open_error_ppm = 1'000'000;
  EXPECT_THAT(ExpectTemporary(),
              HasSubstr("10.0.0.53 could not be asked: no file descriptor is left"));
  on_.world.mutable_options().network.udp_open_error_ppm = 0;
  on_.Do([&] { on_.resolver->Forget(); });
  ExpectFine();
}

TEST_F(FaultsTest, ASlowServerIsAskedAgainWithMorePatience) {
  on_.first.faults().delay_ns = on_.second.faults().delay_ns = 3 * core::kNsPerSecond;
  ExpectFine();
}

TEST_F(FaultsTest, TruncatedAnswersComeByTcp) {
  on_.first.faults().truncate = true;
  ExpectFine();
  EXPECT_EQ(on_.first.tcp_questions(), 3u);
  EXPECT_EQ(on_.second.questions(), 0u);
}

TEST_F(FaultsTest, AnAnswerThatFillsTcp) {
  for (int i = 0; i < 600; ++i) {
    on_.first.AddMx("large.example", 20, "host" + std::to_string(i) + ".large.example");
  }
  on_.AddMx("large.example", 10, "mx.example.com");
  on_.first.FaultsOf("large.example").truncate = true;
  const MxPlan plan = on_.Plan("large.example");
  EXPECT_EQ(plan.kind, MxPlanKind::kHosts) << plan.reason;
  EXPECT_EQ(plan.hosts.size(), core::kDnsHostsMax);
}

TEST_F(FaultsTest, NoTcpForATruncatedAnswer) {
  on_.first.faults().truncate = on_.first.faults().no_tcp = true;
  ExpectFine();
  EXPECT_EQ(on_.second.questions(), 3u);
  on_.Do([&] { on_.resolver->Forget(); });
  on_.second.faults().truncate = on_.second.faults().no_tcp = true;
  EXPECT_THAT(ExpectTemporary(), HasSubstr("10.0.0.53 broke the connection"));
}

TEST_F(FaultsTest, TcpThatSaysNothing) {
  on_.first.faults().truncate = true;
  on_.Do([&] { on_.resolver->Forget(); });
  Asker asker;
  on_.Ask(&asker, "example.com");
  ASSERT_TRUE(on_.RunUntil([&] { return on_.resolver->counters().tcp == 1; }));
  on_.first.faults().silent = true;
  EXPECT_EQ(HostsOf(on_.Wait(&asker)), "10 mx.example.com: 192.0.2.1");
}

TEST_F(FaultsTest, AServerThatKnowsNoEdns) {
  on_.first.faults().no_edns = true;
  ExpectFine();
  EXPECT_EQ(on_.first.questions(), 6u);
  EXPECT_EQ(on_.second.questions(), 0u);
}

TEST_F(FaultsTest, AReferralIsNoAnswer) {
  on_.first.faults().referral = true;
  ExpectFine();
  on_.Do([&] { on_.resolver->Forget(); });
  on_.second.faults().referral = true;
  EXPECT_THAT(ExpectTemporary(), HasSubstr("10.0.0.53 only names other servers"));
}

TEST_F(FaultsTest, AnswersThatCannotBeRead) {
  on_.first.faults().cut = true;
  ExpectFine();
  EXPECT_EQ(on_.resolver->counters().malformed, 3u);
}

// Datagrams that are not the answer are ignored, and the true one is still taken.
TEST_F(FaultsTest, StrangersWhoGuess) {
  on_.first.faults().delay_ns = core::kNsPerSecond;
  Asker asker;
  on_.Ask(&asker, "example.com");
  SendGuesses(core::kDnsMismatchesMax);
  EXPECT_EQ(HostsOf(on_.Wait(&asker)), "10 mx.example.com: 192.0.2.1");
  EXPECT_EQ(on_.resolver->counters().mismatches, core::kDnsMismatchesMax);
  EXPECT_EQ(on_.questions(), 3u);
  EXPECT_EQ(on_.resolver->counters().tcp, 0u);
}

TEST_F(FaultsTest, ManyGuessesMakeItGoOnByTcp) {
  on_.first.faults().delay_ns = core::kNsPerSecond;
  Asker asker;
  on_.Ask(&asker, "example.com");
  SendGuesses(core::kDnsMismatchesMax + 1);
  EXPECT_EQ(HostsOf(on_.Wait(&asker)), "10 mx.example.com: 192.0.2.1");
  EXPECT_EQ(on_.first.tcp_questions(), 1u);
}

TEST_F(FaultsTest, WrongIdsQuestionsAndGarbageAreNotTaken) {
  for (bool SimNameFaults::*fault :
       {&SimNameFaults::wrong_id, &SimNameFaults::wrong_question, &SimNameFaults::garbage}) {
    on_.world.RunFor(core::kDnsServerRestNs + core::kNsPerSecond);
    on_.first.Heal();
    on_.first.faults().*fault = true;
    on_.Do([&] { on_.resolver->Forget(); });
    ExpectFine();
  }
  // Three questions; then the server is put back, and tried with one question now and then.
  EXPECT_EQ(on_.resolver->counters().mismatches, 5u);
}

// A network that loses, doubles and delays, and servers that fail now and then: every question
// ends, and every plan is either right or temporary. The same seed gives the same run.
uint64_t RunSeed(uint64_t seed) {
  io::SimOptions options;
  options.seed = seed;
  options.network.udp_open_error_ppm = 50'000;
  options.network.datagram_lost_ppm = 150'000;
  options.network.datagram_twice_ppm = 100'000;
  options.network.datagram_late_ppm = 100'000;
  options.network.reset_ppm = 20'000;
  options.network.connect_refused_ppm = 50'000;
  ResolverWorld on(options);
  constexpr int kDomains = 40;
  for (int i = 0; i < kDomains; ++i) {
    const std::string domain = "d" + std::to_string(i) + ".example";
    on.AddMx(domain, 10, "mx." + domain, static_cast<uint32_t>(i % 5));
    on.AddAddress("mx." + domain, "192.0.2." + std::to_string(i + 1), 60);
    if (i % 4 == 1) on.first.FaultsOf(domain).truncate = true;
    if (i % 4 == 2) on.first.FaultsOf("mx." + domain).silent_ppm = 500'000;
    if (i % 4 == 3) on.second.FaultsOf(domain).code = 2;
  }
  std::deque<Asker> askers;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kDomains; ++i) {
      on.Ask(&askers.emplace_back(), "d" + std::to_string(i) + ".example");
    }
    on.world.RunFor(core::kNsPerSecond);
  }
  int hosts = 0;
  for (size_t i = 0; i < askers.size(); ++i) {
    const MxPlan plan = on.Wait(&askers[i]);
    EXPECT_TRUE(plan.kind == MxPlanKind::kHosts || plan.kind == MxPlanKind::kTemporary);
    if (plan.kind != MxPlanKind::kHosts) continue;
    ++hosts;
    const std::string number = std::to_string(i % kDomains);
    EXPECT_EQ(HostsOf(plan),
              "10 mx.d" + number + ".example: 192.0.2." + std::to_string(i % kDomains + 1));
  }
  EXPECT_GT(hosts, 150);
  return on.world.trace_hash();
}

TEST(FaultsBySeedTest, EveryQuestionEndsAndNoAnswerIsWrong) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    RunSeed(seed);
  }
}

TEST(FaultsBySeedTest, SameSeedSameRun) { EXPECT_EQ(RunSeed(7), RunSeed(7)); }

}  // namespace
}  // namespace outbox::dns
