// What is kept of a dialogue.
#include "smtp/talk.h"

#include <gtest/gtest.h>

#include <string>

#include "core/time.h"

namespace outbox::smtp {
namespace {

class TalkTest : public testing::Test {
 protected:
  TalkRings rings_;
};

TEST_F(TalkTest, KeepsTheLinesOfBothSides) {
  Talk talk(&rings_);
  EXPECT_TRUE(talk.empty());
  talk.Received("220 mx.example", 0);
  talk.Received(" ESMTP\r\n", 0);
  talk.Sent("EHLO relay.example\r\n", 0);
  talk.Received("250-mx.example\r\n250 PIPELINING\r\n", 0);
  talk.Sent("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", 0);
  talk.Received("250 ok\r\n250 ok\r\n354 go\r\n", 0);
  talk.SentMessage(1234, 0);
  talk.Received("451 later", 0);
  EXPECT_EQ(talk.Text(),
            "S: 220 mx.example ESMTP\n"
            "C: EHLO relay.example\n"
            "S: 250-mx.example\n"
            "S: 250 PIPELINING\n"
            "C: MAIL FROM:<a@b.example>\n"
            "C: RCPT TO:<c@d.example>\n"
            "C: DATA\n"
            "S: 250 ok\n"
            "S: 250 ok\n"
            "S: 354 go\n"
            "C: (a message of 1234 bytes)\n"
            "S: 451 later");
}

TEST_F(TalkTest, CutsLongLinesAndForgetsTheOldest) {
  Talk talk(&rings_);
  talk.Received("250-" + std::string(5000, 'x') + "\r\n", 0);
  EXPECT_EQ(talk.Text(), "S: 250-" + std::string(core::kTalkLineBytes - 4, 'x'));
  for (int i = 0; i < 1000; ++i) talk.Sent("NOOP " + std::to_string(i) + "\r\n", 0);
  const std::string text = talk.Text();
  EXPECT_LE(text.size(), core::kTalkBytes);
  EXPECT_GT(text.size(), core::kTalkBytes * 3 / 4);
  EXPECT_TRUE(text.starts_with("C: NOOP ")) << text.substr(0, 20);
  EXPECT_TRUE(text.ends_with("C: NOOP 999"));
}

TEST_F(TalkTest, EarlierTransactionsAreLeftOut) {
  Talk talk(&rings_);
  talk.Received("220 mx.example\r\n", 0);
  for (const char* const who : {"one", "two", "three"}) {
    talk.Sent("MAIL FROM:<" + std::string(who) + "@b.example>\r\n", 0);
    if (std::string_view(who) == "two") {
      EXPECT_TRUE(talk.Text().starts_with("S: 220 mx.example\nC: MAIL FROM:<one@"));
    }
    talk.Received("250 ok\r\n", 0);
  }
  EXPECT_EQ(talk.Text(),
            "C: MAIL FROM:<two@b.example>\nS: 250 ok\nC: MAIL FROM:<three@b.example>\nS: 250 ok");
}

TEST_F(TalkTest, ByteByByteIsTheSame) {
  const std::string bytes = "250-one\r\n250 two\r\n354 go\r\n";
  Talk whole(&rings_);
  whole.Received(bytes, 0);
  Talk cut(&rings_);
  for (const char c : bytes) cut.Received({&c, 1}, 0);
  EXPECT_EQ(cut.Text(), whole.Text());
}

TEST_F(TalkTest, ALineInPiecesStaysOneWhenNothingIsSentBetweenThem) {
  Talk talk(&rings_);
  talk.Received("250 2.1.0", 0);
  talk.Sent("", 0);
  talk.Received(" Ok\r\n", 0);
  EXPECT_EQ(talk.Text(), "S: 250 2.1.0 Ok");
}

// The lines of a dialogue as "12 C: EHLO relay.example".
std::string Lines(const Dialogue& dialogue) {
  const std::string bytes = std::string(dialogue.first) + std::string(dialogue.second);
  std::string lines;
  DialogueReader reader(bytes);
  for (DialogueReader::Line line; reader.Next(&line);) {
    lines += std::to_string(line.at_ms) + " " + line.who + ": " + std::string(line.text) + "\n";
  }
  return lines;
}

constexpr int64_t kMs = core::kNsPerMs;

TEST_F(TalkTest, EveryLineHasItsTime) {
  Talk talk(&rings_);
  talk.Start(7'000 * kMs);
  talk.Received("220 mx.example\r\n", 7'012 * kMs);
  talk.Sent("EHLO relay.example\r\n", 7'012 * kMs);
  talk.Received("250-mx.example\r\n250 PIPELINING", 7'100 * kMs);
  talk.Received("\r\n", 9'000 * kMs);
  talk.SentMessage(5, (7'000 + 100'000'000) * kMs);  // more than a day later
  EXPECT_EQ(Lines(talk.Since()),
            "12 S: 220 mx.example\n12 C: EHLO relay.example\n100 S: 250-mx.example\n"
            "100 S: 250 PIPELINING\n100000000 C: (a message of 5 bytes)\n");
  EXPECT_EQ(talk.Since().started_ns, 7'000 * kMs);
}

// With PIPELINING the next envelope is on its way before the last message is answered.
TEST_F(TalkTest, ATransactionIsToldFromItsBeginning) {
  Talk talk(&rings_);
  talk.Start(0);
  talk.Received("220 mx.example\r\n", 0);
  talk.BeginTransaction(0);
  talk.Sent("MAIL FROM:<one@a.example>\r\n", 0);
  talk.Received("250 ok\r\n", 0);
  talk.BeginTransaction(1);
  talk.Sent("MAIL FROM:<two@a.example>\r\n", 0);
  talk.Received("250 taken\r\n", 0);
  talk.EndTransaction(0);
  EXPECT_EQ(Lines(talk.Since()),
            "0 S: 220 mx.example\n0 C: MAIL FROM:<one@a.example>\n0 S: 250 ok\n"
            "0 C: MAIL FROM:<two@a.example>\n0 S: 250 taken\n");
  talk.Told();
  EXPECT_EQ(Lines(talk.Since()), "");
  talk.Received("550 no\r\n", 0);
  talk.EndTransaction(1);
  EXPECT_EQ(Lines(talk.Since()),
            "0 C: MAIL FROM:<two@a.example>\n0 S: 250 taken\n0 S: 550 no\n");
  talk.Told();
  // Outside of transactions: what belongs to none.
  talk.Received("421 closing\r\n", 0);
  EXPECT_EQ(Lines(talk.Since()), "0 S: 421 closing\n");
  // Another session of the same connection object begins anew.
  talk.Start(0);
  EXPECT_EQ(Lines(talk.Since()), "");
}

TEST_F(TalkTest, WhatProvesWhoWeAreIsHidden) {
  Talk talk(&rings_);
  talk.Sent("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", 0);
  talk.Received("235 2.7.0 ok\r\n", 0);
  talk.Sent("MAIL FROM:<a@b.example> AUTH=<>\r\n", 0);
  talk.Received("250 ok\r\n", 0);
  talk.Sent("auth LOGIN\r\n", 0);
  talk.Received("334 VXNlcm5hbWU6\r\n", 0);
  talk.Sent("YWxpY2U=\r\n", 0);
  talk.Received("3", 0);
  talk.Received("34 UGFzc3dvcmQ6\r\n", 0);
  talk.Sent("c2VjcmV0\r\n", 0);
  talk.Received("535 5.7.8 no\r\n", 0);
  talk.Sent("AUTH CRAM-MD5\r\n", 0);
  talk.Received("334 PDE4OTYuNjk3MTcwOTUyQHBvc3Q+\r\n", 0);
  talk.Sent("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZl\r\n", 0);
  talk.Received("334 and now?\r\n", 0);
  talk.Sent("*\r\n", 0);
  talk.Received("501 cancelled\r\n", 0);
  talk.Sent("QUIT\r\n", 0);
  EXPECT_EQ(talk.Text(),
            "C: AUTH PLAIN\nS: 235 2.7.0 ok\nC: MAIL FROM:<a@b.example> AUTH=<>\nS: 250 ok\n"
            "C: auth LOGIN\nS: 334 VXNlcm5hbWU6\nC: (hidden)\nS: 334 UGFzc3dvcmQ6\n"
            "C: (hidden)\nS: 535 5.7.8 no\n"
            "C: AUTH CRAM-MD5\nS: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3Q+\nC: (hidden)\n"
            "S: 334 and now?\nC: *\nS: 501 cancelled\nC: QUIT");
}

TEST_F(TalkTest, TheRingForgetsLinesButCutsNone) {
  Talk talk(&rings_);
  talk.Start(0);
  talk.BeginTransaction(0);
  for (int i = 0; i < 1000; ++i) talk.Received("250 line " + std::to_string(i) + "\r\n", 0);
  talk.EndTransaction(0);
  EXPECT_LE(talk.Since().size(), core::kTalkBytes);
  const std::string lines = Lines(talk.Since());
  EXPECT_TRUE(lines.starts_with("0 S: 250 line ")) << lines.substr(0, 30);
  EXPECT_TRUE(lines.ends_with("0 S: 250 line 999\n"));
}

TEST_F(TalkTest, HoldsNoRingWithNothingToTell) {
  Talk talk(&rings_);
  EXPECT_EQ(rings_.out(), 0u);
  EXPECT_EQ(talk.Text(), "");
  EXPECT_EQ(talk.Since().size(), 0u);
  talk.Received("220 mx.exa", 0);
  EXPECT_EQ(rings_.out(), 1u);
  talk.Forget();
  EXPECT_EQ(rings_.out(), 0u);
  EXPECT_TRUE(talk.empty());
  talk.Received("250 ok\r\n", 0);
  EXPECT_EQ(talk.Text(), "S: 250 ok");
  {
    Talk other(&rings_);
    other.Sent("QUIT\r\n", 0);
    EXPECT_EQ(rings_.out(), 2u);
  }
  EXPECT_EQ(rings_.out(), 1u);
}

TEST_F(TalkTest, ForgetsNothingOfATransactionThatIsUnderWay) {
  Talk talk(&rings_);
  talk.Start(0);
  talk.BeginTransaction(1);
  talk.Sent("MAIL FROM:<a@b.example>\r\n", 0);
  talk.Forget();
  EXPECT_EQ(rings_.out(), 1u);
  talk.EndTransaction(1);
  EXPECT_GT(talk.Since().size(), 0u);
  talk.Told();
  talk.Forget();
  EXPECT_EQ(rings_.out(), 0u);
  EXPECT_EQ(talk.Since().size(), 0u);
}

}  // namespace
}  // namespace outbox::smtp
