// The bound on a shard's outbound connections, and a machine that gives less than that: mail waits
// in a fair order, and no host is blamed for what is ours.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "queue/connection_budget.h"
#include "queue/destination_view.h"
#include "tests/queue/shard_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;

std::string HostOf(uint32_t number) { return "10.0.1." + std::to_string(number) + ":25"; }
std::string KeyOf(uint32_t number) { return "via:" + HostOf(number); }

TEST(ConnectionBudgetTest, WhoHasNoneGoesFirst) {
  ConnectionBudget budget(2);
  BudgetPlace a;
  BudgetPlace b;
  EXPECT_TRUE(budget.Admit(&a));
  budget.Take(&a);
  EXPECT_TRUE(budget.Admit(&a));
  budget.Take(&a);
  EXPECT_FALSE(budget.Admit(&a));
  EXPECT_FALSE(budget.Admit(&b));
  EXPECT_TRUE(budget.SomebodyHungry());
  EXPECT_EQ(budget.Next(), nullptr);
  budget.GiveBack(&a);
  EXPECT_EQ(budget.Next(), &b);
  EXPECT_EQ(budget.Next(), nullptr);  // it is reserved
  BudgetPlace late;
  EXPECT_FALSE(budget.Admit(&late));
  budget.Answer(&b);
  EXPECT_TRUE(budget.Admit(&b));
  budget.Take(&b);
  budget.GiveBack(&b);
  EXPECT_EQ(budget.Next(), &late);  // a has one
  budget.Answer(&late);
  EXPECT_EQ(budget.Next(), &a);
  budget.Answer(&a);
  budget.GiveBack(&a);
}

TEST(ConnectionBudgetTest, GoesOnWithWhatItHadAndGrows) {
  ConnectionBudget budget(100);
  BudgetPlace place;
  for (int i = 0; i < 11; ++i) budget.Take(&place);
  budget.Shrink();  // the eleventh was refused
  budget.GiveBack(&place);
  EXPECT_FALSE(budget.Admit(&place));
  budget.Leave(&place);
  EXPECT_TRUE(budget.Recover());
  EXPECT_TRUE(budget.Admit(&place));
  int seconds = 1;
  while (budget.Recover()) ++seconds;
  EXPECT_LT(seconds, 15);
  for (int i = 0; i < 10; ++i) budget.GiveBack(&place);
  budget.Shrink();
  budget.Shrink();
  EXPECT_TRUE(budget.Recover());
  EXPECT_TRUE(budget.Admit(&place));  // one is always tried
}

TEST(OwnShortageTest, ManyDestinationsShareFewConnections) {
  ShardWorld world({.shards = 1, .max_connections = 3});
  for (uint32_t i = 0; i < 40; ++i) {
    for (int n = 0; n < 5; ++n) world.Send(0, KeyOf(i));
  }
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  for (const auto& mail : world.mails()) {
    EXPECT_EQ(mail->delivered, 1u);
    EXPECT_EQ(mail->returns, 1u);
  }
  EXPECT_EQ(world.peak_connections(), 3u);
  EXPECT_EQ(world.table(0).counters().backoffs, 0u);
  world.Stop();
}

// One destination with a great deal of mail does not keep the only connection for itself.
TEST(OwnShortageTest, ABusyDestinationMakesRoom) {
  ShardWorld world({.shards = 1, .max_connections = 1});
  for (int n = 0; n < 900; ++n) world.Send(0, KeyOf(1));
  world.RunFor(100 * kNsPerMs);
  for (uint32_t i = 2; i < 6; ++i) world.Send(0, KeyOf(i));
  ASSERT_TRUE(world.RunUntil([&] { return world.order.size() >= 900; }, kNsPerMinute));
  std::set<const TestMail*> first(world.order.begin(), world.order.begin() + 900);
  for (size_t i = 900; i < 904; ++i) {
    EXPECT_EQ(first.count(world.mails()[i].get()), 1u) << i;
  }
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(world.peak_connections(), 1u);
  world.Stop();
}

TEST(OwnShortageTest, AnIdleConnectionMakesRoomAtOnce) {
  ShardWorld world({.shards = 1, .max_connections = 1});
  world.Send(0, KeyOf(1));
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  world.Send(0, KeyOf(2));
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(world.peak_connections(), 1u);
  world.Stop();
}

TEST(OwnShortageTest, WhySaysThatItIsInLine) {
  ShardWorld world({.shards = 1, .max_connections = 1});
  world.host(HostOf(1)).step_ns = 10 * kNsPerSecond;
  world.Send(0, KeyOf(1));
  world.RunFor(kNsPerSecond);
  world.Send(0, KeyOf(2));
  world.RunFor(kNsPerSecond);
  const std::optional<DestinationView> view = world.table(0).Describe(KeyOf(2));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, DestinationLimit::kOutbound);
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerMinute));
  world.Stop();
}

TEST(OwnShortageTest, NobodyIsBlamedAndTheMailGoesSoon) {
  ShardWorld world({.shards = 1});
  world.host(HostOf(1)).shortages = 5;
  const std::string key = "via:" + HostOf(1) + "," + HostOf(2);
  TestMail* mail = world.Send(0, key, {.recipients = 3});
  world.RunFor(500 * kNsPerMs);
  const std::optional<DestinationView> view = world.table(0).Describe(key);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, DestinationLimit::kShortage);
  EXPECT_EQ(view->site_failures, 0u);
  EXPECT_EQ(view->sending, 0u);
  EXPECT_EQ(view->ready, 1u);
  for (const HostView& host : view->hosts) EXPECT_EQ(host.down_until_wall_ns, 0);
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerSecond));
  EXPECT_EQ(mail->delivered, 7u);
  EXPECT_EQ(mail->returns, 1u);
  // Not spent on the other host, and not tried without a pause.
  EXPECT_EQ(world.connects(HostOf(1)), 6u);
  EXPECT_EQ(world.connects(HostOf(2)), 0u);
  EXPECT_EQ(world.table(0).counters().shortages, 5u);
  EXPECT_EQ(world.table(0).counters().backoffs, 0u);
  EXPECT_GE(mail->returned_ns - mail->accepted_ns, 5 * kNsPerSecond);
  world.Stop();
}

// The others go on when only ports towards one host are used up.
TEST(OwnShortageTest, NoPortTowardsOneHostLeavesTheOthersAlone) {
  ShardWorld world({.shards = 1});
  world.host(HostOf(1)).shortages = 3;
  world.host(HostOf(1)).shortage = smtp::SessionEnd::kNoPort;
  TestMail* mail = world.Send(0, KeyOf(1));
  world.RunFor(100 * kNsPerMs);
  TestMail* other = world.Send(0, KeyOf(2));
  world.RunFor(100 * kNsPerMs);
  EXPECT_EQ(other->delivered, 1u);
  EXPECT_EQ(mail->returns, 0u);
  ASSERT_TRUE(world.RunUntilHome(10 * kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(world.table(0).counters().backoffs, 0u);
  world.Stop();
}

// Another host has been asked already and was busy: that is a deferral like any other.
TEST(OwnShortageTest, AfterAnotherHostHasSpokenItIsDeferred) {
  ShardWorld world({.shards = 1});
  world.host(HostOf(1)).defer_rcpt = 100;
  world.host(HostOf(2)).shortages = 1;
  TestMail* mail = world.Send(0, "via:" + HostOf(1) + "," + HostOf(2));
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 0u);
  EXPECT_EQ(mail->reason, ReturnReason::kAttempted);
  ASSERT_EQ(mail->ticket.result->failed.size(), 1u);
  EXPECT_EQ(mail->ticket.result->failed[0].code, 450);
  EXPECT_EQ(world.table(0).counters().backoffs, 0u);
  world.Stop();
}

TEST(OwnShortageTest, ADeadlineIsKeptWhileItLasts) {
  ShardWorld world({.shards = 1});
  world.host(HostOf(1)).shortages = UINT32_MAX;
  TestMail* mail = world.Send(0, KeyOf(1), {.deadline_ns = world.now_ns() + 7 * kNsPerSecond});
  ASSERT_TRUE(world.RunUntilHome(9 * kNsPerSecond));
  EXPECT_EQ(mail->reason, ReturnReason::kDeadline);
  // What its sender is told is not that the host could not be reached.
  ASSERT_EQ(mail->ticket.result->failed.size(), 1u);
  EXPECT_EQ(mail->ticket.result->failed[0].enhanced, "4.4.5");
  TestMail* recalled = world.Send(0, KeyOf(1));
  world.RunFor(3 * kNsPerSecond);
  world.Recall(recalled);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  world.Send(0, KeyOf(1));
  world.RunFor(kNsPerSecond);
  world.Stop();
}

// Everything at once, over four shards, with a limit per site as well.
TEST(OwnShortageTest, NothingIsLostOrSentTwiceInTheCrush) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    ShardWorld world({.seed = seed,
                      .shards = 4,
                      .limit = 3,
                      .max_connections = 2,
                      .offer_again_ns = 2 * kNsPerSecond});
    for (uint32_t i = 0; i < 12; ++i) {
      Script& host = world.host(HostOf(i));
      host.shortages = static_cast<uint32_t>(world.random().Between(0, 3));
      if (world.random().Chance(1, 3)) host.shortage = smtp::SessionEnd::kNoPort;
      if (world.random().Chance(1, 4)) host.break_session = 20;
    }
    for (uint32_t n = 0; n < 200; ++n) {
      const auto host = static_cast<uint32_t>(world.random().Between(0, 11));
      const auto home = static_cast<uint32_t>(world.random().Between(0, 3));
      TestMail* mail = world.Send(home, KeyOf(host));
      if (world.random().Chance(1, 20)) {
        world.At(world.now_ns() + world.random().Between(0, kNsPerSecond),
                 [&world, mail] { world.Recall(mail); });
      }
    }
    const auto all = [&] {
      for (const auto& mail : world.mails()) {
        if (mail->delivered == 0 && mail->out) return false;
      }
      return true;
    };
    ASSERT_TRUE(world.RunUntil(all, 10 * kNsPerMinute)) << "seed " << seed;
    EXPECT_LE(world.peak_connections(), 8u) << "seed " << seed;
    world.Stop();
  }
}

}  // namespace
}  // namespace outbox::queue
