// Unwanted mail fills the queue: it is looked at, purged, taken back, purged again and final; what
// is being sent is recalled first; a crash at any moment changes nothing of that. And mail that is
// returned to its senders by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kVirus[] = "virus@bad.example";

QueueFilter From(const std::string& sender) {
  QueueFilter filter;
  filter.sender = sender;
  return filter;
}

QueueFilter To(const std::string& recipient) {
  QueueFilter filter;
  filter.recipient = recipient;
  return filter;
}

class TheOutboxIsFull : public testing::TestWithParam<uint32_t> {
 protected:
  TheOutboxIsFull() : sender_(story_.AddServer("sender.example")) {}

  CommandCounts Purge(const QueueFilter& filter) {
    return story_.Command(QueueOrder::kPurge, filter,
                          {.undo_ns = kNsPerHour, .reason = "a virus", .by = "uid 0"});
  }
  CommandCounts PurgeSender(const std::string& sender) { return Purge(From(sender)); }
  CommandCounts PurgeRecipient(const std::string& recipient) {
    return Purge(To(recipient));
  }
  CommandCounts Undo(const std::string& recipient = "*") {
    return story_.Command(QueueOrder::kUndo, To(recipient), {.by = "uid 0"});
  }
  CommandCounts Bounce(const std::string& recipient, const std::string& reason) {
    return story_.Command(QueueOrder::kBounce, To(recipient),
                          {.reason = reason, .by = "uid 7"});
  }

  // Of what is in this state.
  std::vector<std::string> In(RecipientState state) {
    QueueQuery query;
    query.filter.states = StateBit(state);
    std::vector<std::string> recipients;
    for (const QueueLine& line : story_.List(query)) recipients.push_back(line.recipient);
    std::sort(recipients.begin(), recipients.end());
    return recipients;
  }
  std::vector<std::string> Purged() { return In(RecipientState::kPurged); }
  int64_t PurgedNow() const { return story_.Metric(&core::ShardMetrics::purged); }

  void CrashAndStart() {
    story_.Crash();
    story_.Start();
    story_.RunFor(kNsPerSecond);
  }
  void Restart() {
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    story_.RunFor(kNsPerSecond);
  }

  ShardStory story_{GetParam()};
  simulation::ScriptedServer* sender_;
};

TEST_P(TheOutboxIsFull, AFlood) {
  constexpr size_t kFlood = 1000;
  story_.config().delivery.periods.retry_until_ns = core::kNsPerDay;
  story_.config().listeners[0].max_connections = 2 * kFlood;
  story_.config().listeners[0].max_connections_per_client = 2 * kFlood;
  story_.AddDeadRoute("dead.example");
  story_.Start();
  for (size_t i = 0; i < kFlood; ++i) {
    story_.SendLater(kVirus, {std::to_string(i) + "@dead.example"});
  }
  ASSERT_TRUE(
      story_.RunUntil([&] { return story_.acknowledged_later() == kFlood; }, kNsPerHour));
  EXPECT_TRUE(story_.Send(kSender, {"good@dead.example"}).acknowledged);
  story_.RunFor(5 * kNsPerMinute);

  // A look first, which changes nothing.
  const PurgeFacts facts = story_.Preview(From("VIRUS@*"));
  EXPECT_EQ(facts.recipients, kFlood);
  EXPECT_EQ(facts.messages, kFlood);
  EXPECT_GE(facts.oldest_ns, 4 * kNsPerMinute);
  EXPECT_EQ(facts.senders.size(), 1u);
  EXPECT_EQ(facts.senders.at(kVirus).recipients, kFlood);
  EXPECT_EQ(facts.domains.at("dead.example").bytes, facts.bytes);
  EXPECT_EQ(PurgedNow(), 0);

  EXPECT_EQ(PurgeSender("virus@*").done, kFlood);
  EXPECT_EQ(PurgedNow(), static_cast<int64_t>(kFlood));
  EXPECT_EQ(story_.Counters().queued, kFlood + 1);
  EXPECT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.gaps().purged, kFlood);
  const int64_t left_ns = story_.gaps().purged_until_wall_ns - story_.world().wall_ns();
  EXPECT_GT(left_ns, 55 * kNsPerMinute);
  EXPECT_LE(left_ns, kNsPerHour);
  // It is on the disk by the time of the answer.
  CrashAndStart();
  EXPECT_EQ(PurgedNow(), static_cast<int64_t>(kFlood));
  // Nothing that can be done to queued mail meets it.
  EXPECT_EQ(story_.Command(QueueOrder::kRetry, From(kVirus)).found, 0u);
  EXPECT_EQ(story_.Command(QueueOrder::kHold, From(kVirus)).found, 0u);
  EXPECT_EQ(PurgeSender("virus@*").found, 0u);

  // Second thoughts, and third ones; the crash between them forgets neither.
  EXPECT_EQ(Undo().done, kFlood);
  CrashAndStart();
  EXPECT_EQ(PurgedNow(), 0);
  EXPECT_THAT(story_.List(), SizeIs(kFlood + 1));
  EXPECT_EQ(PurgeSender("virus@*").done, kFlood);
  simulation::ScriptedServer* server = story_.Revive("dead.example");
  story_.RunFor(50 * kNsPerMinute);
  EXPECT_THAT(server->taken(), SizeIs(1));  // the good one
  EXPECT_EQ(PurgedNow(), static_cast<int64_t>(kFlood));
  // All of it is final at the same moment; the mail does not wait for that.
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().removed > 0; }, 20 * kNsPerMinute));
  EXPECT_TRUE(story_.Send(kSender, {"now@dead.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().removed, kFlood);
  EXPECT_EQ(PurgedNow(), 0);
  EXPECT_THAT(server->taken(), SizeIs(2));
  EXPECT_EQ(Undo().found, 0u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"purged\""));
  EXPECT_THAT(story_.events(), HasSubstr("\"by\":\"uid 0\",\"reason\":\"a virus\""));
  story_.Finish();
}

TEST_P(TheOutboxIsFull, EachGoesOnAsItWas) {
  story_.config().delivery.periods.retry_ns = {10 * kNsPerMinute};
  story_.config().delivery.periods.notify_after_ns = 5 * kNsPerMinute;
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 2}});
  story_.AddServer("c.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  core::RouteConfig hold;
  hold.name = "hold";
  hold.match = {"c.example"};
  hold.action = core::RouteAction::kHold;
  story_.config().routes.insert(story_.config().routes.begin(), hold);
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, {"held@c.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  // One of two that wait together, and one that is held.
  EXPECT_EQ(PurgeRecipient("one@*").done, 1u);
  EXPECT_EQ(PurgeRecipient("held@*").done, 1u);
  EXPECT_THAT(Purged(), ElementsAre("held@c.example", "one@b.example"));
  Restart();
  EXPECT_THAT(Purged(), ElementsAre("held@c.example", "one@b.example"));
  EXPECT_EQ(Undo().done, 2u);
  EXPECT_THAT(In(RecipientState::kHeld), ElementsAre("held@c.example"));
  EXPECT_THAT(In(RecipientState::kDeferred), ElementsAre("one@b.example", "two@b.example"));
  EXPECT_THAT(server->taken(), IsEmpty());
  story_.RunFor(6 * kNsPerMinute);
  EXPECT_THAT(In(RecipientState::kDelayed), ElementsAre("one@b.example", "two@b.example"));
  EXPECT_THAT(server->taken(), IsEmpty());  // its time has not come
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().queued == 1; }, 5 * kNsPerMinute));
  EXPECT_EQ(story_.Command(QueueOrder::kRelease, {}).done, 1u);
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(In(RecipientState::kHeld), IsEmpty());
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

TEST_P(TheOutboxIsFull, TheTimeForWhichItWasPurgedDoesNotCount) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(40 * kNsPerMinute);
  EXPECT_EQ(PurgeRecipient("*").done, 1u);
  story_.RunFor(50 * kNsPerMinute);
  Restart();
  EXPECT_EQ(Undo().done, 1u);
  Restart();
  // It is an hour and a half old, and has twenty minutes of its hour left.
  story_.RunFor(15 * kNsPerMinute);
  EXPECT_EQ(story_.Counters().queued, 1u);
  EXPECT_EQ(story_.Counters().expired, 0u);
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_EQ(story_.Counters().expired, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

TEST_P(TheOutboxIsFull, FinalWhileTheRelayWasDown) {
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(PurgeRecipient("*").done, 1u);
  ASSERT_TRUE(story_.Stop());
  story_.RunFor(2 * kNsPerHour);
  story_.Start();
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().removed == 1; }, kNsPerMinute));
  EXPECT_EQ(PurgedNow(), 0);
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

TEST_P(TheOutboxIsFull, WhatIsBeingSentIsRecalledFirst) {
  simulation::ScriptedServer* server = story_.AddServer(
      "b.example",
      {{.at = "RCPT TO:<one@", .reply = "550 5.1.1 no", .delay_ns = 20 * kNsPerSecond, .times = 1},
       {.at = "RCPT TO:<two@", .reply = "451 4.2.0 later", .times = 1}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const CommandCounts counts = PurgeRecipient("*");
  EXPECT_EQ(counts.done, 2u);
  EXPECT_EQ(counts.kept, 1u);
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(Purged(), ElementsAre("one@b.example", "two@b.example"));
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), IsEmpty());  // nobody was told of the one that was refused
  CrashAndStart();
  EXPECT_EQ(Undo().done, 2u);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().delivered, 2u);  // since the crash
  story_.Finish();
}

TEST_P(TheOutboxIsFull, ForGoodAndAtOnce) {
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@dead.example", "two@dead.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(PurgeRecipient("one@*").done, 1u);
  // Without a time for second thoughts, and what was purged before.
  EXPECT_EQ(story_.Command(QueueOrder::kPurge, To("two@*")).done, 1u);
  EXPECT_EQ(story_.Counters().removed, 1u);
  QueueFilter everything;
  everything.states = kAllStates;
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, everything).done, 1u);
  EXPECT_EQ(story_.Counters().removed, 2u);
  EXPECT_EQ(PurgedNow(), 0);
  story_.Finish();
}

TEST_P(TheOutboxIsFull, ReturnedToItsSender) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"three@b.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  for (int i = 0; i < 20; ++i) {  // most wait on a shelf
    EXPECT_TRUE(story_.Send("", {std::to_string(i) + "@dead.example"}).acknowledged);
  }
  EXPECT_EQ(Bounce("one@*", "This domain has closed its doors.").done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return sender_->taken().size() == 1; }, kNsPerMinute));
  const std::string& notice = sender_->taken()[0].content;
  EXPECT_THAT(notice, HasSubstr("Action: failed"));
  EXPECT_THAT(notice, HasSubstr("Status: 5.0.0"));
  EXPECT_THAT(notice, HasSubstr("This domain has closed its doors."));
  EXPECT_THAT(notice, HasSubstr("one@b.example"));
  EXPECT_THAT(notice, testing::Not(HasSubstr("Final-Recipient: rfc822; two@b.example")));
  EXPECT_EQ(story_.Counters().bounced, 1u);
  // The null sender is not told.
  EXPECT_EQ(Bounce("three@*", "x").done, 1u);
  EXPECT_EQ(Bounce("*@dead.example", "x").done, 20u);
  EXPECT_EQ(story_.Counters().bounced, 22u);
  EXPECT_EQ(Bounce("two@*", "x").done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(2));
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("\"by\":\"uid 7\",\"reason\":\"x\""));
  story_.Finish();
}

TEST_P(TheOutboxIsFull, ReturnedWhileItIsBeingSent) {
  simulation::ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT TO:<one@",
                                      .reply = "451 4.2.0 later",
                                      .delay_ns = 20 * kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const CommandCounts counts = Bounce("*@b.example", "enough");
  EXPECT_EQ(counts.done, 1u);
  EXPECT_EQ(counts.kept, 1u);
  EXPECT_THAT(server->taken(), SizeIs(1));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(story_.Counters().bounced, 1u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, TheOutboxIsFull, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
