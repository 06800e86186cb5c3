// `outbox clear`, and `outbox reroute` to a route or to hosts: the envelope stays, the way is
// another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/destination_key.h"
#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerDay;
using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RoutedAgain : public testing::TestWithParam<uint32_t> {
 protected:
  RoutedAgain() : sender_(story_.AddServer("sender.example")) {}

  static RouteOrder Clear() {
    RouteOrder order;
    order.clear = true;
    return order;
  }
  static RouteOrder Via(const ScriptedServer& server) {
    core::ViaHost host;
    host.is_address = true;
    host.address = server.address();
    RouteOrder order;
    order.hosts = ViaKey({&host, 1});
    return order;
  }
  static QueueFilter To(const std::string& recipient) {
    QueueFilter filter;
    filter.recipient = recipient;
    return filter;
  }
  // A route of this name before all others, to the server.
  core::RouteConfig& PutFirst(const std::string& name, const std::string& match,
                              const ScriptedServer& server) {
    core::RouteConfig route = story_.config().routes.front();
    route.name = name;
    route.match = {match};
    route.via.resize(1);
    route.via[0].address = server.address();
    story_.config().routes.insert(story_.config().routes.begin(), route);
    return story_.config().routes.front();
  }
  std::string RouteOf(const std::string& recipient) {
    for (const QueueLine& line : story_.List()) {
      if (line.recipient == recipient) return line.route;
    }
    return "(gone)";
  }
  void Restart() {
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    story_.RunFor(kNsPerSecond);
  }

  ShardStory story_{GetParam()};
  ScriptedServer* sender_;
};

// Queued mail keeps its route over a reload; clear forgets it, and the periods that came with it.
TEST_P(RoutedAgain, ByTheRoutesAndThePeriodsOfToday) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  ScriptedServer* other = story_.AddServer(
      "c.example",
      {{.at = "connect", .reply = "421 4.3.2 no", .then = simulation::ScriptRule::Then::kClose}});
  story_.config().delivery.periods.retry_ns = {kNsPerMinute};
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"three@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  PutFirst("special", "b.example", *other);
  story_.config().delivery.periods.retry_until_ns = 2 * kNsPerDay;
  story_.Reload();
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(RouteOf("one@b.example"), "b.example");
  RouteOrder dry = Clear();
  dry.dry_run = true;
  EXPECT_EQ(story_.Redirect(dry, To("*@b.example")).found, 3u);
  EXPECT_EQ(RouteOf("one@b.example"), "b.example");
  const CommandCounts counts = story_.Redirect(Clear(), To("*"));
  EXPECT_EQ(counts.found, 3u);
  EXPECT_EQ(counts.done, 3u);
  for (const char* const to : {"one@b.example", "two@b.example", "three@b.example"}) {
    EXPECT_EQ(RouteOf(to), "special");
  }
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"cleared\""));
  // A filter for the route means the one of today.
  QueueQuery special;
  special.filter.route = "special";
  EXPECT_THAT(story_.List(special), SizeIs(3));
  // A restart remembers, and the old hour is no end any more.
  Restart();
  EXPECT_EQ(RouteOf("three@b.example"), "special");
  story_.RunFor(3 * kNsPerHour);
  EXPECT_EQ(story_.Counters().expired, 0u);
  other->script().rules.clear();
  EXPECT_EQ(story_.Redirect(Clear(), To("*")).done, 3u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(other->taken(), SizeIs(2));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

TEST_P(RoutedAgain, ThroughHostsOfTheOperatorsUntilTheyAreCleared) {
  ScriptedServer* mine =
      story_.AddServer("mine.example", {{.at = "RCPT", .reply = "451 4.2.0 no"}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  for (int i = 0; i < 5; ++i) {  // most of them wait on a shelf
    EXPECT_TRUE(story_.Send(kSender, {"r" + std::to_string(i) + "@dead.example"}).acknowledged);
  }
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(story_.Redirect(Via(*mine), To("*@dead.example")).done, 5u);
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(RouteOf("r0@dead.example"), kRerouteName);
  EXPECT_THAT(mine->answers(), SizeIs(5));
  // Neither a restart nor a crash nor a reload takes that back.
  Restart();
  EXPECT_EQ(RouteOf("r3@dead.example"), kRerouteName);
  story_.RunFor(2 * kNsPerSecond);
  story_.Crash();
  story_.Start();
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(RouteOf("r4@dead.example"), kRerouteName);
  std::erase_if(story_.config().routes,
                [](const core::RouteConfig& route) { return route.name == "dead.example"; });
  ScriptedServer* rest = story_.AddServer("rest.example");
  story_.config().routes.back().match = {"*"};
  story_.config().routes.back().name = "rest";
  story_.config().routes.back().periods = story_.config().delivery.periods;
  story_.config().routes.back().max_connections = story_.config().delivery.max_connections;
  story_.Reload();
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(RouteOf("r0@dead.example"), kRerouteName);
  EXPECT_EQ(story_.Redirect(Clear(), To("r0@*")).done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return rest->taken().size() == 1; }, kNsPerMinute));
  // Back to what it was, that is to the routes of today, since the envelope is the original one.
  RouteOrder back;
  back.original = true;
  EXPECT_EQ(story_.Redirect(back, To("r1@*")).done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().queued == 3; }, kNsPerMinute));
  EXPECT_THAT(rest->taken(), SizeIs(2));
  // A route by its name takes what it does not match.
  RouteOrder named;
  named.route = "rest";
  EXPECT_EQ(story_.Redirect(named, To("*")).done, 3u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(rest->taken(), SizeIs(5));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

// Who is delivered keeps that; the others of the ticket go, as soon as it is back.
TEST_P(RoutedAgain, WhileItIsBeingSent) {
  ScriptedServer* server = story_.AddServer(
      "b.example",
      {{.at = "RCPT TO:<one@", .reply = "550 5.1.1 no", .delay_ns = 20 * kNsPerSecond}});
  ScriptedServer* mine = story_.AddServer("mine.example");
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "x@mine.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const CommandCounts counts = story_.Redirect(Via(*mine), To("*@b.example"));
  EXPECT_EQ(counts.found, 2u);
  EXPECT_EQ(counts.done, 1u);
  EXPECT_EQ(counts.kept, 1u);
  EXPECT_EQ(counts.waiting, 0u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("two@b.example"));
  ASSERT_THAT(mine->taken(), SizeIs(2));
  EXPECT_THAT(mine->taken()[1].recipients, ElementsAre("one@b.example"));
  EXPECT_THAT(sender_->taken(), IsEmpty());  // the refusal is nobody's any more
  story_.Finish();
}

// A route's hold is a routing, and goes with it; an operator's stays.
TEST_P(RoutedAgain, WhatIsHeld) {
  ScriptedServer* server = story_.AddServer("b.example");
  PutFirst("quarantine", "*", *server).action = core::RouteAction::kHold;
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"two@b.example"}).acknowledged);
  story_.RunFor(3 * kNsPerHour);
  EXPECT_EQ(story_.Redirect(Clear(), To("one@*")).done, 1u);  // the route holds it still
  EXPECT_EQ(RouteOf("one@b.example"), "quarantine");
  story_.config().routes.erase(story_.config().routes.begin());
  story_.Reload();
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_EQ(story_.Redirect(Clear(), To("one@*")).done, 1u);
  // All its periods are before it: it is older than they are.
  ASSERT_TRUE(story_.RunUntil([&] { return server->taken().size() == 1; }, kNsPerMinute));
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().queued == 1; }, kNsPerMinute));
  server->script().rules = {{.at = "RCPT", .reply = "451 4.2.0 later"}};
  EXPECT_TRUE(story_.Send(kSender, {"three@b.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(story_.Command(QueueOrder::kHold, To("three@*")).done, 1u);
  EXPECT_EQ(story_.Redirect(Clear(), To("three@*")).done, 1u);
  story_.RunFor(kNsPerMinute);
  ASSERT_THAT(story_.List(), SizeIs(2));
  for (const QueueLine& line : story_.List()) EXPECT_EQ(line.state, RecipientState::kHeld);
  server->script().rules.clear();
  EXPECT_EQ(story_.Command(QueueOrder::kRelease, To("*")).done, 2u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

TEST_P(RoutedAgain, TheDnsIsAskedAgain) {
  ScriptedServer* after = story_.AddMx("other.example", 10, "new.example");
  story_.AddDeadMx("b.example", 10, "old.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"tom@b.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  story_.names().Remove("b.example");
  story_.names().AddMx("b.example", 10, "new.example");
  const uint64_t asked = story_.names().QuestionsAbout("b.example");
  // Its answer is good for long yet.
  EXPECT_EQ(story_.Command(QueueOrder::kRetry, To("*")).found, 2u);
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_THAT(after->taken(), IsEmpty());
  EXPECT_EQ(story_.Redirect(Clear(), To("*")).done, 2u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(after->taken(), SizeIs(2));
  EXPECT_GT(story_.names().QuestionsAbout("b.example"), asked);
  EXPECT_LE(story_.names().QuestionsAbout("b.example"), asked + 2);  // MX, and no more than once
  story_.Finish();
}

// Routes may ask for what only the message itself says, also of a large one.
TEST_P(RoutedAgain, ByWhatItsHeaderSays) {
  ScriptedServer* bulk = story_.AddServer("bulk.example");
  story_.AddDeadRoute("b.example");
  story_.Start();
  std::string large = "X-Class: bulk mail\r\n\r\n";
  while (large.size() < 300'000) large += std::string(70, 'x') + "\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"small@b.example"}, "X-Class: bulk\r\n\r\nx\r\n").acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"large@b.example"}, large).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"none@b.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  PutFirst("bulk", "*", *bulk).headers = {{"x-class", "bulk*", "X-Class: bulk*"}};
  story_.Reload();
  EXPECT_EQ(story_.Redirect(Clear(), To("*@b.example")).done, 3u);
  ASSERT_TRUE(story_.RunUntil([&] { return bulk->taken().size() == 2; }, kNsPerMinute));
  EXPECT_EQ(RouteOf("none@b.example"), "b.example");
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, To("none@*")).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, RoutedAgain, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
