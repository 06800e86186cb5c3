// RFC 3461: what the sender asks for goes on to hosts that have DSN; for the others we answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ClientMessage;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kHello[] = "Subject: x\r\n\r\nhello\r\n";

ClientMessage Asking(std::vector<std::string> recipients, std::vector<std::string> asks,
                     const std::string& of_all = "") {
  return {kSender, std::move(recipients), kHello, of_all, std::move(asks)};
}

TEST_P(ScenarioTest, WhatIsAskedForGoesOnToAHostWithDsn) {
  ScriptedServer* server = story_.AddServer("b.example");
  server->script().extensions.push_back("DSN");
  story_.Start();
  EXPECT_TRUE(story_
                  .Send(Asking(
                      {"one@b.example", "two@b.example", "three@b.example"},
                      {" NOTIFY=DELAY,SUCCESS ORCPT=rfc822;uno+2Bx@a.example", "", " NOTIFY=NEVER"},
                      " RET=HDRS ENVID=QQ+3D1"))
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));  // one transaction: parameters are each recipient's own
  EXPECT_THAT(server->taken()[0].asks, HasSubstr(" RET=HDRS ENVID=QQ+3D1"));
  EXPECT_THAT(
      server->taken()[0].recipients_ask,
      ElementsAre(" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;uno+2Bx@a.example", "", " NOTIFY=NEVER"));
  // It is that host's to tell from now on.
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().generated, 0u);
  story_.Finish();
}

TEST_P(ScenarioTest, WhatAHostWithoutDsnHasTakenIsRelayed) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  EXPECT_TRUE(story_
                  .Send(Asking({"one@b.example", "never@b.example", "two@b.example",
                                "plain@b.example", "failure@b.example"},
                               {" NOTIFY=SUCCESS ORCPT=rfc822;uno@a.example", " NOTIFY=NEVER",
                                " NOTIFY=SUCCESS,FAILURE", "", " NOTIFY=FAILURE"},
                               " ENVID=id+2B7 RET=FULL"))
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, SizeIs(5));
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  const std::string& notice = sender_->taken()[0].content;
  EXPECT_THAT(notice, HasSubstr("Subject: Your message has been passed on\r\n"));
  EXPECT_THAT(notice, HasSubstr("Original-Envelope-Id: id+7\r\n"));
  EXPECT_THAT(notice, HasSubstr("Original-Recipient: rfc822; uno@a.example\r\n"
                                "Final-Recipient: rfc822; one@b.example\r\nAction: relayed\r\n"
                                "Status: 2.0.0\r\nRemote-MTA: dns; "));
  EXPECT_THAT(notice, HasSubstr("Final-Recipient: rfc822; two@b.example\r\nAction: relayed\r\n"));
  for (const char* const other : {"never@b", "plain@b", "failure@b"}) {
    EXPECT_THAT(notice, Not(HasSubstr(other))) << other;
  }
  // RET is for failures (4.3).
  EXPECT_THAT(notice, Not(HasSubstr("message/rfc822")));
  EXPECT_THAT(notice, HasSubstr("text/rfc822-headers"));
  EXPECT_EQ(story_.Counters().delivered, 6u);
  story_.Finish();
}

TEST_P(ScenarioTest, WhatIsInTheMailboxIsDelivered) {
  core::LocalConfig& local = story_.config().local;
  local.domains = {"here.example"};
  core::ViaHost host;
  host.host = host.path = "/run/lmtp";
  host.lmtp = true;
  local.lmtp = {host};
  local.mailboxes = {"alice", "bob", "full"};
  story_.AddLmtp("/run/lmtp", {{.at = ". <full@", .reply = "552 5.2.2 over quota"}});
  story_.Start();
  EXPECT_TRUE(story_
                  .Send(Asking({"alice@here.example", "bob@here.example", "full@here.example"},
                               {" NOTIFY=SUCCESS,FAILURE", " NOTIFY=NEVER", " NOTIFY=SUCCESS"}))
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Final-Recipient: rfc822; alice@here.example\r\nAction: delivered\r\n"), 1u);
  EXPECT_EQ(Told("/run/lmtp"), 0u);
  EXPECT_EQ(story_.Counters().bounced, 1u);  // and nobody wants to hear of it
  story_.Finish();
}

TEST_P(ScenarioTest, WhoWantsToHearNothingHearsNothing) {
  story_.config().delivery.periods.notify_after_ns = 3 * kNsPerMinute;
  story_.config().delivery.periods.retry_until_ns = 10 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT TO:<no@", .reply = "550 5.1.1 no"},
                                 {.at = "RCPT TO:<late", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(Asking({"no@b.example", "late@b.example"}, {" NOTIFY=NEVER", " NOTIFY=NEVER"}))
          .acknowledged);
  EXPECT_TRUE(story_
                  .Send(Asking({"late.failure@b.example", "late.delay@b.example"},
                               {" NOTIFY=FAILURE", " NOTIFY=DELAY"}))
                  .acknowledged);
  EXPECT_TRUE(story_.Send(Asking({"no@b.example"}, {" NOTIFY=DELAY,SUCCESS"})).acknowledged);
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().queued == 3; }, kNsPerMinute));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.RunFor(5 * kNsPerMinute);
  EXPECT_EQ(Told("Action: delayed"), 1u);
  EXPECT_EQ(Told("Final-Recipient: rfc822; late.delay@b.example\r\nAction: delayed\r\n"), 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::delayed_total), 2);  // in one ticket
  // Also after a restart nobody is told who need not be.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(sender_->taken(), SizeIs(2));
  EXPECT_EQ(Told("Final-Recipient: rfc822; late.failure@b.example\r\nAction: failed\r\n"), 1u);
  EXPECT_EQ(Told("NEVER"), 0u);
  EXPECT_EQ(Told("; late@b.example"), 0u);
  story_.Finish();
}

// The notice and the end of the recipient are one record; while that cannot be written the state
// says that it is delivered.
TEST_P(ScenarioTest, DeliveredOnceAndToldOnceAcrossAStop) {
  ScriptedServer* server = story_.AddServer(
      "b.example", {{.at = ".", .reply = "250 2.0.0 mine", .delay_ns = 2 * kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(Asking({"one@b.example", "two@b.example"}, {" NOTIFY=SUCCESS", ""}))
                  .acknowledged);
  story_.RunFor(kNsPerSecond);
  ASSERT_TRUE(story_.Stop());  // the answer comes while it stops
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_EQ(Told("Final-Recipient: rfc822; one@b.example\r\nAction: relayed\r\n"), 1u);
  EXPECT_EQ(Told("Diagnostic-Code: smtp; 250 2.0.0 mine"), 1u);
  EXPECT_EQ(story_.Counters().delivered, 2u);  // the recipient and the notice
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(kNsPerHour);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(ScenarioTest, ANoticeOfSuccessThatIsNotStoredIsTriedAgain) {
  ScriptedServer* server = story_.AddServer(
      "b.example", {{.at = ".", .reply = "250 2.0.0 mine", .delay_ns = kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(Asking({"one@b.example"}, {" NOTIFY=SUCCESS"})).acknowledged);
  story_.world().mutable_options().disk.write_error_ppm = 1'000'000;
  story_.RunFor(kNsPerMinute);
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().queued, 1u);
  story_.world().mutable_options().disk.write_error_ppm = 0;
  ASSERT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(Told("Action: relayed"), 1u);
  EXPECT_THAT(server->taken(), SizeIs(1));
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(kNsPerHour);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(ScenarioTest, AFailureReturnsTheMessageWhenAsked) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no"}});
  story_.config().delivery.return_full_max = 1000;
  story_.Start();
  const std::string dots = "Subject: x\r\n\r\n..hello\r\n";
  const std::string eight =
      "Subject: x\r\n\r\ngr\xc3\xbc\xc3\x9f"
      "e\r\n";
  const std::string large = "Subject: too large\r\n\r\n" + std::string(990, 'x') + "\r\n";
  std::string huge = "Subject: in extents\r\n\r\n";
  while (huge.size() < 300'000) huge += std::string(900, 'y') + "\r\n";
  for (const std::string& content : {dots, eight, large, huge}) {
    ClientMessage message = Asking({"bob@b.example"}, {""}, " RET=FULL");
    message.content = content;
    EXPECT_TRUE(story_.Send(message).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(4));
  EXPECT_EQ(Told("Content-Type: message/rfc822\r\n"), 2u);
  EXPECT_EQ(Told("\r\nSubject: x\r\n\r\n..hello\r\n\r\n--"), 1u);
  EXPECT_EQ(Told("Content-Transfer-Encoding: 8bit\r\n"), 1u);
  EXPECT_EQ(Told("gr\xc3\xbc\xc3\x9f"
                 "e\r\n\r\n--"),
            1u);
  EXPECT_EQ(Told("too large to come back"), 2u);
  // Its headers come back in any case, wherever the body lies.
  EXPECT_EQ(Told("\r\nSubject: too large\r\n"), 1u);
  EXPECT_EQ(Told("\r\nSubject: in extents\r\n"), 1u);
  EXPECT_EQ(Told("yyy"), 0u);
  story_.Finish();
}

TEST_P(ScenarioTest, WithAnotherRecipientTheSenderWantsTheSame) {
  story_.AddDeadRoute("dead.example");
  ScriptedServer* server = story_.AddServer("new.example");
  server->script().extensions.push_back("DSN");
  story_.Start();
  EXPECT_TRUE(
      story_
          .Send(Asking({"a@dead.example"}, {" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@dead.example"},
                       " RET=FULL ENVID=7"))
          .acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  RouteOrder order;
  order.to = {"b@new.example"};
  EXPECT_EQ(story_.Redirect(order, {}).made, 1u);
  ASSERT_TRUE(story_.RunUntil([&] { return !server->taken().empty(); }, kNsPerMinute));
  EXPECT_THAT(server->taken()[0].asks, HasSubstr(" RET=FULL ENVID=7"));
  EXPECT_THAT(server->taken()[0].recipients_ask,
              ElementsAre(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@dead.example"));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
