// `outbox reroute` with new recipients or a new return path: another message takes the place of
// what is meant, and that can be taken back. Each recipient is either old or new, also after a
// crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class WithAnotherEnvelope : public testing::TestWithParam<uint32_t> {
 protected:
  WithAnotherEnvelope() : sender_(story_.AddServer("sender.example")) {}

  static RouteOrder To(std::vector<std::string> to) {
    RouteOrder order;
    order.to = std::move(to);
    return order;
  }
  static RouteOrder Back() {
    RouteOrder order;
    order.original = true;
    return order;
  }
  static QueueFilter Recipient(const std::string& recipient) {
    QueueFilter filter;
    filter.recipient = recipient;
    return filter;
  }
  std::vector<std::string> Queued() {
    std::vector<std::string> recipients;
    for (const QueueLine& line : story_.List()) recipients.push_back(line.recipient);
    return recipients;
  }
  void Restart() {
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    story_.RunFor(kNsPerSecond);
  }

  ShardStory story_{GetParam()};
  ScriptedServer* sender_;
};

TEST_P(WithAnotherEnvelope, OneInThePlaceOfThree) {
  story_.AddDeadRoute("dead.example");
  story_.AddDeadRoute("worse.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"a@dead.example", "b@worse.example", "c@dead.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"other@dead.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  QueueFilter filter;
  filter.id = story_.List()[0].id;
  const CommandCounts counts = story_.Redirect(To({"new@new.example"}), filter);
  EXPECT_EQ(counts.found, 3u);
  EXPECT_EQ(counts.done, 3u);
  EXPECT_EQ(counts.made, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return !server->taken().empty(); }, kNsPerMinute));
  EXPECT_EQ(server->taken()[0].reverse_path, kSender);
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("new@new.example"));
  EXPECT_THAT(server->taken()[0].content, HasSubstr("Subject: x\r\n\r\nhello\r\n"));
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(story_.Counters().removed, 3u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("other@dead.example"));
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"rerouted\""));
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"resubmitted\""));
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, Recipient("*")).done, 1u);
  story_.Finish();
}

TEST_P(WithAnotherEnvelope, AndBackToTheOriginalOne) {
  story_.AddDeadRoute("dead.example");
  story_.AddDeadRoute("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@dead.example", "b@dead.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  RouteOrder order = To({"x@new.example", "y@new.example"});
  order.from = "bob@sender.example";
  EXPECT_EQ(story_.Redirect(order, Recipient("*")).made, 2u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("x@new.example", "y@new.example"));
  // Once more, with the null return path; the original stays the original.
  RouteOrder again = To({"z@new.example"});
  again.from = "";
  EXPECT_EQ(story_.Redirect(again, Recipient("*")).done, 2u);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].sender, "");
  Restart();
  EXPECT_THAT(Queued(), UnorderedElementsAre("z@new.example"));
  const CommandCounts back = story_.Redirect(Back(), Recipient("z@*"));
  EXPECT_EQ(back.done, 1u);
  EXPECT_EQ(back.made, 2u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("a@dead.example", "b@dead.example"));
  EXPECT_EQ(story_.List()[0].sender, kSender);
  // There is nothing to go back to any more.
  EXPECT_EQ(story_.Redirect(Back(), Recipient("*")).made, 0u);
  EXPECT_THAT(Queued(), SizeIs(2));
  ScriptedServer* server = story_.Revive("dead.example");
  EXPECT_EQ(story_.Command(QueueOrder::kRetry, Recipient("*")).found, 2u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

// Of a part of a message: the others keep their way. What is split off cannot bring them back.
TEST_P(WithAnotherEnvelope, APartOfIt) {
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@dead.example", "b@dead.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_EQ(story_.Redirect(To({"x@dead.example", "y@dead.example"}), Recipient("a@*")).done, 1u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("b@dead.example", "x@dead.example", "y@dead.example"));
  EXPECT_EQ(story_.Redirect(To({"z@dead.example"}), Recipient("x@*")).done, 1u);
  EXPECT_EQ(story_.Redirect(Back(), Recipient("z@*")).done, 1u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("b@dead.example", "y@dead.example", "x@dead.example"));
  EXPECT_EQ(story_.Redirect(Back(), Recipient("y@*")).done, 1u);
  EXPECT_THAT(Queued(), UnorderedElementsAre("b@dead.example", "x@dead.example", "a@dead.example"));
  EXPECT_EQ(story_.Redirect(To({"end@new.example"}), Recipient("*")).done, 3u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(3));  // one for each message
  story_.Finish();
}

// What is delivered meanwhile is not re-routed; the others wait for that and go together.
TEST_P(WithAnotherEnvelope, WhileItIsBeingSent) {
  ScriptedServer* slow = story_.AddServer(
      "slow.example",
      {{.at = "RCPT TO:<one@", .reply = "451 4.2.0 later", .delay_ns = 20 * kNsPerSecond}});
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@slow.example", "two@slow.example", "c@dead.example"})
                  .acknowledged);
  story_.RunFor(2 * kNsPerSecond);
  const CommandCounts counts = story_.Redirect(To({"new@new.example"}), Recipient("*"));
  EXPECT_EQ(counts.found, 3u);
  EXPECT_EQ(counts.done, 2u);
  EXPECT_EQ(counts.kept, 1u);
  EXPECT_EQ(counts.made, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(slow->taken(), SizeIs(1));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_EQ(story_.Counters().delivered, 2u);
  EXPECT_EQ(story_.Counters().removed, 2u);
  story_.Finish();
}

// Nor is it a notice that it waits for.
TEST_P(WithAnotherEnvelope, AndWhyItWaits) {
  story_.AddServer("slow.example",
                   {{.at = "RCPT", .reply = "451 4.2.0 later", .delay_ns = 20 * kNsPerSecond}});
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@slow.example", "b@dead.example"}).acknowledged);
  story_.RunFor(2 * kNsPerSecond);
  ASSERT_THAT(story_.Explain(Recipient("b@*")), SizeIs(1));
  EXPECT_FALSE(story_.Explain(Recipient("b@*"))[0].rerouted);
  story_.StartRedirect(To({"new@new.example"}), Recipient("*"));
  story_.RunFor(2 * kNsPerSecond);
  const std::vector<RecipientFacts> facts = story_.Explain(Recipient("b@*"));
  ASSERT_THAT(facts, SizeIs(1));
  EXPECT_EQ(facts[0].place, TicketPlace::kNotice);
  EXPECT_TRUE(facts[0].rerouted);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

// Held mail stays held, and a sender who was told of the delay is not told again.
TEST_P(WithAnotherEnvelope, WhatHappenedToItStays) {
  story_.config().delivery.periods.notify_after_ns = 10 * kNsPerMinute;
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@dead.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil([&] { return sender_->taken().size() == 1; }, 20 * kNsPerMinute));
  EXPECT_EQ(story_.Command(QueueOrder::kHold, Recipient("a@*")).found, 1u);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(story_.Redirect(To({"b@dead.example"}), Recipient("a@*")).made, 1u);
  Restart();
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].state, RecipientState::kHeld);
  EXPECT_EQ(story_.Command(QueueOrder::kRelease, Recipient("b@*")).done, 1u);
  story_.RunFor(15 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(story_.Redirect(To({"c@new.example"}), Recipient("b@*")).made, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

// What was purged and is not any more has all the time that it had left, also by another name.
TEST_P(WithAnotherEnvelope, TheTimeInWhichItWasPurgedDoesNotCount) {
  story_.config().delivery.periods.notify_after_ns = core::kNever;
  story_.config().delivery.periods.retry_until_ns = 2 * core::kNsPerHour;
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@dead.example", "b@dead.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  OrderDetails details;
  details.undo_ns = 24 * core::kNsPerHour;
  EXPECT_EQ(story_.Command(QueueOrder::kPurge, Recipient("*"), details).done, 2u);
  story_.RunFor(5 * core::kNsPerHour);
  EXPECT_EQ(story_.Command(QueueOrder::kUndo, Recipient("*")).done, 2u);
  EXPECT_EQ(story_.Redirect(To({"x@dead.example"}), Recipient("a@*")).made, 1u);
  story_.RunFor(kNsPerMinute);
  Restart();
  EXPECT_THAT(Queued(), UnorderedElementsAre("b@dead.example", "x@dead.example"));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  ASSERT_TRUE(story_.RunUntilEmpty(3 * core::kNsPerHour));  // and not for ever
  EXPECT_EQ(story_.Counters().expired, 2u);
  story_.Finish();
}

// Two messages with one body, each for its own recipient.
TEST_P(WithAnotherEnvelope, ALargeBodyIsShared) {
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  story_.Start();
  std::string content = "Subject: large\r\n\r\n";
  for (int i = 0; content.size() < 900'000; ++i) content += std::to_string(i) + " line\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"a@dead.example", "b@dead.example"}, content).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_EQ(story_.Redirect(To({"a@new.example"}), Recipient("a@*")).done, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return server->taken().size() == 1; }, kNsPerMinute));
  Restart();
  EXPECT_EQ(story_.Redirect(To({"b@new.example"}), Recipient("b@*")).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(2));
  for (const simulation::TakenMessage& taken : server->taken()) {
    EXPECT_TRUE(taken.content.ends_with(content));
  }
  story_.Finish();
}

// Every message by itself, at any moment of a mass re-route at which the power may fail.
TEST_P(WithAnotherEnvelope, ACrashLeavesEitherTheOldOrTheNew) {
  story_.AddDeadRoute("dead.example");
  story_.AddDeadRoute("new.example");
  story_.Start();
  constexpr int kMessages = 120;
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_TRUE(story_
                    .Send("s" + std::to_string(i) + "@sender.example",
                          {"r" + std::to_string(i) + "@dead.example"})
                    .acknowledged);
  }
  int cut = 0;  // crashes at which some were new and some were old
  for (int round = 0; round < 8; ++round) {
    const bool there = round % 2 == 0;
    RouteOrder order = there ? To({"new@new.example"}) : Back();
    story_.StartRedirect(order, Recipient(there ? "*@dead.example" : "*@new.example"));
    story_.RunFor((1 + round) * kNsPerMs / 2);
    story_.Crash();
    story_.Start();
    story_.RunFor(kNsPerSecond);
    std::multiset<std::string> senders;
    bool old_ones = false;
    bool new_ones = false;
    for (const QueueLine& line : story_.List()) {
      senders.insert(line.sender);
      const bool fresh = line.recipient == "new@new.example";
      (fresh ? new_ones : old_ones) = true;
      EXPECT_TRUE(fresh || line.recipient == "r" +
                                                 line.sender.substr(1, line.sender.find('@') - 1) +
                                                 "@dead.example");
    }
    EXPECT_EQ(senders.size(), size_t{kMessages});
    EXPECT_EQ(std::set<std::string>(senders.begin(), senders.end()).size(), size_t{kMessages});
    if (old_ones && new_ones) ++cut;
    story_.Redirect(order, Recipient("*"));
  }
  EXPECT_GE(cut, 1);
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, Recipient("*")).done, uint64_t{kMessages});
  story_.Finish();
}

// A stop does not wait for attempts that it does not have to wait for, and loses nothing.
TEST_P(WithAnotherEnvelope, StoppedInTheMiddle) {
  story_.AddDeadRoute("dead.example");
  story_.AddDeadRoute("new.example");
  ScriptedServer* slow = story_.AddServer(
      "slow.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .delay_ns = 20 * kNsPerSecond}});
  story_.Start();
  constexpr uint64_t kMessages = 60;
  for (uint64_t i = 0; i < kMessages; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"r" + std::to_string(i) + "@dead.example"}).acknowledged);
  }
  // One ticket is being sent, so the whole message waits.
  EXPECT_TRUE(story_.Send(kSender, {"a@slow.example", "b@dead.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  for (int round = 0; round < 6; ++round) {
    story_.StartRedirect(To({"new@new.example"}), Recipient("*@dead.example"));
    story_.StartRedirect(To({"new@new.example"}), Recipient("*@slow.example"));
    story_.RunFor(round * kNsPerMs);
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    story_.RunFor(kNsPerSecond);
    const std::vector<std::string> queued = Queued();
    const auto fresh = std::count(queued.begin(), queued.end(), "new@new.example");
    EXPECT_GE(queued.size(), kMessages + 1);
    EXPECT_LE(queued.size(), kMessages + 2);  // a and b, or what takes their place
    EXPECT_EQ(std::set<std::string>(queued.begin(), queued.end()).size(),
              queued.size() - static_cast<size_t>(std::max<ptrdiff_t>(fresh - 1, 0)));
    story_.Redirect(Back(), Recipient("*"));
  }
  slow->script().rules.clear();
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, Recipient("*@dead.example")).done, kMessages + 1);
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, WithAnotherEnvelope, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
