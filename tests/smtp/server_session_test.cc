#include "smtp/server_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/smtp/server_run.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The codes of `output`'s replies, "250 250 354"; "250x4" stands for a reply of four lines.
std::string Codes(std::string_view output) {
  std::string codes;
  int lines = 0;
  while (!output.empty()) {
    const size_t end = output.find("\r\n");
    EXPECT_NE(end, std::string_view::npos);
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(end + 2);
    ++lines;
    if (line.size() > 3 && line[3] == '-') continue;
    codes += (codes.empty() ? "" : " ") + std::string(line.substr(0, 3));
    if (lines > 1) codes += "x" + std::to_string(lines);
    lines = 0;
  }
  return codes;
}

ServerSessionOptions Options() {
  ServerSessionOptions options;
  options.hostname = "relay.example.com";
  options.max_message_bytes = 1000;
  options.max_recipients = 3;
  options.max_errors = 5;
  options.max_text_line = 200;
  options.max_received_headers = 2;
  return options;
}

// A dialogue, told by what the client says, and what it leads to.
struct Story {
  const char* name;
  std::string client;
  std::string codes;                // of the replies, the banner's first
  std::vector<std::string> events;  // HELLO left out
  std::vector<std::string> messages;
  bool closed = false;
  std::string says;  // somewhere in the output
};

const std::string kEhlo = "EHLO client.example.org\r\n";
const std::string kMail = "MAIL FROM:<a@b.c>\r\n";
const std::string kRcpt = "RCPT TO:<d@e.f>\r\n";
const std::string kEnvelope = kMail + kRcpt + "DATA\r\n";
const std::string kText = "Subject: hi\r\n\r\nhello\r\n.\r\n";

std::vector<Story> Stories() {
  const std::vector<std::string> envelope = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA"};
  const std::vector<std::string> whole = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "COMMIT"};
  const std::vector<std::string> aborted = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "ABORT"};
  std::vector<std::string> twice = whole;
  twice.insert(twice.end(), whole.begin(), whole.end());
  std::vector<std::string> aborted_then_whole = aborted;
  aborted_then_whole.insert(aborted_then_whole.end(), whole.begin(), whole.end());
  const std::string stuffed = "a\r\n..dot\r\n.\r\n";
  std::string many_noops;
  for (uint32_t i = 0; i < core::kSmtpIdleCommandsMax + 4; ++i) many_noops += "NOOP\r\n";
  std::string noop_codes = "220 250x5";
  for (uint32_t i = 0; i < core::kSmtpIdleCommandsMax + 3; ++i) noop_codes += " 250";
  return {
      {"one message",
       kEhlo + kEnvelope + kText + "QUIT\r\n",
       "220 250x5 250 250 354 250 221",
       whole,
       {kText},
       true,
       "250 2.0.0 Queued\r\n221 2.0.0 Bye\r\n"},
      {"two messages on one connection",
       kEhlo + kEnvelope + kText + kEnvelope + stuffed + "QUIT\r\n",
       "220 250x5 250 250 354 250 250 250 354 250 221",
       twice,
       {kText, stuffed},
       true,
       ""},
      {"HELO has no extensions",
       "HELO c\r\nMAIL FROM:<a@b.c> SIZE=1\r\n" + kEnvelope + kText,
       "220 250 555 250 250 354 250",
       whole,
       {kText},
       false,
       "250 relay.example.com\r\n"},
      {"EHLO tells the extensions",
       kEhlo,
       "220 250x5",
       {},
       {},
       false,
       "250-relay.example.com\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
       "250 ENHANCEDSTATUSCODES\r\n"},
      {"no content",
       kEhlo + kEnvelope + ".\r\n",
       "220 250x5 250 250 354 250",
       whole,
       {".\r\n"},
       false,
       ""},
      {"the null reverse-path and the postmaster",
       kEhlo + "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n",
       "220 250x5 250 250",
       {"MAIL <>", "RCPT <Postmaster>"},
       {},
       false,
       ""},
      {"some recipients refused",
       kEhlo + kMail + "RCPT TO:<refused@x.y>\r\nRCPT TO:<later@x.y>\r\n" + kRcpt + "DATA\r\n" +
           kText,
       "220 250x5 250 550 450 250 354 250",
       {"MAIL <a@b.c>", "RCPT <refused@x.y>", "RCPT <later@x.y>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       "550 5.7.1 Not this one\r\n450 4.2.1 Try later\r\n"},
      {"all recipients refused",
       kEhlo + kMail + "RCPT TO:<refused@x.y>\r\nDATA\r\nRSET\r\n" + kEnvelope + kText,
       "220 250x5 250 550 554 250 250 250 354 250",
       {"MAIL <a@b.c>", "RCPT <refused@x.y>", "ABORT", "MAIL <a@b.c>", "RCPT <d@e.f>", "DATA",
        "COMMIT"},
       {kText},
       false,
       "554 5.5.1 No valid recipients\r\n"},
      {"sender refused",
       kEhlo + "MAIL FROM:<refused@x.y>\r\n" + kRcpt,
       "220 250x5 550 503",
       {"MAIL <refused@x.y>"},
       {},
       false,
       ""},
      {"too many recipients",
       kEhlo + kMail + kRcpt + kRcpt + kRcpt + kRcpt + "DATA\r\n" + kText,
       "220 250x5 250 250 250 250 452 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "RCPT <d@e.f>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       "452 4.5.3 "},
      {"out of sequence",
       "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n" + kEhlo + kMail + kMail,
       "220 503 503 503 250x5 250 503",
       {"MAIL <a@b.c>"},
       {},
       false,
       "503 5.5.1 Send EHLO or HELO"},
      {"DATA without RCPT",
       kEhlo + kMail + "DATA\r\n",
       "220 250x5 250 503",
       {"MAIL <a@b.c>"},
       {},
       false,
       ""},
      {"RSET forgets",
       kEhlo + kMail + kRcpt + "RSET\r\n" + kEnvelope + kText,
       "220 250x5 250 250 250 250 250 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "ABORT", "MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       ""},
      {"RSET with nothing to forget", kEhlo + "RSET\r\n", "220 250x5 250", {}, {}, false, ""},
      {"EHLO forgets",
       kEhlo + kMail + kEhlo + kMail,
       "220 250x5 250 250x5 250",
       {"MAIL <a@b.c>", "MAIL <a@b.c>"},
       {},
       false,
       ""},
      {"the other commands",
       kEhlo + "NOOP\r\nVRFY a\r\nHELP\r\nEXPN a\r\nXYZZY\r\n",
       "220 250x5 250 252 214 502 500",
       {},
       {},
       false,
       ""},
      {"a syntax error tells its column",
       kEhlo + "MAIL FROM:<a b@c.d>\r\n",
       "220 250x5 501",
       {},
       {},
       false,
       " (at column 13)\r\n"},
      {"non-ASCII address",
       kEhlo + "MAIL FROM:<\xc3\xa4@b.c>\r\n",
       "220 250x5 553",
       {},
       {},
       false,
       "553 5.6.7 "},
      {"declared too large",
       kEhlo + "MAIL FROM:<a@b.c> SIZE=1001\r\n" + kEnvelope + kText,
       "220 250x5 552 250 250 354 250",
       whole,
       {kText},
       false,
       "552 5.3.4 "},
      {"really too large, and the next one fits",
       kEhlo + kEnvelope + std::string(100, 'x') + "\r\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 20; ++i) lines += std::string(98, 'y') + "\r\n";
             return lines;
           }() +
           ".\r\n" + kEnvelope + kText,
       "220 250x5 250 250 354 552 250 250 354 250",
       aborted_then_whole,
       {kText},
       false,
       "552 5.3.4 "},
      {"stuffing does not count as size",
       kEhlo + kEnvelope +
           [] {
             std::string lines;
             for (int i = 0; i < 250; ++i) lines += "..x\r\n";
             return lines;
           }() +
           ".\r\n",
       "220 250x5 250 250 354 250",
       whole,
       {[] {
         std::string lines;
         for (int i = 0; i < 250; ++i) lines += "..x\r\n";
         return lines + ".\r\n";
       }()},
       false,
       ""},
      {"a bare LF in the message",
       kEhlo + kEnvelope + "a\nb\r\n.\r\n" + kEnvelope + kText,
       "220 250x5 250 250 354 550 250 250 354 250",
       aborted_then_whole,
       {kText},
       false,
       "550 5.6.0 "},
      {"a line too long",
       kEhlo + kEnvelope + std::string(201, 'x') + "\r\n.\r\n",
       "220 250x5 250 250 354 550",
       aborted,
       {},
       false,
       "550 5.6.0 "},
      {"a mail loop",
       kEhlo + kEnvelope + "Received: 1\r\nReceived: 2\r\nReceived: 3\r\n\r\n.\r\n",
       "220 250x5 250 250 354 554",
       aborted,
       {},
       false,
       "554 5.4.6 "},
      {"too many errors",
       kEhlo + "A\r\nB\r\nC\r\nD\r\nE\r\nF\r\n",
       "220 250x5 500 500 500 500 421",
       {},
       {},
       true,
       "421 4.7.0 "},
      {"errors are forgiven by a message",
       kEhlo + "A\r\nB\r\nC\r\nD\r\n" + kEnvelope + kText + "E\r\n",
       "220 250x5 500 500 500 500 250 250 354 250 500",
       whole,
       {kText},
       false,
       ""},
      {"bad addresses of a list are no errors once one is good",
       kEhlo + kMail + kRcpt +
           "RCPT TO:<x>\r\nRCPT TO:<x>\r\nRCPT TO:<x>\r\nRCPT TO:<x>\r\n"
           "RCPT TO:<x>\r\nRCPT TO:<refused@x.y>\r\nDATA\r\n" +
           kText,
       "220 250x5 250 250 501 501 501 501 501 550 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "RCPT <refused@x.y>", "DATA", "COMMIT"},
       {kText},
       false,
       ""},
      {"busy idling", kEhlo + many_noops, noop_codes + " 421", {}, {}, true, "421 4.7.0 "},
      {"a bare LF ends no command",
       "EHLO c\nMAIL FROM:<a@b.c>\r\n",
       "220 521",
       {},
       {},
       true,
       "521 5.5.2 "},
      {"nor does a bare CR", "EHLO c\rQUIT\r\n", "220 521", {}, {}, true, "521 5.5.2 "},
      {"nor CR LF with one CR too many", "NOOP\r\r\n", "220 521", {}, {}, true, ""},
      {"a command line too long",
       kEhlo + "NOOP " + std::string(1018, 'x') + "\r\nNOOP " + std::string(1017, 'x') + "\r\n",
       "220 250x5 500 250",
       {},
       {},
       false,
       "500 5.5.2 "},
      {"a very long line without CR", std::string(5000, 'x') + "\n", "220 521", {}, {}, true, ""},
      {"a very long line",
       std::string(5000, 'x') + "\r\nQUIT\r\n",
       "220 500 221",
       {},
       {},
       true,
       ""},
      {"the driver closes at RCPT",
       kEhlo + kMail + "RCPT TO:<closing@x.y>\r\nNOOP\r\n",
       "220 250x5 250 421",
       {"MAIL <a@b.c>", "RCPT <closing@x.y>", "ABORT"},
       {},
       true,
       "421 4.3.2 Stopping"},
      {"smuggling LF.CRLF",
       kEhlo + kEnvelope + "a\n.\r\n" + kMail + kRcpt + "DATA\r\n" + "b\r\n.\r\n",
       "220 250x5 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling CRLF.LF",
       kEhlo + kEnvelope + "a\r\n.\n" + kMail + "b\r\n.\r\n",
       "220 250x5 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling CR.CRLF",
       kEhlo + kEnvelope + "a\r.\r\n" + kMail + "b\r\n.\r\n",
       "220 250x5 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling LF.LF",
       kEhlo + kEnvelope + "a\n.\n" + kMail + "b\r\n.\r\n",
       "220 250x5 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"nothing but an envelope",
       kEhlo + kEnvelope,
       "220 250x5 250 250 354",
       envelope,
       {},
       false,
       ""},
  };
}

// Runs a story in pieces of `piece` octets and compares.
void Expect(const Story& story, size_t piece) {
  SCOPED_TRACE(story.name);
  SCOPED_TRACE("pieces of " + std::to_string(piece));
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.Start();
  run.Feed(story.client, piece);
  std::erase_if(run.events, [](const std::string& e) { return e.starts_with("HELLO"); });
  EXPECT_EQ(Codes(run.output), story.codes) << run.output;
  EXPECT_EQ(run.events, story.events);
  EXPECT_EQ(run.messages, story.messages);
  EXPECT_EQ(run.closed, story.closed);
  EXPECT_THAT(run.output, HasSubstr(story.says));
}

TEST(ServerSessionTest, StoriesWhole) {
  for (const Story& story : Stories()) Expect(story, story.client.size());
}

TEST(ServerSessionTest, StoriesOctetByOctet) {
  for (const Story& story : Stories()) Expect(story, 1);
}

// Every story, cut in two at every place, and in pieces of every small size.
TEST(ServerSessionTest, SplitsMakeNoDifference) {
  const ServerSessionOptions options = Options();
  for (const Story& story : Stories()) {
    SCOPED_TRACE(story.name);
    ServerRun whole(&options);
    whole.Start();
    whole.Feed(story.client);
    for (size_t cut = 1; cut < std::min<size_t>(story.client.size(), 400); ++cut) {
      ServerRun run(&options);
      run.Start();
      run.Feed(std::string_view(story.client).substr(0, cut));
      if (!run.closed) run.Feed(std::string_view(story.client).substr(cut));
      ASSERT_EQ(run.output, whole.output) << "cut at " << cut;
      ASSERT_EQ(run.events, whole.events) << "cut at " << cut;
      ASSERT_EQ(run.messages, whole.messages) << "cut at " << cut;
    }
    for (size_t piece = 2; piece < 80; ++piece) Expect(story, piece);
  }
}

TEST(ServerSessionTest, ABatchOfCommandsGetsItsRepliesInOneSend) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.Start();
  run.Feed(kEhlo);
  const int before = run.sends;
  run.Feed(kEnvelope);
  EXPECT_EQ(run.sends, before + 1);
  // The rest of one message and the envelope of the next.
  run.Feed(kText + kEnvelope);
  EXPECT_EQ(run.sends, before + 2);
}

TEST(ServerSessionTest, AnEarlyTalkerIsRefused) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.Feed(kEhlo);
  EXPECT_TRUE(run.closed);
  EXPECT_EQ(Codes(run.output), "554");
  EXPECT_TRUE(run.events.empty());
}

TEST(ServerSessionTest, AClientCanBeRefusedAtTheDoor) {
  const ServerSessionOptions options = Options();
  ServerSession session(&options);
  char memory[2048];
  OutputBuffer out{memory};
  session.Refuse({421, {4, 7, 0}, "Too many connections from you"}, &out);
  EXPECT_EQ(out.written(), "421 4.7.0 Too many connections from you\r\n");
  EXPECT_EQ(session.phase(), ServerSession::Phase::kClosed);
}

TEST(ServerSessionTest, WhileAQuestionIsOpenNothingIsConsumed) {
  const ServerSessionOptions options = Options();
  ServerSession session(&options);
  char memory[4096];
  OutputBuffer out{memory};
  session.Start(&out);
  const std::string client = kEhlo + kMail + kRcpt;
  std::string_view input = client;
  EXPECT_EQ(session.Next(&input, &out), ServerSession::Step::kHello);
  EXPECT_EQ(session.Next(&input, &out), ServerSession::Step::kAskMail);
  EXPECT_EQ(input, kRcpt);
  EXPECT_EQ(session.phase(), ServerSession::Phase::kAnswer);
  EXPECT_EQ(session.command().path.mailbox, "a@b.c");
  EXPECT_EQ(session.Answer({250, {2, 1, 0}, "ok"}, &out), ServerSession::Step::kNeedBytes);
  EXPECT_EQ(session.Next(&input, &out), ServerSession::Step::kAskRcpt);
  EXPECT_TRUE(input.empty());
}

TEST(ServerSessionTest, AClosingServerSays421InThePlaceOfTheAnswer) {
  const ServerSessionOptions options = Options();
  ServerSession session(&options);
  char memory[4096];
  OutputBuffer out{memory};
  session.Start(&out);
  const std::string client = kEhlo + kMail;
  std::string_view input = client;
  EXPECT_EQ(session.Next(&input, &out), ServerSession::Step::kHello);
  EXPECT_EQ(session.Next(&input, &out), ServerSession::Step::kAskMail);
  out.Clear();
  session.Close({4, 3, 2}, "The server stops", &out);
  EXPECT_EQ(out.written(), "421 4.3.2 The server stops\r\n");
  EXPECT_EQ(session.phase(), ServerSession::Phase::kClosed);
}

TEST(ServerSessionTest, PhasesTellWhichTimeoutApplies) {
  using Phase = ServerSession::Phase;
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  EXPECT_EQ(run.session().phase(), Phase::kBanner);
  run.Start();
  EXPECT_EQ(run.session().phase(), Phase::kCommand);
  run.Feed(kEhlo + kEnvelope);
  EXPECT_EQ(run.session().phase(), Phase::kData);
  run.Feed("half a mess");
  EXPECT_EQ(run.session().phase(), Phase::kData);
  run.Feed("age\r\n.\r\n");
  EXPECT_EQ(run.session().phase(), Phase::kCommand);
  run.Feed("QUIT\r\n");
  EXPECT_EQ(run.session().phase(), Phase::kClosed);
}

TEST(ServerSessionTest, AFailedCommitIsTheClientsToRetry) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.commit_reply = {452, {4, 3, 1}, "No space"};
  run.Start();
  run.Feed(kEhlo + kEnvelope + kText + kMail);
  EXPECT_EQ(Codes(run.output), "220 250x5 250 250 354 452 250");
  EXPECT_THAT(run.messages, ElementsAre());
}

TEST(ServerSessionTest, DataCanBeRefusedAndTriedAgain) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.data_reply = {452, {4, 3, 1}, "No space"};
  run.Start();
  run.Feed(kEhlo + kEnvelope);
  run.data_reply = {354, {}, "Go on"};
  run.Feed("DATA\r\n" + kText);
  EXPECT_EQ(Codes(run.output), "220 250x5 250 250 452 354 250");
  EXPECT_THAT(run.messages, ElementsAre(kText));
}

TEST(ServerSessionTest, AMessageThatIsRefusedAlreadyIsNotReadForEver) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.Start();
  run.Feed(kEhlo + kEnvelope);
  const std::string block(1 << 20, 'x');
  for (uint64_t i = 0; i < (core::kSmtpDrainBytesMax >> 20) + 2 && !run.closed; ++i)
    run.Feed(block);
  EXPECT_TRUE(run.closed);
  EXPECT_THAT(run.output, HasSubstr("552 5.3.4"));
}

TEST(ServerSessionTest, TransactionsOfASessionCanBeLimited) {
  ServerSessionOptions options = Options();
  options.max_transactions = 1;
  ServerRun run(&options);
  run.Start();
  run.Feed(kEhlo + kEnvelope + kText + kMail);
  EXPECT_EQ(Codes(run.output), "220 250x5 250 250 354 250 421");
  EXPECT_TRUE(run.closed);
}

TEST(ServerSessionTest, BodyTypeAndSummaryReachTheDriver) {
  const ServerSessionOptions options = Options();
  ServerRun run(&options);
  run.Start();
  run.Feed(kEhlo + "MAIL FROM:<a@b.c> SIZE=900 BODY=8BITMIME\r\n");
  EXPECT_EQ(run.session().command().declared_size, 900u);
  EXPECT_EQ(run.session().body_type(), BodyType::k8BitMime);
  run.Feed(kRcpt + "DATA\r\nDate: x\r\n\r\n\xc3\xa4\r\n.\r\n");
  EXPECT_TRUE(run.last_body.has_8bit);
  EXPECT_TRUE(run.last_body.has_date);
  EXPECT_FALSE(run.last_body.has_message_id);
}

}  // namespace
}  // namespace outbox::smtp
