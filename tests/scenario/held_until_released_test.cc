// Mail that is held, by a route or by an operator: it stays where it is, over restarts and for
// longer than it would otherwise be kept; released, it goes by the routes of the day.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerDay;
using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using testing::ElementsAre;
using testing::SizeIs;

class HeldUntilReleased : public testing::TestWithParam<uint32_t> {
 protected:
  HeldUntilReleased() : sender_(story_.AddServer("sender.example")) {}

  // Before all other routes.
  core::RouteConfig& AddHold(const std::string& name) {
    core::RouteConfig route;
    route.name = name;
    route.match = {"*"};
    route.action = core::RouteAction::kHold;
    story_.config().routes.insert(story_.config().routes.begin(), route);
    return story_.config().routes.front();
  }

  CommandCounts Command(QueueOrder order, const std::string& recipient = "*") {
    QueueFilter filter;
    filter.recipient = recipient;
    return story_.Command(order, filter);
  }

  std::vector<std::string> Held() {
    std::vector<std::string> held;
    for (const QueueLine& line : story_.List()) {
      if (line.state == RecipientState::kHeld) held.push_back(line.recipient);
    }
    return held;
  }

  void Restart() {
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    story_.RunFor(kNsPerSecond);
  }

  ShardStory story_{GetParam()};
  simulation::ScriptedServer* sender_;
};

// Its periods begin when it is released, and not later for having been purged before that.
TEST_P(HeldUntilReleased, AndPurgedMeanwhile) {
  story_.config().delivery.periods.notify_after_ns = core::kNever;
  story_.config().delivery.periods.retry_until_ns = 2 * kNsPerHour;
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@dead.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(Command(QueueOrder::kHold).found, 1u);
  OrderDetails details;
  details.undo_ns = kNsPerDay;
  EXPECT_EQ(story_.Command(QueueOrder::kPurge, {}, details).done, 1u);
  story_.RunFor(5 * kNsPerHour);
  EXPECT_EQ(Command(QueueOrder::kUndo).done, 1u);
  EXPECT_THAT(Held(), ElementsAre("one@dead.example"));
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 1u);
  story_.RunFor(kNsPerHour);
  EXPECT_THAT(story_.List(), SizeIs(1));
  ASSERT_TRUE(story_.RunUntilEmpty(90 * kNsPerMinute));
  EXPECT_EQ(story_.Counters().expired, 1u);
  story_.Finish();
}

TEST_P(HeldUntilReleased, ByARoute) {
  AddHold("quarantine").senders = {"*@bad.example"};
  simulation::ScriptedServer* server = story_.AddServer("b.example");
  simulation::ScriptedServer* other = story_.AddServer("c.example");
  story_.Start();
  EXPECT_TRUE(story_.Send("spam@bad.example", {"one@b.example", "two@b.example", "x@c.example"})
                  .acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"good@b.example"}).acknowledged);
  // Far beyond its periods: nothing is tried, nobody is told, nothing expires.
  story_.RunFor(2 * kNsPerDay);
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(Held(), ElementsAre("one@b.example", "two@b.example", "x@c.example"));
  Restart();
  EXPECT_THAT(Held(), ElementsAre("one@b.example", "two@b.example", "x@c.example"));
  // Neither a retry nor a reload that drops the route lets it go.
  const CommandCounts retried = Command(QueueOrder::kRetry);
  EXPECT_EQ(retried.held, 3u);
  EXPECT_EQ(retried.done, 0u);
  story_.config().routes.erase(story_.config().routes.begin());
  story_.Reload();
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(Held(), SizeIs(3));
  const CommandCounts one = Command(QueueOrder::kRelease, "two@*");
  EXPECT_EQ(one.found, 1u);
  EXPECT_EQ(one.done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return server->taken().size() == 2; }, kNsPerMinute));
  EXPECT_THAT(server->taken()[1].recipients, ElementsAre("two@b.example"));
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 2u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(3));
  EXPECT_THAT(other->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), SizeIs(0));
  story_.Finish();
}

TEST_P(HeldUntilReleased, ReleasedMailIsNotHeldAgainAndItsPeriodsBeginAnew) {
  AddHold("everything");
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(3 * kNsPerHour);
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 1u);
  story_.RunFor(30 * kNsPerMinute);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].state, RecipientState::kDeferred);
  EXPECT_GT(story_.List()[0].attempts, 20u);
  // A restart remembers both.
  Restart();
  story_.RunFor(25 * kNsPerMinute);
  EXPECT_EQ(story_.List()[0].state, RecipientState::kDeferred);
  // An hour after the release it is given up; the notice to the sender is held in its turn.
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_EQ(story_.Counters().expired, 1u);
  EXPECT_THAT(server->taken(), SizeIs(0));
  EXPECT_THAT(Held(), ElementsAre(kSender));
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(HeldUntilReleased, ByAnOperator) {
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 2}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"three@dead.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  // Behind the backoff of its destination: out, but not being sent.
  EXPECT_TRUE(story_.Send(kSender, {"four@dead.example"}).acknowledged);
  const CommandCounts counts = Command(QueueOrder::kHold, "*o*");  // all but three
  EXPECT_EQ(counts.found, 3u);
  EXPECT_EQ(counts.done + counts.waiting, 3u);  // four may be trying the host just now
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(Held(), ElementsAre("four@dead.example", "one@b.example", "two@b.example"));
  EXPECT_EQ(Command(QueueOrder::kHold, "one@*").done, 1u);  // it is
  story_.RunFor(2 * kNsPerHour);
  EXPECT_EQ(story_.Counters().expired, 1u);
  EXPECT_THAT(Held(), SizeIs(3));
  Restart();
  EXPECT_THAT(Held(), ElementsAre("four@dead.example", "one@b.example", "two@b.example"));
  // One of two that wait together.
  EXPECT_EQ(Command(QueueOrder::kRelease, "one@*").done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return server->taken().size() == 1; }, kNsPerMinute));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("one@b.example"));
  Restart();
  EXPECT_THAT(Held(), ElementsAre("four@dead.example", "two@b.example"));
  EXPECT_EQ(Command(QueueOrder::kRemove, "four@*").done, 1u);
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 1u);
  EXPECT_EQ(Command(QueueOrder::kRelease).found, 0u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(2));
  story_.Finish();
}

TEST_P(HeldUntilReleased, WhileItIsBeingSent) {
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT TO:<one@",
                                      .reply = "451 4.2.0 later",
                                      .delay_ns = 20 * kNsPerSecond,
                                      .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const CommandCounts counts = Command(QueueOrder::kHold);
  EXPECT_EQ(counts.waiting, 2u);
  story_.RunFor(kNsPerMinute);
  // The attempt was not disturbed; whom it left is held.
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("two@b.example"));
  EXPECT_THAT(Held(), ElementsAre("one@b.example"));
  Restart();
  EXPECT_THAT(Held(), ElementsAre("one@b.example"));
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

// Which route is next may depend on what only the message itself says, also of a large one.
TEST_P(HeldUntilReleased, TheNextRouteMayLookIntoTheMessage) {
  AddHold("everything");
  simulation::ScriptedServer* bulk = story_.AddServer("bulk.example");
  core::RouteConfig& route = story_.config().routes.back();
  route.match = {"*"};
  route.headers = {{"x-class", "bulk*", "X-Class: bulk*"}};
  simulation::ScriptedServer* rest = story_.AddServer("b.example");
  story_.Start();
  const std::string large(300'000, 'x');
  std::string lines;
  for (size_t at = 0; at < large.size(); at += 70) lines += large.substr(at, 70) + "\r\n";
  const std::string header = "X-Class: bulk mail\r\n\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"small@b.example"}, header + "x\r\n").acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"large@b.example"}, header + lines).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"other@b.example"}, "X: y\r\n\r\n" + header).acknowledged);
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(Held(), SizeIs(3));
  Restart();
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 3u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(bulk->taken(), SizeIs(2));
  EXPECT_THAT(rest->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(HeldUntilReleased, ManyForADomainThatIsDown) {
  // Most of them wait on a shelf and have no ticket of their own.
  story_.AddDeadRoute("dead.example");
  story_.Start();
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {std::to_string(i) + "@dead.example"}).acknowledged);
  }
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(Command(QueueOrder::kHold).found, 50u);
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(Held(), SizeIs(50));
  simulation::ScriptedServer* server = story_.Revive("dead.example");
  Restart();
  EXPECT_THAT(Held(), SizeIs(50));
  EXPECT_EQ(Command(QueueOrder::kRelease).done, 50u);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(50));
  story_.Finish();
}

// More states than are written at a time; and then the power fails.
TEST_P(HeldUntilReleased, ManyAtOnceAndAllOfThemOnTheDisk) {
  constexpr size_t kMany = 1500;
  story_.AddDeadRoute("b.example");
  story_.Start();
  for (size_t i = 0; i < kMany; ++i) {
    story_.SendLater("alice@sender.example", {"u" + std::to_string(i) + "@b.example"});
    if (i % 20 > 0 && i + 1 < kMany) continue;
    ASSERT_TRUE(
        story_.RunUntil([&] { return story_.acknowledged_later() == i + 1; }, kNsPerMinute));
  }
  EXPECT_EQ(Command(QueueOrder::kHold).done, kMany);
  story_.RunFor(kNsPerSecond);
  story_.Crash();
  story_.Start();
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_THAT(Held(), SizeIs(kMany));
  story_.Finish(kMany);
}

INSTANTIATE_TEST_SUITE_P(Shards, HeldUntilReleased, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
