// The client session with servers that offer CHUNKING (RFC 3030), whether they mean it or not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "smtp/client_session.h"
#include "tests/smtp/client_run.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;

const std::string kBanner = "220 mx.example.com ESMTP\r\n";
const std::string kLockstep = "250-mx\r\n250-SIZE 100000000\r\n250 CHUNKING\r\n";
const std::string kChunkedEhlo =
    "250-mx\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 CHUNKING\r\n";

TestMessage SmallMail(std::vector<std::string> recipients) {
  TestMessage message;
  message.reverse_path = "a@b.c";
  message.recipients = std::move(recipients);
  message.body = "..hello\r\n.\r\n";
  return message;
}

TestMessage LargeMail(std::vector<std::string> recipients) {
  TestMessage message = SmallMail(std::move(recipients));
  message.body.clear();
  for (size_t i = 0; i < core::kClientAheadBytes / 100 + 1; ++i) {
    message.body += std::string(98, 'x') + "\r\n";
  }
  message.body += ".\r\n";
  return message;
}

ClientRun* Begin(ClientRun* run, std::vector<TestMessage> messages, const std::string& ehlo) {
  run->options.chunking = true;
  run->messages = std::move(messages);
  run->Greet(kBanner, ehlo);
  return run;
}

TEST(ClientChunksTest, ASmallMessageGoesWithItsEnvelope) {
  ClientRun run;
  Begin(&run, {SmallMail({"d@e.f", "g@h.i"})}, kChunkedEhlo);
  EXPECT_EQ(run.TakeSent(),
            "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i>\r\n"
            "BDAT 8 LAST\r\n.hello\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kMail);
  run.Serve("250 Ok\r\n250 Ok\r\n550 No\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kFinalDot);
  run.Serve("250 Queued\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/1 550 No (RCPT)",
                                      "0/0 250 Queued (final dot)", "done 0"));
}

TEST(ClientChunksTest, WithoutPipeliningItWaitsForEachReply) {
  ClientRun run;
  Begin(&run, {SmallMail({"d@e.f"})}, kLockstep);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=8\r\n");
  run.Serve("250 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "RCPT TO:<d@e.f>\r\n");
  run.Serve("250 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "BDAT 8 LAST\r\n.hello\r\n");
  run.Serve("250 Queued\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 250 Queued (final dot)", "done 0"));
}

TEST(ClientChunksTest, WhatIsLargeOrMayComeInVainWaitsForTheRecipients) {
  TestMessage patient = SmallMail({"d@e.f"});
  patient.patient = true;
  for (const TestMessage& message : {LargeMail({"d@e.f"}), patient}) {
    ClientRun run;
    Begin(&run, {message, SmallMail({"g@h.i"})}, kChunkedEhlo);
    const std::string size = std::to_string(NaiveUnstuffed(message.body).size());
    EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=" + size + "\r\nRCPT TO:<d@e.f>\r\n");
    run.Serve("250 Ok\r\n250 Ok\r\n");
    EXPECT_EQ(run.TakeSent(), "BDAT " + size + " LAST\r\n" + NaiveUnstuffed(message.body));
    // The next one not before the answer: what a failed BDAT leaves behind is not defined.
    run.Serve("250 Queued\r\n");
    EXPECT_EQ(run.TakeSent(),
              "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<g@h.i>\r\n"
              "BDAT 8 LAST\r\n.hello\r\n");
    run.Serve("250 Ok\r\n250 Ok\r\n250 Queued too\r\n");
    EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 250 Queued (final dot)", "done 0",
                                        "body 0", "0/0 250 Queued too (final dot)", "done 0"));
  }
}

TEST(ClientChunksTest, AllRecipientsRefusedBeforeTheContent) {
  ClientRun run;
  Begin(&run, {LargeMail({"d@e.f"}), SmallMail({"g@h.i"})}, kChunkedEhlo);
  run.TakeSent();
  run.Serve("250 Ok\r\n550 No\r\n");
  EXPECT_EQ(run.TakeSent(),
            "RSET\r\nMAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<g@h.i>\r\nBDAT 8 LAST\r\n.hello\r\n");
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n250 Queued\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "0/0 550 No (RCPT)", "done 0", "body 0",
                                      "0/0 250 Queued (final dot)", "done 0"));
}

// Its octets were sent, and BDAT is answered all the same.
TEST(ClientChunksTest, AllRecipientsRefusedBehindTheContent) {
  for (const char* answer : {"554 No valid recipients\r\n", "503 RCPT first\r\n"}) {
    ClientRun run;
    Begin(&run, {SmallMail({"d@e.f", "x@y.z"}), SmallMail({"g@h.i"})}, kChunkedEhlo);
    run.TakeSent();
    run.Serve("250 Ok\r\n550 No\r\n450 Later\r\n");
    EXPECT_EQ(run.TakeSent(), "");
    run.Serve(answer);
    EXPECT_EQ(run.TakeSent(),
              "RSET\r\nMAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<g@h.i>\r\nBDAT 8 LAST\r\n.hello\r\n");
    EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 550 No (RCPT)",
                                        "0/1 450 Later (RCPT)", "done 0", "body 0"));
  }
}

TEST(ClientChunksTest, ARefusedSenderBehindTheContent) {
  ClientRun run;
  Begin(&run, {SmallMail({"d@e.f"}), SmallMail({"g@h.i"})}, kChunkedEhlo);
  run.TakeSent();
  run.Serve("550 Not you\r\n503 No\r\n503 No\r\n");
  EXPECT_THAT(run.TakeSent(), testing::StartsWith("MAIL FROM"));
  EXPECT_THAT(run.events,
              ElementsAre("ready", "body 0", "0/0 550 Not you (MAIL)", "done 0", "body 0"));
}

TEST(ClientChunksTest, BehindARefusedMessageTheServerIsReset) {
  ClientRun run;
  Begin(&run, {SmallMail({"d@e.f"}), SmallMail({"g@h.i"})}, kLockstep);
  run.Serve("250 Ok\r\n");
  run.Serve("250 Ok\r\n");
  run.TakeSent();
  run.Serve("552 5.3.4 Too large\r\n");
  EXPECT_EQ(run.TakeSent(), "RSET\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "body 0", "0/0 552 5.3.4 Too large (final dot)", "done 0"));
}

TEST(ClientChunksTest, AServerThatDoesNotKnowItGetsDataInAnotherSession) {
  for (const char* answer : {"500 What?\r\n", "502 No\r\n", "503 When?\r\n"}) {
    ClientRun run;
    Begin(&run, {SmallMail({"d@e.f", "g@h.i"})}, kChunkedEhlo);
    run.TakeSent();
    run.Serve(std::string("250 Ok\r\n250 Ok\r\n550 No\r\n") + answer);
    EXPECT_EQ(run.events[2], "0/1 550 No (RCPT)");
    EXPECT_THAT(run.events[3], testing::StartsWith("0/0 anew 50"));
    EXPECT_THAT(run.events.back(), testing::StartsWith("end no BDAT though CHUNKING is offered"));
    EXPECT_EQ(run.TakeSent(), "");

    ClientRun again;
    again.session().UseData();
    Begin(&again, {SmallMail({"d@e.f"})}, kChunkedEhlo);
    EXPECT_EQ(again.TakeSent(), "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
  }
  ClientRun run;
  TestMessage message = SmallMail({"d@e.f"});
  message.by_data = true;
  Begin(&run, {message}, kChunkedEhlo);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
}

TEST(ClientChunksTest, NotAskedForOrNotOffered) {
  ClientRun unwanted;
  unwanted.messages = {SmallMail({"d@e.f"})};
  unwanted.Greet(kBanner, kChunkedEhlo);
  EXPECT_EQ(unwanted.TakeSent(), "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
  ClientRun unknown;
  Begin(&unknown, {SmallMail({"d@e.f"})}, "250-mx\r\n250 PIPELINING\r\n");
  EXPECT_EQ(unknown.TakeSent(), "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
}

// With nothing answered, all of it may have been taken.
TEST(ClientChunksTest, ALostMessageMayHaveBeenTaken) {
  ClientRun run;
  Begin(&run, {SmallMail({"d@e.f"})}, kChunkedEhlo);
  run.Abandon(SessionEnd::kPeerClosed);
  EXPECT_EQ(run.events[2], "0/0 lost (final dot)");
  ClientRun held;
  held.hold_bodies = true;
  Begin(&held, {SmallMail({"d@e.f"})}, kChunkedEhlo);
  held.Serve("250 Ok\r\n250 Ok\r\n");
  EXPECT_EQ(held.session().waiting_for(), Stage::kBody);
  held.Abandon(SessionEnd::kPeerClosed);
  EXPECT_EQ(held.events[2], "0/0 lost (message)");
}

TEST(ClientChunksTest, ARefusalWithinTheContentEndsTheSession) {
  ClientRun run;
  run.hold_bodies = true;
  Begin(&run, {SmallMail({"d@e.f"})}, kChunkedEhlo);
  run.Serve("250 Ok\r\n250 Ok\r\n452 4.3.1 Full\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 452 4.3.1 Full (message)", "done 0",
                                      "end protocol error: 452 4.3.1 Full (message)"));
}

// RFC 2033 4.2: one reply for each recipient that was accepted.
TEST(ClientChunksTest, LmtpAnswersForEachRecipient) {
  ClientRun run;
  run.options.lmtp = true;
  Begin(&run, {SmallMail({"d@e.f", "g@h.i", "j@k.l"})}, kChunkedEhlo);
  EXPECT_EQ(
      run.TakeSent(),
      "MAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i>\r\nRCPT TO:<j@k.l>\r\n");
  run.Serve("250 Ok\r\n250 Ok\r\n550 No\r\n250 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "BDAT 8 LAST\r\n.hello\r\n");
  run.Serve("250 One\r\n452 Full\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "0/1 550 No (RCPT)", "body 0", "0/0 250 One (final dot)",
                          "0/2 452 Full (final dot)", "done 0"));
}

TEST(ClientChunksTest, LmtpWithNobodyAcceptedSendsNothing) {
  ClientRun run;
  run.options.lmtp = true;
  Begin(&run, {SmallMail({"d@e.f"}), SmallMail({"g@h.i"})}, kChunkedEhlo);
  run.TakeSent();
  run.Serve("250 Ok\r\n550 No\r\n");
  EXPECT_EQ(run.TakeSent(), "RSET\r\nMAIL FROM:<a@b.c> SIZE=8\r\nRCPT TO:<g@h.i>\r\n");
}

}  // namespace
}  // namespace outbox::smtp
