// The server session, told by stories: each is fed whole, octet by octet and cut at every place.
#include "smtp/server_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/smtp/chunk_stories.h"
#include "tests/smtp/server_run.h"
#include "tests/smtp/server_stories.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Story> AllStories() {
  std::vector<Story> all = Stories();
  for (Story& story : ChunkStories()) all.push_back(std::move(story));
  return all;
}

ServerSessionOptions OptionsOf(const Story& story) {
  ServerSessionOptions options = Options();
  options.offers_chunking = story.chunking;
  return options;
}

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

// Runs a story in pieces of `piece` octets and compares.
void Expect(const Story& story, size_t piece) {
  SCOPED_TRACE(story.name);
  SCOPED_TRACE("pieces of " + std::to_string(piece));
  const ServerSessionOptions options = OptionsOf(story);
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
  for (const Story& story : AllStories()) Expect(story, story.client.size());
}

TEST(ServerSessionTest, StoriesOctetByOctet) {
  for (const Story& story : AllStories()) Expect(story, 1);
}

// Every story, cut in two at every place, and in pieces of every small size.
TEST(ServerSessionTest, SplitsMakeNoDifference) {
  for (const Story& story : AllStories()) {
    SCOPED_TRACE(story.name);
    const ServerSessionOptions options = OptionsOf(story);
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

TEST(ServerSessionTest, ANulIsPassedOnUnlessSomebodyWantsItRefused) {
  ServerSessionOptions options = Options();
  options.refuse_nul = false;
  ServerRun run(&options);
  run.Start();
  const std::string text("a\0b\r\n.\r\n", 8);
  run.Feed(kEhlo + kEnvelope + text);
  EXPECT_THAT(run.messages, ElementsAre(text));
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
  EXPECT_EQ(Codes(run.output), "220 250x7 250 250 354 452 250");
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
  EXPECT_EQ(Codes(run.output), "220 250x7 250 250 452 354 250");
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
  EXPECT_EQ(Codes(run.output), "220 250x7 250 250 354 250 421");
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
