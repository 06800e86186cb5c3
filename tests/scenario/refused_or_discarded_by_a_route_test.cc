// Routes that take no mail: what they refuse is refused at RCPT, or behind the message when only
// that tells; what they discard is acknowledged, counted, and gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

class RefusedOrDiscardedByARoute : public testing::TestWithParam<uint32_t> {
 protected:
  RefusedOrDiscardedByARoute() : sender_(story_.AddServer("sender.example")) {}

  core::RouteConfig& Add(const std::string& name, core::RouteAction action) {
    core::RouteConfig route;
    route.name = name;
    route.match = {name};
    route.action = action;
    route.reject_text = "Not from here";
    story_.config().routes.insert(story_.config().routes.begin(), route);
    return story_.config().routes.front();
  }

  ShardStory story_{GetParam()};
  simulation::ScriptedServer* sender_;
};

TEST_P(RefusedOrDiscardedByARoute, RefusedAtRcpt) {
  Add("closed.example", core::RouteAction::kReject);
  simulation::ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const simulation::ClientResult result =
      story_.Send(kSender, {"a@closed.example", "one@b.example"});
  EXPECT_TRUE(result.acknowledged);
  EXPECT_THAT(result.recipient_replies, ElementsAre("550 5.7.1 Not from here", StartsWith("250 ")));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("one@b.example"));
  EXPECT_FALSE(story_.Send(kSender, {"a@closed.example"}).acknowledged);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::rejected_total), 2);
  EXPECT_EQ(story_.Counters().accepted, 1u);
  EXPECT_THAT(story_.events(), HasSubstr("\"route\":\"closed.example\",\"why\":\"Not from here\""));
  story_.Finish();
}

TEST_P(RefusedOrDiscardedByARoute, RefusedForWhatIsInIt) {
  core::RouteConfig& route = Add("no-bulk", core::RouteAction::kReject);
  route.match = {"*"};
  route.headers = {{"x-class", "bulk", "X-Class: bulk"}};
  core::RouteConfig& large = Add("small-only", core::RouteAction::kReject);
  large.match = {"b.example"};
  large.size = {200'001, UINT64_MAX, "> 200000"};
  large.reject_text = "Too large for b.example";
  simulation::ScriptedServer* server = story_.AddServer("b.example");
  story_.AddServer("c.example");
  story_.Start();
  simulation::ClientResult result =
      story_.Send(kSender, {"one@b.example"}, "X-Class: bulk\r\n\r\nx\r\n");
  EXPECT_FALSE(result.acknowledged);
  EXPECT_EQ(result.last_reply, "550 5.7.1 Not from here");
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += std::string(70, 'x') + "\r\n";
  // One answer for all: the message is refused with it.
  result = story_.Send(kSender, {"one@b.example", "two@c.example"}, "X: y\r\n\r\n" + lines);
  EXPECT_EQ(result.last_reply, "550 5.7.1 Too large for b.example");
  EXPECT_TRUE(story_.Send(kSender, {"two@c.example"}, "X: y\r\n\r\n" + lines).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::messages_refused_total), 2);
  EXPECT_EQ(story_.Counters().accepted, 2u);
  story_.Finish();
}

TEST_P(RefusedOrDiscardedByARoute, DiscardedAndCounted) {
  Add("test.example", core::RouteAction::kDiscard);
  simulation::ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@test.example"}).acknowledged);
  EXPECT_TRUE(
      story_.Send(kSender, {"a@test.example", "one@b.example", "b@test.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().accepted, 4u);
  EXPECT_EQ(story_.Counters().discarded, 3u);
  EXPECT_EQ(story_.Counters().delivered, 1u);
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), SizeIs(0));
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"discarded\""));
  // It does not come back.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(story_.Counters().recovered, 0u);
  story_.Finish();
}

// The route of queued mail is gone, and the one of today takes none: its sender is told.
TEST_P(RefusedOrDiscardedByARoute, QueuedMailAfterAReload) {
  story_.AddDeadRoute("dead.example");
  story_.AddDeadRoute("gone.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@dead.example", "two@gone.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"three@dead.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  std::erase_if(story_.config().routes,
                [](const core::RouteConfig& route) { return route.name != "sender.example"; });
  Add("dead.example", core::RouteAction::kReject);
  Add("gone.example", core::RouteAction::kDiscard);
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 2u);
  EXPECT_EQ(story_.Counters().discarded, 1u);
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken()[0].content, HasSubstr("Not from here"));
  EXPECT_THAT(sender_->taken()[0].content, HasSubstr("Status: 5.7.1"));
  story_.Finish();
}

TEST_P(RefusedOrDiscardedByARoute, WhatAnOperatorHoldsIsNotTouchedUntilItIsReleased) {
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@dead.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  QueueFilter filter;
  filter.recipient = "one@*";
  EXPECT_EQ(story_.Command(QueueOrder::kHold, filter).found, 1u);
  story_.RunFor(kNsPerSecond);
  std::erase_if(story_.config().routes,
                [](const core::RouteConfig& route) { return route.name == "dead.example"; });
  core::RouteConfig& route = Add("closed", core::RouteAction::kReject);
  route.match = {"dead.example"};
  story_.Reload();
  story_.RunFor(kNsPerMinute);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].state, RecipientState::kHeld);
  EXPECT_EQ(story_.Command(QueueOrder::kRelease, filter).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(RefusedOrDiscardedByARoute, NoticesOfOurs) {
  core::RouteConfig& route = Add("no-notices", core::RouteAction::kDiscard);
  route.match = {"*"};
  route.senders = {"<>"};
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  EXPECT_EQ(story_.Counters().discarded, 1u);
  EXPECT_THAT(sender_->taken(), SizeIs(0));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, RefusedOrDiscardedByARoute, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
