// The client session against scripted servers, polite and otherwise.
#include "smtp/client_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/smtp/client_run.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;

const std::string kGreeting = "220 mx.example.com ESMTP\r\n";
const std::string kPlainEhlo = "250-mx.example.com\r\n250-SIZE 1000\r\n250 8BITMIME\r\n";
const std::string kPipelinedEhlo = "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n";

TestMessage Message(std::vector<std::string> recipients) {
  TestMessage message;
  message.reverse_path = "a@b.c";
  message.recipients = std::move(recipients);
  message.body = "hello\r\n.\r\n";
  return message;
}

TEST(ClientSessionTest, WithoutPipeliningEveryCommandWaitsForItsReply) {
  ClientRun run;
  run.messages = {Message({"d@e.f", "g@h.i"})};
  run.Serve(kGreeting);
  EXPECT_EQ(run.TakeSent(), "EHLO client.example.org\r\n");
  run.Serve(kPlainEhlo);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7\r\n");
  run.Serve("250 2.1.0 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "RCPT TO:<d@e.f>\r\n");
  run.Serve("250 2.1.5 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "RCPT TO:<g@h.i>\r\n");
  run.Serve("550 5.1.1 No such user\r\n");
  EXPECT_EQ(run.TakeSent(), "DATA\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kData);
  run.Serve("354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "hello\r\n.\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kFinalDot);
  run.Serve("250 2.0.0 Queued\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kIdle);
  run.Quit();
  EXPECT_EQ(run.TakeSent(), "QUIT\r\n");
  run.Serve("221 Bye\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "0/1 550 5.1.1 No such user (RCPT)", "body 0",
                                      "0/0 250 2.0.0 Queued (final dot)", "done 0", "end quit"));
}

TEST(ClientSessionTest, WithPipeliningTheEnvelopeIsOnePiece) {
  ClientRun run;
  run.messages = {Message({"d@e.f", "g@h.i"})};
  run.Serve(kGreeting + kPipelinedEhlo);  // a sloppy server's: one piece
  EXPECT_THAT(run.events,
              ElementsAre("end protocol error: a reply that nothing had asked for (EHLO)"));

  ClientRun good;
  good.messages = {Message({"d@e.f", "g@h.i"})};
  good.Greet(kGreeting, kPipelinedEhlo);
  EXPECT_EQ(good.TakeSent(),
            "MAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i>\r\nDATA\r\n");
  good.Serve("250 Ok\r\n250 Ok\r\n450 4.2.1 Greylisted\r\n354 Go on\r\n");
  EXPECT_EQ(good.TakeSent(), "hello\r\n.\r\n");
  good.Serve("250 Ok\r\n");
  EXPECT_THAT(good.events, ElementsAre("ready", "0/1 450 4.2.1 Greylisted (RCPT)", "body 0",
                                       "0/0 250 Ok (final dot)", "done 0"));
}

// RFC 3461 5.2.1: what was asked for is passed on as it was written.
TEST(ClientSessionTest, AServerWithDsnIsToldWhatTheSenderWantsToHear) {
  TestMessage message = Message({"d@e.f", "g@h.i", "j@k.l"});
  message.ret = DsnReturn::kHeaders;
  message.envid = "QQ+3D1";
  message.dsn = {{kNotifySuccess | kNotifyDelay, "rfc822;d+2Be@e.f"}, {}, {kNotifyNever, ""}};
  ClientRun run;
  run.messages = {message, Message({"d@e.f"})};
  run.Greet(kGreeting, "250-mx\r\n250-PIPELINING\r\n250 dsn\r\n");
  EXPECT_TRUE(run.session().offers_dsn());
  EXPECT_EQ(run.TakeSent(),
            "MAIL FROM:<a@b.c> RET=HDRS ENVID=QQ+3D1\r\n"
            "RCPT TO:<d@e.f> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;d+2Be@e.f\r\n"
            "RCPT TO:<g@h.i>\r\nRCPT TO:<j@k.l> NOTIFY=NEVER\r\nDATA\r\n");
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n550 No\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "hello\r\n.\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n250 Ok\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "0/2 550 No (RCPT) told", "body 0",
                                      "0/0 250 Ok (final dot) told", "0/1 250 Ok (final dot) told",
                                      "done 0", "body 1", "1/0 250 Ok (final dot)", "done 1"));

  ClientRun plain;
  plain.messages = {message};
  plain.Greet(kGreeting, kPipelinedEhlo);
  EXPECT_EQ(plain.TakeSent(),
            "MAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i>\r\n"
            "RCPT TO:<j@k.l>\r\nDATA\r\n");
  plain.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n250 Ok\r\n");
  EXPECT_THAT(plain.events,
              ElementsAre("ready", "body 0", "0/0 250 Ok (final dot)", "0/1 250 Ok (final dot)",
                          "0/2 250 Ok (final dot)", "done 0"));
}

TEST(ClientSessionTest, TheLongestCommandsFit) {
  const std::string path = std::string(64, 'l') + "@" + std::string(190, 'd');
  const std::string orcpt = "rfc822;" + std::string(core::kSmtpCommandLineMax - 7, 'o');
  TestMessage message = Message(std::vector<std::string>(3, path));
  message.reverse_path = path;
  message.ret = DsnReturn::kFull;
  message.envid = std::string(300, 'e');
  message.dsn.assign(3, {kNotifySuccess | kNotifyFailure | kNotifyDelay, orcpt});
  ClientRun run;
  run.messages = {message};
  run.Greet(kGreeting, "250-mx\r\n250-SIZE\r\n250-PIPELINING\r\n250 DSN\r\n");
  const std::string rcpt =
      "RCPT TO:<" + path + "> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=" + orcpt + "\r\n";
  EXPECT_LE(rcpt.size(), core::kClientDsnCommandMax);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<" + path + "> SIZE=7 RET=FULL ENVID=" + message.envid +
                                "\r\n" + rcpt + rcpt + rcpt + "DATA\r\n");
}

TEST(ClientSessionTest, TheNextEnvelopeLeavesBehindTheBody) {
  ClientRun run;
  run.messages = {Message({"d@e.f"}), Message({"g@h.i"}), Message({"j@k.l"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.TakeSent();
  run.Serve("250 Ok\r\n250 Ok\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(),
            "hello\r\n.\r\nMAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<g@h.i>\r\nDATA\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kFinalDot);
  run.Serve("250 one\r\n250 Ok\r\n550 No\r\n554 No valid recipients\r\n");
  EXPECT_EQ(run.TakeSent(), "RSET\r\nMAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<j@k.l>\r\nDATA\r\n");
  run.Serve("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), "hello\r\n.\r\n");
  run.Serve("250 three\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 250 one (final dot)", "done 0",
                                      "1/0 550 No (RCPT)", "done 1", "body 1",
                                      "1/0 250 three (final dot)", "done 1"));
}

TEST(ClientSessionTest, PipeliningCanBeSwitchedOff) {
  ClientRun run;
  run.options.pipelining = false;
  run.messages = {Message({"d@e.f"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7\r\n");
}

TEST(ClientSessionTest, AllRecipientsRefusedAndStill354GetsALoneDot) {
  ClientRun run;
  run.messages = {Message({"d@e.f", "g@h.i"}), Message({"j@k.l"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.TakeSent();
  run.Serve("250 Ok\r\n550 No\r\n551 No\r\n354 Go on\r\n");
  EXPECT_EQ(run.TakeSent(), ".\r\n");
  run.Serve("554 No valid recipients\r\n");
  // The dot has ended the server's transaction, too.
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<j@k.l>\r\nDATA\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "0/0 550 No (RCPT)", "0/1 551 No (RCPT)", "done 0"));
}

TEST(ClientSessionTest, AllRecipientsRefusedInLockstepNeedsNoData) {
  ClientRun run;
  run.messages = {Message({"d@e.f"}), Message({"j@k.l"})};
  run.Greet(kGreeting, kPlainEhlo);
  run.TakeSent();
  run.Serve("250 Ok\r\n");
  run.TakeSent();
  run.Serve("550 No\r\n");
  EXPECT_EQ(run.TakeSent(), "RSET\r\n");
  run.Serve("250 Ok\r\n");
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7\r\n");
}

TEST(ClientSessionTest, ARefusedSenderDecidesAllRecipients) {
  for (const bool pipelining : {true, false}) {
    ClientRun run;
    run.messages = {Message({"d@e.f", "g@h.i"}), Message({"j@k.l"})};
    run.Greet(kGreeting, pipelining ? kPipelinedEhlo : kPlainEhlo);
    run.TakeSent();
    run.Serve("550 5.7.1 You are blocked\r\n");
    if (pipelining) {
      EXPECT_EQ(run.TakeSent(), "");
      run.Serve("503 No\r\n503 No\r\n503 No\r\n");
    }
    // No transaction was opened, so none has to be reset.
    EXPECT_THAT(run.TakeSent(), testing::StartsWith("MAIL FROM:<a@b.c> SIZE=7\r\n"));
    EXPECT_THAT(run.events, ElementsAre("ready", "0/0 550 5.7.1 You are blocked (MAIL)",
                                        "0/1 550 5.7.1 You are blocked (MAIL)", "done 0"));
  }
}

TEST(ClientSessionTest, ARefusedDataDecidesTheAcceptedRecipients) {
  ClientRun run;
  run.messages = {Message({"d@e.f", "g@h.i"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("250 Ok\r\n250 Ok\r\n550 No\r\n451 4.3.0 Not now\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "0/1 550 No (RCPT)", "0/0 451 4.3.0 Not now (DATA)", "done 0"));
}

TEST(ClientSessionTest, TooManyRecipientsBehindAnAcceptedOneGoIntoTheNextTransaction) {
  ClientRun run;
  run.messages = {Message({"1@x.y", "2@x.y", "3@x.y", "4@x.y"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("250 Ok\r\n552 full\r\n250 Ok\r\n552 Too many\r\n452 4.5.3 Too many\r\n354 Go\r\n");
  // Before the first accepted recipient 552 is a full mailbox.
  EXPECT_THAT(run.events,
              ElementsAre("ready", "0/0 552 full (RCPT)", "0/2 552 Too many (RCPT) try next",
                          "0/3 452 4.5.3 Too many (RCPT) try next", "body 0"));
}

TEST(ClientSessionTest, AMessageLargerThanSizeIsNotOffered) {
  ClientRun run;
  TestMessage large = Message({"d@e.f", "g@h.i"});
  large.size = 1001;
  run.messages = {large, Message({"j@k.l"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7\r\nRCPT TO:<j@k.l>\r\nDATA\r\n");
  EXPECT_EQ(run.events[1], "0/0 too large (MAIL)");
  EXPECT_EQ(run.events[2], "0/1 too large (MAIL)");
  EXPECT_EQ(run.events[3], "done 0");
}

TEST(ClientSessionTest, EightBitContentNeeds8BitMime) {
  TestMessage message = Message({"d@e.f"});
  message.eight_bit = true;
  ClientRun run;
  run.messages = {message};
  run.Greet(kGreeting, kPlainEhlo);
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c> SIZE=7 BODY=8BITMIME\r\n");

  ClientRun old;
  old.messages = {message};
  old.Greet(kGreeting, "250 mx\r\n");
  EXPECT_EQ(old.TakeSent(), "");
  EXPECT_THAT(old.events, ElementsAre("ready", "0/0 needs 8BITMIME (MAIL)", "done 0"));
}

struct Utf8Case {
  const char* name;
  bool address;
  bool header;
  std::string hello;
  std::string sent;  // empty: it needs SMTPUTF8
};

TEST(ClientSessionTest, Utf8NeedsSmtpUtf8) {
  const std::string none = "250-mx\r\n250 8BITMIME\r\n";
  const std::string both = "250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
  // RFC 6531 3.1: it is not offered without 8BITMIME.
  const std::string odd = "250-mx\r\n250 SMTPUTF8\r\n";
  const std::string plain = "MAIL FROM:<a@b.c>\r\n";
  const std::string utf8 = "MAIL FROM:<a@b.c> BODY=8BITMIME SMTPUTF8\r\n";
  const std::vector<Utf8Case> cases = {
      {"no need, not offered", false, false, none, plain},
      {"no need, offered", false, false, both, plain},
      {"an address, offered", true, false, both, utf8},
      {"a header, offered", false, true, both, utf8},
      {"both, offered", true, true, both, utf8},
      {"an address, not offered", true, false, none, ""},
      {"a header, not offered", false, true, none, ""},
      {"an address, offered without 8BITMIME", true, false, odd, ""},
      {"a server without EHLO", true, false, "", ""},
  };
  for (const Utf8Case& c : cases) {
    TestMessage message = Message({"d@e.f"});
    message.utf8_address = c.address;
    message.utf8_header = c.header;
    ClientRun run;
    run.messages = {message};
    run.Serve(kGreeting);
    if (c.hello.empty()) run.Serve("500 What?\r\n");
    run.Serve(c.hello.empty() ? "250 mx\r\n" : c.hello);
    const std::string sent = run.TakeSent();
    EXPECT_EQ(sent.substr(sent.rfind("LO client.example.org\r\n") + 23), c.sent) << c.name;
    if (!c.sent.empty()) continue;
    EXPECT_THAT(run.events, ElementsAre("ready", "0/0 needs SMTPUTF8 (MAIL)", "done 0")) << c.name;
  }
}

TEST(ClientSessionTest, AServerThatDoesNotKnowEhloIsGreetedWithHelo) {
  ClientRun run;
  run.messages = {Message({"d@e.f"})};
  run.Serve(kGreeting);
  run.Serve("500 What?\r\n");
  EXPECT_EQ(run.TakeSent(), "EHLO client.example.org\r\nHELO client.example.org\r\n");
  run.Serve("250 mx\r\n");
  EXPECT_EQ(run.TakeSent(), "MAIL FROM:<a@b.c>\r\n");
}

struct Ending {
  const char* name;
  std::vector<std::string> replies;  // behind each, what the session wants to send is sent
  std::vector<std::string> events;
};

TEST(ClientSessionTest, EndsOfASession) {
  const std::string ehlo = kPipelinedEhlo;
  const std::vector<Ending> endings = {
      {"refused at the door",
       {"554 5.7.1 Go away\r\n"},
       {"end session refused: 554 5.7.1 Go away (greeting)"}},
      {"not now", {"421 4.3.2 Busy\r\n"}, {"end session refused: 421 4.3.2 Busy (greeting)"}},
      {"EHLO not now", {kGreeting, "450 Not now\r\n"}, {"end session refused: 450 Not now (EHLO)"}},
      {"EHLO and HELO refused",
       {kGreeting, "550 No\r\n", "550 Never\r\n"},
       {"end session refused: 550 Never (EHLO)"}},
      {"421 at MAIL",
       {kGreeting, ehlo, "421 Bye\r\n"},
       {"ready", "0/0 421 Bye (MAIL)", "0/1 421 Bye (MAIL)", "done 0",
        "end the server closes: 421 Bye (MAIL)"}},
      {"421 at RCPT",
       {kGreeting, ehlo, "250 Ok\r\n250 Ok\r\n421 Bye\r\n"},
       {"ready", "0/1 421 Bye (RCPT)", "0/0 lost 421 Bye (RCPT)", "done 0",
        "end the server closes: 421 Bye (RCPT)"}},
      {"421 at DATA",
       {kGreeting, ehlo, "250 Ok\r\n250 Ok\r\n250 Ok\r\n421 Bye\r\n"},
       {"ready", "0/0 421 Bye (DATA)", "0/1 421 Bye (DATA)", "done 0",
        "end the server closes: 421 Bye (DATA)"}},
      {"421 for the message, the next one unheard",
       {kGreeting, ehlo, "250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n", "421 4.3.0 Bye\r\n"},
       {"ready", "body 0", "0/0 421 4.3.0 Bye (final dot)", "0/1 421 4.3.0 Bye (final dot)",
        "done 0", "1/0 lost 421 4.3.0 Bye (MAIL)", "done 1",
        "end the server closes: 421 4.3.0 Bye (final dot)"}},
      {"HTTP",
       {"HTTP/1.1 400 Bad Request\r\n"},
       {"end protocol error: a reply does not begin with a valid code (greeting)"}},
      {"no greeting",
       {"250 hello\r\n"},
       {"end protocol error: the greeting is neither 220 nor a refusal (greeting)"}},
      {"354 to MAIL",
       {kGreeting, ehlo, "354 Go\r\n"},
       {"ready", "0/0 lost (MAIL)", "0/1 lost (MAIL)", "done 0",
        "end protocol error: MAIL was answered with neither 2xx nor a refusal (MAIL)"}},
      {"250 to DATA",
       {kGreeting, ehlo, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n"},
       {"ready", "0/0 lost (DATA)", "0/1 lost (DATA)", "done 0",
        "end protocol error: DATA was answered with neither 354 nor a refusal (DATA)"}},
      {"one reply too many",
       {kGreeting, ehlo, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n", "250 e\r\n",
        "250 f\r\n250 g\r\n554 h\r\n250 i\r\n"},
       {"ready", "body 0", "0/0 250 e (final dot)", "0/1 250 e (final dot)", "done 0",
        "1/0 554 h (DATA)", "done 1",
        "end protocol error: a reply that nothing had asked for (idle)"}},
  };
  for (const Ending& ending : endings) {
    SCOPED_TRACE(ending.name);
    for (const size_t piece : {size_t{1}, size_t{3}, SIZE_MAX}) {
      ClientRun run;
      run.messages = {Message({"d@e.f", "g@h.i"}), Message({"j@k.l"})};
      for (const std::string& reply : ending.replies) run.Serve(reply, piece);
      EXPECT_EQ(run.events, ending.events) << "pieces of " << piece;
    }
  }
}

TEST(ClientSessionTest, ARefusalInTheMiddleOfTheMessageIsFinalAndEndsTheSession) {
  ClientRun run;
  run.hold_bodies = true;
  run.messages = {Message({"d@e.f"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("250 Ok\r\n250 Ok\r\n354 Go\r\n");
  EXPECT_EQ(run.session().waiting_for(), Stage::kBody);
  run.Serve("552 5.3.4 Too large\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "body 0", "0/0 552 5.3.4 Too large (message)", "done 0",
                          "end protocol error: 552 5.3.4 Too large (message)"));
}

TEST(ClientSessionTest, AnAcceptanceInTheMiddleOfTheMessageIsNotBelieved) {
  ClientRun run;
  run.hold_bodies = true;
  run.messages = {Message({"d@e.f"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("250 Ok\r\n250 Ok\r\n354 Go\r\n250 Thanks\r\n");
  EXPECT_THAT(run.events,
              ElementsAre("ready", "body 0", "0/0 lost (message)", "done 0",
                          "end protocol error: a reply before the end of the message (message)"));
}

TEST(ClientSessionTest, ABrokenConnectionLosesWhatWasInHand) {
  ClientRun run;
  run.messages = {Message({"d@e.f"}), Message({"g@h.i"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("250 Ok\r\n250 Ok\r\n354 Go\r\n");
  run.Abandon(SessionEnd::kPeerClosed);
  // The stage tells the two apart: the first may have been taken, the second was not.
  EXPECT_THAT(run.events, ElementsAre("ready", "body 0", "0/0 lost (final dot)", "done 0",
                                      "1/0 lost (MAIL)", "done 1",
                                      "end connection closed by the server: connection closed by "
                                      "the server (final dot)"));
}

TEST(ClientSessionTest, AServerThatClosesWhenIdleSaysSo) {
  ClientRun run;
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Serve("421 4.4.2 Idle\r\n");
  EXPECT_THAT(run.events, ElementsAre("ready", "end the server closes: 421 4.4.2 Idle (idle)"));
}

TEST(ClientSessionTest, AfterQuitAClosedConnectionIsGoodOrder) {
  ClientRun run;
  run.Greet(kGreeting, kPipelinedEhlo);
  run.Quit();
  EXPECT_EQ(run.session().waiting_for(), Stage::kQuit);
  run.Abandon(SessionEnd::kPeerClosed);
  EXPECT_EQ(run.events.back().substr(0, 8), "end quit");
}

TEST(ClientSessionTest, QuitWaitsForWhatIsInHand) {
  ClientRun run;
  run.messages = {Message({"d@e.f"})};
  run.Greet(kGreeting, kPipelinedEhlo);
  run.TakeSent();
  run.Quit();
  EXPECT_EQ(run.TakeSent(), "");
  run.Serve("250 Ok\r\n550 No\r\n554 No\r\n");
  EXPECT_EQ(run.TakeSent(), "QUIT\r\n");
}

TEST(ClientSessionTest, ManyRecipientsAreWrittenPieceByPiece) {
  std::vector<std::string> recipients;
  std::string expected = "MAIL FROM:<a@b.c> SIZE=7\r\n";
  std::string replies = "250 Ok\r\n";
  for (size_t i = 0; i < core::kClientRecipientsMax; ++i) {
    recipients.push_back(std::string(60, 'r') + std::to_string(i) + "@example.com");
    expected += "RCPT TO:<" + recipients.back() + ">\r\n";
    replies += "250 Ok\r\n";
  }
  ClientRun run;
  run.messages = {Message(recipients)};
  run.Greet(kGreeting, kPipelinedEhlo);
  EXPECT_EQ(run.TakeSent(), expected + "DATA\r\n");
  run.Serve(replies + "354 Go\r\n250 Ok\r\n");
  EXPECT_EQ(run.events.size(), 2 + core::kClientRecipientsMax + 1);
}

TEST(ClientSessionTest, OddEhloLinesAreNoTrouble) {
  ClientRun run;
  run.Greet(kGreeting,
            "250-PIPELINING\r\n250-\r\n250-size\r\n250-SIZE x\r\n250-8bitMIME \r\n250 X\r\n");
  EXPECT_FALSE(run.session().pipelining());  // the first line is the server's name
  EXPECT_TRUE(run.session().offers_size());
  EXPECT_EQ(run.session().size_limit(), 0u);
  EXPECT_TRUE(run.session().offers_8bitmime());
}

}  // namespace
}  // namespace outbox::smtp
