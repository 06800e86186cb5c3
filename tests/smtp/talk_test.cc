// What is kept of a dialogue.
#include "smtp/talk.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::smtp {
namespace {

class TalkTest : public testing::Test {
 protected:
  TalkRings rings_;
};

TEST_F(TalkTest, KeepsTheLinesOfBothSides) {
  Talk talk(&rings_);
  EXPECT_TRUE(talk.empty());
  talk.Received("220 mx.example");
  talk.Received(" ESMTP\r\n");
  talk.Sent("EHLO relay.example\r\n");
  talk.Received("250-mx.example\r\n250 PIPELINING\r\n");
  talk.Sent("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
  talk.Received("250 ok\r\n250 ok\r\n354 go\r\n");
  talk.SentMessage(1234);
  talk.Received("451 later");
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
  talk.Received("250-" + std::string(5000, 'x') + "\r\n");
  EXPECT_EQ(talk.Text(), "S: 250-" + std::string(core::kTalkLineBytes - 4, 'x'));
  for (int i = 0; i < 1000; ++i) talk.Sent("NOOP " + std::to_string(i) + "\r\n");
  const std::string text = talk.Text();
  EXPECT_LE(text.size(), core::kTalkBytes);
  EXPECT_GT(text.size(), core::kTalkBytes - 20);
  EXPECT_TRUE(text.starts_with("C: NOOP ")) << text.substr(0, 20);
  EXPECT_TRUE(text.ends_with("C: NOOP 999"));
}

TEST_F(TalkTest, EarlierTransactionsAreLeftOut) {
  Talk talk(&rings_);
  talk.Received("220 mx.example\r\n");
  for (const char* const who : {"one", "two", "three"}) {
    talk.Sent("MAIL FROM:<" + std::string(who) + "@b.example>\r\n");
    if (std::string_view(who) == "two") {
      EXPECT_TRUE(talk.Text().starts_with("S: 220 mx.example\nC: MAIL FROM:<one@"));
    }
    talk.Received("250 ok\r\n");
  }
  EXPECT_EQ(talk.Text(),
            "C: MAIL FROM:<two@b.example>\nS: 250 ok\nC: MAIL FROM:<three@b.example>\nS: 250 ok");
}

TEST_F(TalkTest, ByteByByteIsTheSame) {
  const std::string bytes = "250-one\r\n250 two\r\n354 go\r\n";
  Talk whole(&rings_);
  whole.Received(bytes);
  Talk cut(&rings_);
  for (const char c : bytes) cut.Received({&c, 1});
  EXPECT_EQ(cut.Text(), whole.Text());
}

TEST_F(TalkTest, ALineInPiecesStaysOneWhenNothingIsSentBetweenThem) {
  Talk talk(&rings_);
  talk.Received("250 2.1.0");
  talk.Sent("");
  talk.Received(" Ok\r\n");
  EXPECT_EQ(talk.Text(), "S: 250 2.1.0 Ok");
}

TEST_F(TalkTest, HoldsNoRingWithNothingToTell) {
  Talk talk(&rings_);
  EXPECT_EQ(rings_.out(), 0u);
  EXPECT_EQ(talk.Text(), "");
  talk.Received("220 mx.exa");
  EXPECT_EQ(rings_.out(), 1u);
  talk.Forget();
  EXPECT_EQ(rings_.out(), 0u);
  EXPECT_TRUE(talk.empty());
  talk.Received("250 ok\r\n");
  EXPECT_EQ(talk.Text(), "S: 250 ok");
  {
    Talk other(&rings_);
    other.Sent("QUIT\r\n");
    EXPECT_EQ(rings_.out(), 2u);
  }
  EXPECT_EQ(rings_.out(), 1u);
}

}  // namespace
}  // namespace outbox::smtp
