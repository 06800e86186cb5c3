// Mail for local mailboxes: to an LMTP server at a unix socket, each recipient with its own result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ClientResult;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kSocket[] = "/run/lmtp";

core::LocalConfig LmtpMailboxes() {
  core::LocalConfig local;
  local.domains = {"here.example"};
  local.aliases = {{"also.example", "here.example"}};
  core::ViaHost host;
  host.host = host.path = kSocket;
  host.lmtp = true;
  local.lmtp = {host};
  local.mailboxes = {"alice", "bob", "full", "list+owner"};
  return local;
}

TEST_P(ScenarioTest, LocalMailGoesToTheLmtpServer) {
  story_.config().local = LmtpMailboxes();
  ScriptedServer* server = story_.AddLmtp(kSocket);
  story_.Start();
  EXPECT_TRUE(story_
                  .Send(kSender, {"Alice@Here.Example", "bob+news@also.example",
                                  "list+owner@here.example", "bob@here.example"})
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  // Rewritten to the mailbox that is meant; what is meant twice is delivered once.
  EXPECT_THAT(server->taken()[0].recipients,
              ElementsAre("alice@here.example", "bob@here.example", "list+owner@here.example"));
  EXPECT_EQ(server->taken()[0].reverse_path, kSender);
  EXPECT_EQ(story_.Counters().delivered, 3u);
  EXPECT_THAT(story_.events(), HasSubstr("\"destination\":\"lmtp:/run/lmtp\""));
  story_.Finish();
}

TEST_P(ScenarioTest, StrangersMayWriteToLocalMailboxesAndToNobodyElse) {
  story_.config().local = LmtpMailboxes();
  story_.config().listeners[0].relay_from = {core::Network::Parse("10.9.0.0/16").value()};
  ScriptedServer* server = story_.AddLmtp(kSocket);
  story_.Start();
  const ClientResult result =
      story_.Send(kSender, {"bob@here.example", "bob@elsewhere.example", "nobody@here.example",
                            "bob%elsewhere.example@here.example",
                            "\"bob@elsewhere.example\"@here.example"});
  EXPECT_TRUE(result.acknowledged);
  ASSERT_THAT(result.recipient_replies, SizeIs(5));
  EXPECT_THAT(result.recipient_replies[0], StartsWith("250 2.1.5"));
  EXPECT_THAT(result.recipient_replies[1], StartsWith("550 5.7.1 Relaying is not permitted"));
  for (size_t i = 2; i < 5; ++i) {
    EXPECT_THAT(result.recipient_replies[i], StartsWith("550 5.1.1 There is no mailbox")) << i;
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("bob@here.example"));
  story_.Finish();
}

TEST_P(ScenarioTest, OneOfThreeMailboxesIsFull) {
  story_.config().local = LmtpMailboxes();
  ScriptedServer* server = story_.AddLmtp(
      kSocket, {{.at = ". <full@here.example>", .reply = "452 4.2.2 over quota", .times = 2},
                {.at = ". <bob@here.example>", .reply = "552 5.2.3 too large for bob"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example", "bob@here.example", "full@here.example"})
                  .acknowledged);
  story_.RunFor(core::kNsPerSecond * 30);
  // Alice has hers, Bob's has bounced, and one waits.
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].recipient, "full@here.example");
  EXPECT_THAT(story_.List()[0].last_reply, HasSubstr("over quota"));
  EXPECT_EQ(Told("too large for bob"), 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(2));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("alice@here.example"));
  EXPECT_THAT(server->taken()[1].recipients, ElementsAre("full@here.example"));
  story_.Finish();
}

// The connection breaks between the replies: whoever had one is done with, the others come again.
TEST_P(ScenarioTest, TheLmtpServerDiesBetweenItsReplies) {
  story_.config().local = LmtpMailboxes();
  ScriptedServer* server =
      story_.AddLmtp(kSocket, {{.at = ". <alice@here.example>",
                                .reply = "250 2.0.0 alice has it",
                                .then = simulation::ScriptRule::Then::kReset,
                                .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example", "bob@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  size_t for_bob = 0;
  for (const simulation::TakenMessage& taken : server->taken()) {
    for (const std::string& recipient : taken.recipients) for_bob += recipient[0] == 'b';
  }
  EXPECT_EQ(for_bob, 1u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

TEST_P(ScenarioTest, NobodyListensAtTheSocketForAWhile) {
  story_.config().local = LmtpMailboxes();
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  story_.RunFor(core::kNsPerSecond * 10);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_THAT(story_.List()[0].last_reply, HasSubstr("connect to /run/lmtp: No such file"));
  ScriptedServer* server = story_.AddLmtp(kSocket);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

// A route may lead to an LMTP server as well.
TEST_P(ScenarioTest, ARouteLeadsToAnLmtpServer) {
  story_.AddDeadRoute("c.example");
  story_.config().routes.back().via = LmtpMailboxes().lmtp;
  ScriptedServer* server = story_.AddLmtp(kSocket);
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"One@c.example", "two@c.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("One@c.example", "two@c.example"));
  story_.Finish();
}

// A notice to a sender of ours goes to the mailbox, too.
TEST_P(ScenarioTest, ALocalSenderIsTold) {
  story_.config().local = LmtpMailboxes();
  ScriptedServer* mailboxes = story_.AddLmtp(kSocket);
  story_.AddServer("b.example", {{.at = "RCPT TO:", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send("alice+work@also.example", {"x@b.example"}).acknowledged);
  // Whom nobody knows is not told, and no mailbox is made for them.
  EXPECT_TRUE(story_.Send("forged@here.example", {"y@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(mailboxes->taken(), SizeIs(1));
  EXPECT_THAT(mailboxes->taken()[0].recipients, ElementsAre("alice@here.example"));
  EXPECT_THAT(mailboxes->taken()[0].content, HasSubstr("no such user"));
  EXPECT_EQ(story_.Counters().generated, 2u);
  EXPECT_EQ(story_.Counters().bounced, 3u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
