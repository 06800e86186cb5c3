// A message with octets above 127 for a host that does not take them: it is converted on its way,
// or its sender learns it at once.
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
using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string kGreetings =
    "Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
    "e\r\n";
constexpr char kSigned[] =
    "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n\xe4\r\n--s--\r\n";

class EightBitMail : public ScenarioTest {
 protected:
  static std::vector<ScriptRule> SevenBit() {
    return {{.at = "EHLO", .reply = "250-b.example\r\n250 PIPELINING"}};
  }
};

INSTANTIATE_TEST_SUITE_P(Shards, EightBitMail, ::testing::Values(1u, 2u));

TEST_P(EightBitMail, IsConvertedForASevenBitHost) {
  ScriptedServer* server = story_.AddServer("b.example", SevenBit());
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}, kGreetings).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(2));
  EXPECT_THAT(server->taken()[0].recipients, SizeIs(2));
  EXPECT_THAT(server->taken()[0].content,
              EndsWith("Subject: x\r\nMIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=unknown-8bit\r\n"
                       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                       "Gr=C3=BC=C3=9Fe\r\n"));
  EXPECT_THAT(server->taken()[1].content, EndsWith("Subject: x\r\n\r\nhello\r\n"));
  EXPECT_EQ(story_.Counters().delivered, 3u);
  story_.Finish();
}

// Read from the disk, piece by piece.
TEST_P(EightBitMail, OfManyMegabytesIsConverted) {
  ScriptedServer* server = story_.AddServer("b.example", SevenBit());
  story_.Start();
  std::string text = "Subject: x\r\n\r\n";
  for (int i = 0; i < 50'000; ++i) text += "\xc3\xa4 line " + std::to_string(i) + "\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, text).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].content, EndsWith("=C3=A4 line 49999\r\n"));
  story_.Finish();
}

// What is stored stays what it was: the host behind the first one gets that.
TEST_P(EightBitMail, GoesAsItWasToTheNextHost) {
  std::vector<ScriptRule> busy = SevenBit();
  busy.push_back({.at = ".", .reply = "451 4.3.0 not now"});
  story_.AddServer("b.example", busy);
  ScriptedServer* second = story_.AddHost("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, kGreetings).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(second->taken(), SizeIs(1));
  EXPECT_THAT(second->taken()[0].content, EndsWith(kGreetings));
  story_.Finish();
}

// It says what it thinks of the message before it has read it all.
TEST_P(EightBitMail, RefusedInTheMiddleGoesAsItWasToTheNextHost) {
  std::vector<ScriptRule> rules = SevenBit();
  rules.push_back({.at = "body", .reply = "451 4.3.0 enough", .then = ScriptRule::Then::kClose});
  story_.AddServer("b.example", rules);
  ScriptedServer* second = story_.AddHost("b.example");
  story_.Start();
  std::string text = "Subject: x\r\n\r\n";
  for (int i = 0; i < 50'000; ++i) text += "\xc3\xa4 line " + std::to_string(i) + "\r\n";
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, text).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(second->taken(), SizeIs(1));
  EXPECT_THAT(second->taken()[0].content, EndsWith("\xc3\xa4 line 49999\r\n"));
  story_.Finish();
}

TEST_P(EightBitMail, ThatIsSignedIsReturnedWithTheReason) {
  ScriptedServer* server = story_.AddServer("b.example", SevenBit());
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, kSigned).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(0));
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Status: 5.6.3"), 1u);
  EXPECT_EQ(Told("a signed part of it has such octets"), 1u);
  story_.Finish();
}

TEST_P(EightBitMail, IsReturnedWhereThatIsWanted) {
  story_.config().delivery.convert_eight_bit = false;
  ScriptedServer* server = story_.AddServer("b.example", SevenBit());
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, kGreetings).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);  // plain text goes through
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Status: 5.6.3"), 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
