// Hosts that offer CHUNKING get mail by BDAT, and those that do not know what they offer by DATA.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::EndsWith;
using ::testing::SizeIs;

// As a client that knows of stuffing sends them.
const std::string kDots = "Subject: x\r\n\r\n..one\r\n...\r\n..\r\nlast\r\n";

class MailByBdat : public ScenarioTest {
 protected:
  ScriptedServer* AddServer(const std::vector<ScriptRule>& rules = {}) {
    story_.config().delivery.chunking = true;
    ScriptedServer* const server = story_.AddServer("b.example", rules);
    server->script().extensions.push_back("CHUNKING");
    return server;
  }
};

INSTANTIATE_TEST_SUITE_P(Shards, MailByBdat, ::testing::Values(1u, 2u));

TEST_P(MailByBdat, SmallAndLarge) {
  // It would refuse DATA.
  ScriptedServer* server = AddServer({{.at = "DATA", .reply = "554 5.5.1 not like this"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}, kDots).acknowledged);
  std::string many = "Subject: x\r\n\r\n";
  for (int i = 0; i < 100'000; ++i) {
    many += (i % 2 == 0 ? "..line " : "line ") + std::to_string(i) + "\r\n";
  }
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, many).acknowledged);
  std::string plain = "Subject: x\r\n\r\n";
  for (int i = 0; i < 100'000; ++i) plain += "line " + std::to_string(i) + "\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, plain).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(3));
  EXPECT_THAT(server->taken()[0].recipients, SizeIs(2));
  EXPECT_THAT(server->taken()[0].content, EndsWith(kDots));
  EXPECT_TRUE(server->taken()[1].content.ends_with(many));
  EXPECT_TRUE(server->taken()[2].content.ends_with(plain));
  EXPECT_EQ(story_.Counters().delivered, 4u);
  story_.Finish();
}

TEST_P(MailByBdat, RefusedRecipientsBounceAndTheOthersGetIt) {
  ScriptedServer* server = AddServer({{.at = "RCPT TO:<no", .reply = "550 5.1.1 nobody"}});
  story_.Start();
  EXPECT_TRUE(story_.Send("", {"no1@b.example", "no2@b.example"}, kDots).acknowledged);
  EXPECT_TRUE(story_.Send("", {"no1@b.example", "bob@b.example"}, kDots).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].content, EndsWith(kDots));
  EXPECT_EQ(story_.Counters().bounced, 3u);
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.Finish();
}

TEST_P(MailByBdat, AHostThatDoesNotKnowItGetsDataAtOnce) {
  ScriptedServer* server = AddServer({{.at = "BDAT", .reply = "502 5.5.1 what?"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}, kDots).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(server->sessions_total(), 2u);
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].content, EndsWith(kDots));
  // For a while it is not asked again.
  server->script().rules = {{.at = "BDAT", .reply = "", .then = ScriptRule::Then::kReset}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}, kDots).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(6));
  EXPECT_EQ(story_.Counters().bounced, 0u);
  story_.Finish();
}

// What has been sent may have been taken: another host gets it all the same, as with DATA.
TEST_P(MailByBdat, AConnectionThatEndsBehindTheContent) {
  AddServer({{.at = "BDAT", .reply = "", .then = ScriptRule::Then::kClose}});
  ScriptedServer* second = story_.AddHost("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, kDots).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(second->taken(), SizeIs(1));
  EXPECT_THAT(second->taken()[0].content, EndsWith(kDots));
  story_.Finish();
}

TEST_P(MailByBdat, ARefusedMessageIsTriedElsewhereOrBounces) {
  ScriptedServer* first = AddServer({{.at = ".", .reply = "452 4.3.1 full"}});
  ScriptedServer* second = story_.AddHost("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, kDots).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(second->taken(), SizeIs(1));
  first->script().rules = {{.at = ".", .reply = "554 5.7.1 spam"}};
  EXPECT_TRUE(story_.Send("", {"bob@b.example"}, kDots).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 1u);
  story_.Finish();
}

// What it becomes has no size before it has been sent.
TEST_P(MailByBdat, WhatIsConvertedGoesByData) {
  ScriptedServer* server =
      AddServer({{.at = "BDAT", .reply = "", .then = ScriptRule::Then::kReset}});
  server->script().extensions = {"PIPELINING", "CHUNKING"};
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"},
                          "Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
                          "e\r\n")
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].content, EndsWith("Gr=C3=BC=C3=9Fe\r\n"));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
