// Destinations whose hosts the DNS names: what its answers do to the mail that waits for them.
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <string>
#include <thread>
#include <vector>

#include "queue/live_hosts.h"
#include "tests/queue/shard_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;
using dns::MxPlanKind;

const std::string kKey = "mx:example.com";

dns::MxHost HostA(uint16_t preference = 10) {
  return ScriptedAnswer::Host(preference, "a.example", {"10.0.0.1"});
}
dns::MxHost HostB(uint16_t preference = 20) {
  return ScriptedAnswer::Host(preference, "b.example", {"10.0.0.2"});
}

TEST(DestinationMxTest, MailWaitsForTheAnswerAndIsDelivered) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}, .delay_ns = 3 * kNsPerSecond};
  TestMail* mail = world.Send(0, kKey);
  world.RunFor(kNsPerSecond);
  EXPECT_EQ(mail->ticket.state.load(), RecipientState::kResolving);
  EXPECT_EQ(mail->leases, 0u);  // the log is not kept from going on
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(world.connects(kHostA), 1u);
  world.Stop();
}

// A listing shows the host that is being tried, before it has said anything.
TEST(DestinationMxTest, TheHostThatIsTriedIsNamed) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA(), HostB()}};
  world.host(kHostA).step_ns = 10 * kNsPerSecond;
  world.host(kHostA).up = false;
  world.host(kHostB).step_ns = 10 * kNsPerSecond;
  TestMail* mail = world.Send(0, kKey);
  const auto shown = [&] {
    return world.post(0).live_hosts()->Read(mail->ticket.host.load());
  };
  world.RunFor(kNsPerSecond);
  EXPECT_EQ(shown(), "a.example[10.0.0.1]:25");
  ASSERT_TRUE(world.RunUntil([&] { return world.connects(kHostA) == 1; }, kNsPerMinute));
  world.RunFor(kNsPerSecond);
  EXPECT_EQ(shown(), "b.example[10.0.0.2]:25");
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(shown(), "");
  world.Stop();
}

TEST(LiveHostsTest, PlacesAreUsedAgain) {
  LiveHosts hosts(2);
  const uint32_t first = hosts.Acquire(1);
  hosts.Set(first, "mx.example[192.0.2.1]:25");
  EXPECT_EQ(hosts.Read(first), "mx.example[192.0.2.1]:25");
  hosts.Set(first, std::string(300, 'x'));
  EXPECT_EQ(hosts.Read(first), std::string(120, 'x'));
  EXPECT_NE(hosts.Acquire(1), first);
  EXPECT_NE(hosts.Acquire(0), first);
  hosts.Release(first);
  EXPECT_EQ(hosts.Acquire(1), first);
  hosts.Set(LiveHosts::kNone, "nowhere");
  EXPECT_EQ(hosts.Read(LiveHosts::kNone), "");
  // At its bound a host is not shown, and nothing else happens.
  uint32_t places = 0;
  while (hosts.Acquire(0) != LiveHosts::kNone) ++places;
  EXPECT_EQ(places, 65'535u);
}

TEST(LiveHostsTest, AReaderNeverSeesHalfAName) {
  LiveHosts hosts(1);
  const uint32_t place = hosts.Acquire(0);
  const std::string names[] = {std::string(100, 'a'), std::string(37, 'b'), std::string(120, 'c')};
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (size_t i = 0; !stop; ++i) hosts.Set(place, names[i % 3]);
  });
  for (int seen = 0; seen < 2'000;) {
    const std::string name = hosts.Read(place);
    if (name.empty()) continue;
    ++seen;
    EXPECT_TRUE(name == names[0] || name == names[1] || name == names[2]) << name;
  }
  stop = true;
  writer.join();
}

TEST(DestinationMxTest, HoweverMuchMailOneQuestion) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}, .delay_ns = kNsPerSecond};
  for (int i = 0; i < 500; ++i) world.Send(static_cast<uint32_t>(i) % 4, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(world.dns().asked("example.com"), 1u);
  for (const auto& mail : world.mails()) EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

TEST(DestinationMxTest, ADeadFirstHostCostsNothing) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA(), HostB()}};
  world.host(kHostA).up = false;
  TestMail* mail = world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(world.connects(kHostA), 1u);
  EXPECT_EQ(world.connects(kHostB), 1u);
  world.Stop();
}

TEST(DestinationMxTest, HostsOfEqualPreferenceShareTheMail) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA(10), HostB(10)}, .ttl_ns = 24 * kNsPerHour};
  for (int i = 0; i < 200; ++i) {
    world.Send(0, kKey);
    ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
    world.RunFor(10 * kNsPerSecond);  // the connection has been closed
  }
  EXPECT_EQ(world.connects(kHostA) + world.connects(kHostB), 200u);
  EXPECT_GT(world.connects(kHostA), 70u);
  EXPECT_GT(world.connects(kHostB), 70u);
  world.Stop();
}

TEST(DestinationMxTest, ManyConnectionsSpreadOverEqualHosts) {
  ShardWorld world({.shards = 1, .limit = 10});
  world.dns()["example.com"] = {.hosts = {HostA(10), HostB(10)}};
  world.host(kHostA).step_ns = world.host(kHostB).step_ns = 20 * kNsPerMs;
  for (int i = 0; i < 1000; ++i) world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  EXPECT_EQ(world.peak_connections(kHostA), 5u);
  EXPECT_EQ(world.peak_connections(kHostB), 5u);
  world.Stop();
}

TEST(DestinationMxTest, WhatIsPermanentBounces) {
  const struct {
    MxPlanKind kind;
    const char* enhanced;
  } kCases[] = {{MxPlanKind::kNoSuchDomain, "5.1.2"},
                {MxPlanKind::kNullMx, "5.1.10"},
                {MxPlanKind::kNoAddress, "5.4.4"},
                {MxPlanKind::kSelf, "5.4.6"}};
  for (const auto& c : kCases) {
    ShardWorld world({});
    world.dns()["example.com"].kind = c.kind;
    TestMail* first = world.Send(0, kKey, {.recipients = 3});
    ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
    EXPECT_EQ(first->bounced, 7u);
    ASSERT_EQ(first->ticket.result->failed.size(), 3u);
    EXPECT_EQ(first->ticket.result->failed[2].enhanced, c.enhanced);
    EXPECT_EQ(first->ticket.result->failed[2].recipient, 2);
    EXPECT_NE(first->ticket.result->failed[2].text, "");
    // While the answer is good nobody asks again.
    TestMail* second = world.Send(0, kKey);
    ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
    EXPECT_EQ(second->bounced, 1u);
    EXPECT_EQ(world.dns().asked("example.com"), 1u);
    world.Stop();
  }
}

// Thousands wait for a domain that cannot be resolved: one question when the answer says so, and
// not one ticket moves. When the DNS is well again all go out.
TEST(DestinationMxTest, NotResolvableForNowThenItWorks) {
  for (const MxPlanKind kind : {MxPlanKind::kTemporary, MxPlanKind::kInvalid}) {
    ShardWorld world({});
    world.dns()["example.com"] = {.kind = kind, .hosts = {HostA()}, .ttl_ns = 3 * kNsPerMinute};
    for (int i = 0; i < 5000; ++i) world.Send(static_cast<uint32_t>(i) % 4, kKey);
    world.RunFor(kNsPerHour);
    EXPECT_GE(world.dns().asked("example.com"), 18u);
    EXPECT_LE(world.dns().asked("example.com"), 21u);
    for (const auto& mail : world.mails()) {
      ASSERT_EQ(mail->returns, 0u);
      ASSERT_EQ(mail->ticket.state.load(), RecipientState::kResolving);
    }
    world.dns()["example.com"].kind = MxPlanKind::kHosts;
    ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
    for (const auto& mail : world.mails()) EXPECT_EQ(mail->delivered, 1u);
    world.Stop();
  }
}

// A domain that cannot be resolved for days is asked about less and less, down to once an hour; new
// mail asks at once.
TEST(DestinationMxTest, WhatIsDeadForDaysIsAskedAboutLessOften) {
  ShardWorld world({});
  world.dns()["example.com"] = {
      .kind = MxPlanKind::kTemporary, .hosts = {HostA()}, .ttl_ns = 3 * kNsPerMinute};
  TestMail* old = world.Send(0, kKey);
  world.RunFor(10 * kNsPerHour);
  const uint64_t first_day = world.dns().asked("example.com");
  EXPECT_LE(first_day, 90u);
  EXPECT_GE(first_day, 50u);
  world.RunFor(86 * kNsPerHour);
  const uint64_t before = world.dns().asked("example.com");
  world.RunFor(10 * kNsPerHour);
  EXPECT_LE(world.dns().asked("example.com") - before, 11u);
  EXPECT_GE(world.dns().asked("example.com") - before, 9u);
  world.dns()["example.com"].kind = MxPlanKind::kHosts;
  world.RunFor(4 * kNsPerMinute);
  TestMail* fresh = world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(old->delivered + fresh->delivered, 2u);
  world.Stop();
}

TEST(DestinationMxTest, TheDomainIsGoneWhileItsMailWaits) {
  ShardWorld world({});
  world.dns()["example.com"] = {.kind = MxPlanKind::kTemporary, .ttl_ns = kNsPerMinute};
  for (int i = 0; i < 5000; ++i) world.Send(static_cast<uint32_t>(i) % 4, kKey);
  world.RunFor(10 * kNsPerSecond);
  world.dns()["example.com"].kind = MxPlanKind::kNoSuchDomain;
  ASSERT_TRUE(world.RunUntilHome(5 * kNsPerMinute));
  for (const auto& mail : world.mails()) EXPECT_EQ(mail->bounced, 1u);
  world.Stop();
}

TEST(DestinationMxTest, WhoIsToldOfTheDelayLearnsWhy) {
  ShardWorld world({});
  world.dns()["example.com"] = {.kind = MxPlanKind::kTemporary, .ttl_ns = kNsPerMinute};
  TestMail* mail = world.Send(0, kKey, {.deadline_ns = world.now_ns() + 20 * kNsPerSecond});
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(mail->reason, ReturnReason::kDeadline);
  ASSERT_EQ(mail->ticket.result->failed.size(), 1u);
  EXPECT_EQ(mail->ticket.result->failed[0].enhanced, "4.4.3");
  EXPECT_EQ(mail->ticket.result->failed[0].text, "example.com: temporary");
  world.Stop();
}

TEST(DestinationMxTest, ARecallAndAStopWhileTheDnsIsAsked) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}, .delay_ns = kNsPerMinute};
  TestMail* recalled = world.Send(0, kKey);
  TestMail* stopped = world.Send(1, kKey);
  world.RunFor(kNsPerSecond);
  world.Recall(recalled);
  world.RunFor(kNsPerSecond);
  EXPECT_EQ(recalled->reason, ReturnReason::kRecalled);
  world.Stop();
  EXPECT_EQ(stopped->reason, ReturnReason::kShutdown);
  EXPECT_EQ(world.connects(kHostA), 0u);
}

TEST(DestinationMxTest, DomainsWithTheSameHostsAreOneSite) {
  ShardWorld world({.limit = 2});
  const std::string domains[] = {"one.example", "two.example", "three.example"};
  for (const std::string& domain : domains) {
    world.dns()[domain] = {.hosts = {HostA(), HostB()}};
    for (int i = 0; i < 300; ++i) world.Send(0, "mx:" + domain);
  }
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  EXPECT_LE(world.peak_connections(kHostA), 2u);
  for (const auto& mail : world.mails()) EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

TEST(DestinationMxTest, ThePortIsTheKeys) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}};
  TestMail* mail = world.Send(0, kKey + ":2525");
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(world.connects("10.0.0.1:2525"), 1u);
  world.Stop();
}

// The hosts change while a long transaction is under way at the old one, and much mail waits.
TEST(DestinationMxTest, ChangedHostsTakeOverWithoutHarm) {
  ShardWorld world({.shards = 1, .limit = 3});
  world.dns()["example.com"] = {.hosts = {HostA()}, .ttl_ns = kNsPerMinute};
  world.host(kHostA).step_ns = 10 * kNsPerSecond;
  for (int i = 0; i < 50; ++i) world.Send(0, kKey);
  world.RunFor(30 * kNsPerSecond);
  EXPECT_GT(world.connects(kHostA), 0u);
  world.dns()["example.com"].hosts = {HostB(10)};
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
  for (const auto& mail : world.mails()) {
    EXPECT_EQ(mail->delivered, 1u);
    EXPECT_EQ(mail->returns, 1u);
  }
  EXPECT_GT(world.connects(kHostB), 0u);
  EXPECT_LE(world.peak_connections(kHostB), 3u);
  // The old site has all its slots back.
  world.RunFor(kNsPerMinute);
  for (uint32_t i = 0; i < world.sites().capacity(); ++i) {
    EXPECT_EQ(world.sites()[i].slots.in_use(), 0u);
  }
  world.Stop();
}

// A host is added, the one that is in use stays: its connection goes on.
TEST(DestinationMxTest, AConnectionToAHostThatStaysIsKept) {
  ShardWorld world({.shards = 1, .limit = 1});
  world.dns()["example.com"] = {.hosts = {ScriptedAnswer::Host(10, "a.example", {"10.0.0.1"})},
                                .ttl_ns = 2 * kNsPerSecond};
  for (int i = 0; i < 20; ++i) {
    if (i == 10) {
      world.dns()["example.com"].hosts = {
          ScriptedAnswer::Host(10, "a.example", {"10.0.0.1", "10.0.0.2"})};
    }
    world.Send(0, kKey);
    ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
    world.RunFor(kNsPerSecond);
  }
  EXPECT_GE(world.dns().asked("example.com"), 9u);
  EXPECT_EQ(world.connects(kHostA), 1u);
  EXPECT_EQ(world.connects(kHostB), 0u);
  world.Stop();
}

TEST(DestinationMxTest, AnAnswerIsUsedNoLongerThanItIsGood) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}, .ttl_ns = 0};
  world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  world.dns()["example.com"].hosts = {HostB()};
  world.RunFor(kNsPerSecond);
  world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(world.connects(kHostA), 1u);
  EXPECT_EQ(world.connects(kHostB), 1u);
  world.Stop();
}

// The DNS dies. Mail for hosts that were known goes on for a while, then it waits; when the DNS is
// back it goes out.
TEST(DestinationMxTest, TheDnsDiesAndReturns) {
  ShardWorld world({});
  world.dns()["example.com"] = {.hosts = {HostA()}, .ttl_ns = kNsPerMinute};
  const auto send = [&] {
    TestMail* mail = world.Send(0, kKey);
    world.RunFor(20 * kNsPerSecond);  // often enough not to be forgotten
    return mail;
  };
  send();
  world.dns()["example.com"].kind = MxPlanKind::kTemporary;
  for (int i = 0; i < 60; ++i) EXPECT_EQ(send()->delivered, 1u) << i;
  for (int i = 0; i < 160; ++i) send();
  TestMail* late = send();
  EXPECT_EQ(late->returns, 0u);
  world.dns()["example.com"].kind = MxPlanKind::kHosts;
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
  EXPECT_EQ(late->delivered, 1u);
  world.Stop();
}

TEST(DestinationMxTest, NamesInARouteKeepItsOrder) {
  ShardWorld world({});
  world.dns()["first.example"] = {.hosts = {ScriptedAnswer::Host(0, "", {"10.0.0.1"})}};
  world.dns()["last.example"] = {.hosts = {ScriptedAnswer::Host(0, "", {"10.0.0.3"})}};
  for (const char* host : {"10.0.0.1:25", "10.0.0.2:26", "10.0.0.3:27"}) {
    world.host(host).up = false;
  }
  TestMail* mail = world.Send(0, "via:first.example:25,10.0.0.2:26,last.example:27");
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 0u);
  EXPECT_EQ(mail->ticket.result->mailhost, "last.example[10.0.0.3]:27");
  for (const char* host : {"10.0.0.1:25", "10.0.0.2:26", "10.0.0.3:27"}) {
    EXPECT_EQ(world.connects(host), 1u) << host;
  }
  world.Stop();
}

TEST(DestinationMxTest, ANameInARouteThatDoesNotExistIsNoReasonToBounce) {
  ShardWorld world({});
  world.dns()["gone.example"] = {.kind = MxPlanKind::kNoSuchDomain, .ttl_ns = kNsPerMinute};
  TestMail* mail = world.Send(0, "via:gone.example:25");
  world.RunFor(kNsPerMinute);
  EXPECT_EQ(mail->returns, 0u);
  world.dns()["gone.example"] = {.hosts = {ScriptedAnswer::Host(0, "", {"10.0.0.1"})}};
  ASSERT_TRUE(world.RunUntilHome(5 * kNsPerMinute));
  EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

TEST(DestinationMxTest, NoMoreThanTenAddressesAnAttempt) {
  ShardWorld world({});
  std::vector<dns::MxHost> hosts;
  for (int i = 1; i <= 15; ++i) {
    const std::string address = "10.0.1." + std::to_string(i);
    world.host(address + ":25").up = false;
    hosts.push_back(ScriptedAnswer::Host(static_cast<uint16_t>(i), "h" + std::to_string(i),
                                         {address, "10.0.2." + std::to_string(i)}));
    world.host("10.0.2." + std::to_string(i) + ":25").up = false;
  }
  world.dns()["example.com"] = {.hosts = hosts};
  TestMail* mail = world.Send(0, kKey);
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(mail->delivered + mail->bounced, 0u);
  uint64_t connects = 0;
  for (int i = 1; i <= 15; ++i) {
    connects += world.connects("10.0.1." + std::to_string(i) + ":25");
    connects += world.connects("10.0.2." + std::to_string(i) + ":25");
  }
  EXPECT_EQ(connects, 10u);
  world.Stop();
}

TEST(DestinationMxTest, TheSitesRateHoldsOverAllShards) {
  ShardWorld world({.rate = {120, kNsPerMinute}});
  world.dns()["one.example"] = {.hosts = {HostA()}};
  world.dns()["two.example"] = {.hosts = {HostA()}};
  for (uint32_t i = 0; i < 400; ++i) {
    world.Send(i % 4, i % 2 == 0 ? "mx:one.example" : "mx:two.example");
  }
  const auto delivered = [&] {
    int count = 0;
    for (const auto& mail : world.mails()) count += std::popcount(mail->delivered);
    return count;
  };
  world.RunFor(kNsPerMinute);
  EXPECT_GE(delivered(), 110);
  EXPECT_LE(delivered(), 123);
  EXPECT_LE(world.peak_connections(kHostA), 4u);  // waiting needs no connections
  ASSERT_TRUE(world.RunUntilHome(5 * kNsPerMinute));
  EXPECT_EQ(delivered(), 400);
  EXPECT_GE(world.now_ns(), 190 * kNsPerSecond);
  world.Stop();
}

// Two routes for mail that goes to the same hosts say different numbers: the smaller one counts,
// whoever comes first, on every shard.
TEST(DestinationMxTest, OfTwoLimitsTheSmallerCounts) {
  for (const bool small_first : {true, false}) {
    ShardWorld world({.limits = {{"mx:small.example", 2}, {"mx:large.example", 12}}});
    world.host(kHostA).step_ns = 20 * kNsPerMs;
    world.dns()["small.example"] = {.hosts = {HostA()}};
    world.dns()["large.example"] = {.hosts = {HostA()}};
    world.Send(0, small_first ? "mx:small.example" : "mx:large.example");
    ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
    world.Send(1, small_first ? "mx:large.example" : "mx:small.example");
    ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
    for (uint32_t i = 0; i < 400; ++i) world.Send(i % 4, "mx:large.example");
    ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
    EXPECT_EQ(world.peak_connections(kHostA), 2u);
    world.Stop();
  }
}

// A backlog gets the limits of a new configuration without new mail.
TEST(DestinationMxTest, AReloadReachesABacklog) {
  ShardWorld world({.limit = 1});
  world.host(kHostA).step_ns = 50 * kNsPerMs;
  world.dns()["example.com"] = {.hosts = {HostA()}, .ttl_ns = 24 * kNsPerHour};
  for (uint32_t i = 0; i < 900; ++i) world.Send(i % 4, kKey);
  world.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(world.peak_connections(kHostA), 1u);
  world.Reload({}, {{kKey, 6}});
  world.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(world.peak_connections(kHostA), 6u);
  // Fewer again: those that are too many end.
  world.Reload({1, kNsPerHour}, {{kKey, 2}});
  world.RunFor(kNsPerMinute);
  const uint64_t taken = world.order.size();
  world.RunFor(10 * kNsPerMinute);
  EXPECT_LE(world.order.size(), taken + 1);
  // What was taken of the slow rate does not count for the quick one.
  world.Reload({}, {{kKey, 2}});
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
  for (const auto& mail : world.mails()) EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

TEST(DestinationMxTest, AQuickerRateReachesABacklog) {
  ShardWorld world({.rate = {1, kNsPerHour}});
  world.dns()["example.com"] = {.hosts = {HostA()}, .ttl_ns = 24 * kNsPerHour};
  for (uint32_t i = 0; i < 100; ++i) world.Send(i % 4, kKey);
  world.RunFor(10 * kNsPerMinute);
  EXPECT_EQ(world.order.size(), 1u);
  world.Reload({600, kNsPerMinute}, {});
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  for (const auto& mail : world.mails()) EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

}  // namespace
}  // namespace outbox::queue
