// The client session in its LMTP mode (RFC 2033), and questions that send no message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "smtp/client_session.h"
#include "tests/smtp/client_run.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;

const std::string kLmtpGreeting = "220 store.example LMTP\r\n";
const std::string kLmtpHello = "250-store.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
const std::string kLockstepHello = "250 store.example\r\n";

TestMessage LmtpMessage(std::vector<std::string> recipients) {
  TestMessage message;
  message.reverse_path = "a@b.c";
  message.recipients = std::move(recipients);
  message.body = "hello\r\n.\r\n";
  return message;
}

TEST(LmtpSessionTest, EveryAcceptedRecipientHasAReplyOfItsOwn) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"full@x.y", "nobody@x.y", "fine@x.y", "dead@x.y"})};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.TakeSent();
  run.Serve("250 Ok\r\n250 Ok\r\n550 5.1.1 No such user\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "hello\r\n.\r\n");
  run.Serve("452 4.2.2 full is over quota\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kFinalDot);
  run.Serve("250 2.0.0 fine has it\r\n552 5.2.3 too much for dead\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kIdle);
  EXPECT_THAT(run.events, ElementsAre("ready", "0/1 550 5.1.1 No such user (RCPT)", "body 0",
                                      "0/0 452 4.2.2 full is over quota (final dot)",
                                      "0/2 250 2.0.0 fine has it (final dot)",
                                      "0/3 552 5.2.3 too much for dead (final dot)", "done 0"));
}

TEST(LmtpSessionTest, TheNextEnvelopeLeavesBehindTheBody) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"a@x.y", "b@x.y"}), LmtpMessage({"c@x.y"})};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.TakeSent();
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "hello\r\n.\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<c@x.y>\r\nDATA\r\n");
  run.Serve("250 a\r\n250 b\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n");
  run.Serve("250 c\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "body 0", "0/0 250 a (final dot)", "0/1 250 b (final dot)",
                          "done 0", "body 1", "1/0 250 c (final dot)", "done 1"));
}

TEST(LmtpSessionTest, AConnectionThatBreaksBetweenTheRepliesLosesOnlyTheRest) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"a@x.y", "b@x.y", "c@x.y"})};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n250 a has it\r\n");
  run.Abandon(SessionEnd::kPeerClosed);
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 250 a has it (final dot)",
                                      "0/1 lost (final dot)", "0/2 lost (final dot)", "done 0",
                                      "end connection closed by the server: connection closed by "
                                      "the server (final dot)"));
}

TEST(LmtpSessionTest, A421BetweenTheRepliesIsAboutOneOfThem) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"a@x.y", "b@x.y"})};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n421 4.3.2 Stopping\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 421 4.3.2 Stopping (final dot)",
                                      "0/1 lost 421 4.3.2 Stopping (final dot)", "done 0",
                                      "end the server closes: 421 4.3.2 Stopping (final dot)"));
}

TEST(LmtpSessionTest, ThereIsNoHeloBehindLhlo) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"a@x.y"})};
  run.Serve("220 mx.example ESMTP\r\n");
  EXPECT_EQ(run.TakeSent(), "LHLO client.example.org\r\n");
  run.Serve("500 5.5.2 This is SMTP\r\n");
  EXPECT_THAT(run.events, ElementsAre("end session refused: 500 5.5.2 This is SMTP (EHLO)"));
}

TEST(LmtpSessionTest, DataWithoutARecipientIsNoLmtp) {
  ClientRun run;
  run.options.lmtp = true;
  run.messages = {LmtpMessage({"a@x.y"})};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.TakeSent();
  run.Serve("250 Ok\r\n550 No\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "");
  EXPECT_TRUE(run.ended);
}

TEST(LmtpSessionTest, AQuestionEndsBehindItsRecipients) {
  for (const bool pipelining : {true, false}) {
    ClientRun run;
    run.options.lmtp = true;
    TestMessage question = LmtpMessage({"known@x.y", "unknown@x.y"});
    question.verify_only = true;
    run.messages = {question, LmtpMessage({"known@x.y"})};
    run.Greet(kLmtpGreeting, pipelining ? kLmtpHello : kLockstepHello);
    if (pipelining) {
      EXPECT_EQ(run.TakeSent(),
                "MAIL FROM:<a@b.c>\r\nRCPT TO:<known@x.y>\r\nRCPT TO:<unknown@x.y>\r\n");
    }
    run.Serve("250 Ok\r\n");
    run.Serve("250 2.1.5 Ok\r\n");
    run.TakeSent();
    run.Serve("550 5.1.1 No\r\n");
    // What the server has been told is taken back before something else is said.
    EXPECT_TRUE(run.TakeSent().starts_with("RSET\r\n"));
    EXPECT_THAT(run.events, ElementsAre("ready", "0/0 250 2.1.5 Ok (RCPT)",
                                        "0/1 550 5.1.1 No (RCPT)", "done 0"));
  }
}

TEST(LmtpSessionTest, AQuestionWhoseSenderIsRefusedIsAnsweredByThat) {
  ClientRun run;
  TestMessage question = LmtpMessage({"one@x.y", "two@x.y"});
  question.verify_only = true;
  run.messages = {question};
  run.Greet(kLmtpGreeting, kLmtpHello);
  run.TakeSent();
  run.Serve("451 4.3.0 Not now\r\n503 MAIL first\r\n503 MAIL first\r\n");
  run.Quit();
  EXPECT_EQ(run.TakeSent(), "QUIT\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "0/0 451 4.3.0 Not now (MAIL)",
                                      "0/1 451 4.3.0 Not now (MAIL)", "done 0"));
}

// A store takes what any message may have in its header; a name is another matter.
TEST(LmtpSessionTest, AStoreWithoutSmtpUtf8IsHandedUtf8InHeaders) {
  for (const bool address : {false, true}) {
    ClientRun run;
    run.options.lmtp = true;
    TestMessage message{"a@b.c", {"d@e.f"}, "\r\n.\r\n"};
    message.utf8_header = true;
    message.utf8_address = address;
    run.messages = {message};
    run.Greet("220 store\r\n", "250-store.example\r\n250 8BITMIME\r\n");
    EXPECT_EQ(run.TakeSent(), address ? "" : "MAIL FROM:<a@b.c>\r\n");
    ClientRun offers;
    offers.options.lmtp = true;
    offers.messages = {message};
    offers.Greet("220 store\r\n", "250-store.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
    EXPECT_EQ(offers.TakeSent(), "MAIL FROM:<a@b.c> BODY=8BITMIME SMTPUTF8\r\n");
  }
}

}  // namespace
}  // namespace outbox::smtp
