// The notification that a sender gets: legal on the wire, readable by a person, parseable by a
// program.
#include "queue/bounce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "queue/dsn_words.h"

namespace outbox::queue {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DsnTest : public ::testing::Test {
 protected:
  DsnTest() {
    facts_.reporting_mta = "relay.example.com";
    facts_.return_path = "alice@example.org";
    facts_.message_id = "0ABC";
    facts_.dsn_id = "0DEF";
    facts_.arrival_wall_ns = 1'700'000'000 * core::kNsPerSecond;
    facts_.now_wall_ns = facts_.arrival_wall_ns + 2 * core::kNsPerDay + 3 * core::kNsPerHour;
    facts_.original_prefix = "Received: from x by y; today\r\n";
    facts_.original_body = "Subject: hello\r\nFrom: alice\r\n\r\nsecret body\r\n.\r\n";
  }

  std::string Compose() {
    facts_.recipients = recipients_;
    std::string out;
    ComposeDsn(facts_, &out);
    return out;
  }

  DsnFacts facts_;
  std::vector<DsnRecipient> recipients_ = {
      {"bob@example.net", 550, "5.1.1", "no such user", "192.0.2.1:25", false}};
};

// The wire form's own rules, for any input.
void ExpectWireForm(const std::string& message) {
  ASSERT_TRUE(message.ends_with("\r\n.\r\n"));
  size_t start = 0;
  bool ended = false;
  while (start < message.size()) {
    const size_t end = message.find("\r\n", start);
    ASSERT_NE(end, std::string::npos);
    const std::string line = message.substr(start, end - start);
    EXPECT_LE(line.size(), 999u) << line.substr(0, 60);  // 998 and a stuffed dot
    for (const char c : line) {
      EXPECT_NE(c, '\r');
      EXPECT_NE(c, '\n');
      EXPECT_LT(static_cast<unsigned char>(c), 0x80);
    }
    EXPECT_FALSE(ended) << "text behind the final dot";
    if (line == ".") {
      ended = true;
    } else if (line.size() > 1 && line[0] == '.') {
      EXPECT_EQ(line[1], '.') << "an unstuffed dot: " << line;
    }
    start = end + 2;
  }
  EXPECT_TRUE(ended);
}

TEST_F(DsnTest, PermanentRefusalTellsWhoSaidWhat) {
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("To: alice@example.org\r\n"));
  EXPECT_THAT(dsn, HasSubstr("Auto-Submitted: auto-replied\r\n"));
  EXPECT_THAT(dsn, HasSubstr("multipart/report; report-type=delivery-status"));
  EXPECT_THAT(dsn, HasSubstr("      The answer of 192.0.2.1:25 was:\r\n          550 5.1.1 "));
  EXPECT_THAT(dsn, HasSubstr("Reporting-MTA: dns; relay.example.com\r\n"));
  EXPECT_THAT(dsn, HasSubstr("Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\n"
                             "Status: 5.1.1\r\nRemote-MTA: dns; [192.0.2.1]\r\n"
                             "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
}

// What a layperson sees first: their own subject, and what happened in plain words.
TEST_F(DsnTest, ItSpeaksOfTheMessageAsItsSenderKnowsIt) {
  facts_.original_body =
      "Received: from a by b\r\nSUBJECT: hello\r\n  and more\r\nMessage-ID: "
      "<one@example.org>\r\n\r\n";
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("Your message \"hello and more\" of "));
  EXPECT_THAT(dsn, HasSubstr("The mail system there does not know this address."));
  EXPECT_THAT(dsn, HasSubstr("In-Reply-To: <one@example.org>\r\n"));
  EXPECT_THAT(dsn, HasSubstr("References: <one@example.org>\r\n"));
}

TEST_F(DsnTest, ASubjectThatNobodyCanReadIsLeftOut) {
  for (const char* subject : {"=?utf-8?q?gr=C3=BC=C3=9Fe?=", "gr\xc3\xbc\xc3\x9f", "", "   "}) {
    const std::string body = "Subject: " + std::string(subject) + "\r\nMessage-ID: <a b>\r\n\r\n";
    facts_.original_body = body;
    const std::string dsn = Compose();
    ExpectWireForm(dsn);
    EXPECT_THAT(dsn, HasSubstr("Your message of ")) << subject;
    EXPECT_THAT(dsn, Not(HasSubstr("In-Reply-To"))) << subject;
  }
}

TEST(PlainWordsTest, EveryStatusHasASentence) {
  EXPECT_THAT(std::string(ExplainStatus("5.1.1", 550).what), HasSubstr("does not know"));
  EXPECT_THAT(std::string(ExplainStatus("4.2.2", 452).what), HasSubstr("full"));
  EXPECT_THAT(std::string(ExplainStatus("5.1.10", 556).what), HasSubstr("not take mail at all"));
  EXPECT_THAT(std::string(ExplainStatus("5.7.26", 550).what), HasSubstr("rules"));
  EXPECT_THAT(std::string(ExplainStatus("", 0).what), HasSubstr("could be reached"));
  EXPECT_THAT(std::string(ExplainStatus("", 550).what), HasSubstr("address"));
  // What this side has decided is not laid at the other's door.
  for (const char* const status : {"5.0.0", "4.3.2", "5.7.1", "4.7.0", "4.7.8"}) {
    EXPECT_THAT(std::string(ExplainStatus(status, 0).what), HasSubstr("this mail system"))
        << status;
  }
  // Nonsense from a peer is judged by the reply's code.
  for (const char* status : {"5", "5.", "5.1", "9.9.9", "5.0.0", "....."}) {
    EXPECT_THAT(std::string(ExplainStatus(status, 554).what), HasSubstr("refused")) << status;
  }
  for (uint16_t code = 0; code < 700; ++code) {
    EXPECT_FALSE(ExplainStatus("", code).what.empty());
  }
}

TEST_F(DsnTest, OriginalHeadersComeAlongTheBodyStays) {
  const std::string dsn = Compose();
  EXPECT_THAT(dsn, HasSubstr("Received: from x by y; today\r\nSubject: hello\r\n"));
  EXPECT_THAT(dsn, Not(HasSubstr("secret body")));
}

// RFC 3461 6.2, 6.3: what the sender gave comes back, decoded.
TEST_F(DsnTest, EnvidAndOrcptComeBack) {
  facts_.envid = "QQ+3D31+2B4";
  recipients_[0].orcpt = "rfc822;Bob+2Bold@example.com";
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("\r\nOriginal-Envelope-Id: QQ=31+4\r\nReporting-MTA: dns; "));
  EXPECT_THAT(dsn, HasSubstr("\r\n\r\nOriginal-Recipient: rfc822; Bob+old@example.com\r\n"
                             "Final-Recipient: rfc822; bob@example.net\r\n"));
}

TEST_F(DsnTest, SuccessSaysWhereItIs) {
  facts_.action = DsnAction::kSucceeded;
  recipients_[0] = {
      "bob@example.net", 250, "2.0.0", "queued as 7", "mx.example.net[192.0.2.1]:25", false};
  recipients_[0].relayed = true;
  const std::string relayed = Compose();
  ExpectWireForm(relayed);
  EXPECT_THAT(relayed, HasSubstr("Subject: Your message has been passed on\r\n"));
  EXPECT_THAT(relayed, HasSubstr("Action: relayed\r\nStatus: 2.0.0\r\n"
                                 "Remote-MTA: dns; mx.example.net[192.0.2.1]\r\n"
                                 "Diagnostic-Code: smtp; 250 2.0.0 queued as 7\r\n"));
  EXPECT_THAT(relayed, Not(HasSubstr("could not")));
  recipients_[0].relayed = false;
  recipients_[0].enhanced = "";
  const std::string delivered = Compose();
  ExpectWireForm(delivered);
  EXPECT_THAT(delivered, HasSubstr("Subject: Your message has been delivered\r\n"));
  EXPECT_THAT(delivered, HasSubstr("It is in the mailbox."));
  EXPECT_THAT(delivered, HasSubstr("Action: delivered\r\nStatus: 2.0.0\r\n"));
  EXPECT_THAT(delivered, Not(HasSubstr("192.0.2.1")));
}

// RFC 3461 4.3.
TEST_F(DsnTest, AllOfItComesBackWhenItsSenderWantsThat) {
  facts_.wants_full = facts_.full = true;
  facts_.original_body = "Subject: hello\r\n\r\n..dots\r\nsecret body\r\n.\r\n";
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("Content-Type: message/rfc822\r\nContent-Description: Your message\r\n"
                             "\r\nReceived: from x by y; today\r\nSubject: hello\r\n\r\n"
                             "..dots\r\nsecret body\r\n\r\n--=_outbox_0DEF--\r\n.\r\n"));
  EXPECT_THAT(dsn, Not(HasSubstr("8bit")));
  facts_.eight_bit = true;
  EXPECT_THAT(Compose(), HasSubstr("boundary=\"=_outbox_0DEF\"\r\n"
                                   "Content-Transfer-Encoding: 8bit\r\n\r\n"));
  facts_.utf8_header = true;
  EXPECT_THAT(Compose(), HasSubstr("Content-Type: message/global\r\n"));
  facts_.utf8_header = false;
  facts_.original_body = ".\r\n";
  facts_.eight_bit = false;
  ExpectWireForm(Compose());
  facts_.full = false;
  const std::string cut = Compose();
  EXPECT_THAT(cut, HasSubstr("too large to come back with this notice"));
  EXPECT_THAT(cut, HasSubstr("Content-Type: text/rfc822-headers\r\n"));
}

TEST_F(DsnTest, ExpiryNamesTheLastProblem) {
  recipients_[0] = {"bob@example.net", 0, "", "connection refused", "", true};
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("2 days and 3 hours"));
  EXPECT_THAT(dsn, HasSubstr("connection refused"));
  EXPECT_THAT(dsn, HasSubstr("Status: 4.4.7\r\n"));
}

TEST_F(DsnTest, DelayedSaysUntilWhen) {
  facts_.action = DsnAction::kDelayed;
  facts_.retry_until_wall_ns = facts_.arrival_wall_ns + 5 * core::kNsPerDay;
  recipients_[0] = {"bob@example.net", 0, "", "connection refused", "", false};
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("Action: delayed\r\nStatus: 4.4.1\r\n"));
  EXPECT_THAT(dsn, HasSubstr("Will-Retry-Until: "));
  EXPECT_THAT(dsn, HasSubstr("keep trying"));
}

TEST_F(DsnTest, EightBitHeadersAreQuotedPrintable) {
  facts_.original_body =
      "Subject: gr\xc3\xbc\xc3\x9f"
      "e = equals \r\n\r\n";
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_THAT(dsn, HasSubstr("Content-Transfer-Encoding: quoted-printable\r\n"));
  EXPECT_THAT(dsn, HasSubstr("Subject: gr=C3=BC=C3=9Fe =3D equals=20\r\n"));
}

TEST_F(DsnTest, NothingAStrangerWroteBreaksTheForm) {
  core::Random random(7);
  for (int round = 0; round < 300; ++round) {
    const auto noise = [&random](size_t size_max) {
      std::string text;
      const size_t size = random.Below(size_max);
      for (size_t i = 0; i < size; ++i) {
        text.push_back(random.Chance(1, 6) ? "\r\n.\0 "[random.Below(5)]
                                           : static_cast<char>(random.Below(256)));
      }
      return text;
    };
    const std::string text = noise(3000);
    const std::string host = noise(400);
    const std::string address = noise(300);
    const std::string body = noise(8000);
    recipients_.assign(1 + random.Below(3), {address, static_cast<uint16_t>(random.Below(600)),
                                             host, text, host, false});
    facts_.original_body = body;
    facts_.action = random.Chance(1, 2) ? DsnAction::kFailed : DsnAction::kDelayed;
    ExpectWireForm(Compose());
  }
}

TEST_F(DsnTest, EndlessHeadersAreCut) {
  std::string body;
  for (int i = 0; i < 10'000; ++i) body += "X-Filler: 0123456789\r\n";
  facts_.original_body = body;
  const std::string dsn = Compose();
  ExpectWireForm(dsn);
  EXPECT_LT(dsn.size(), kDsnHeaderBytesMax + 8192);
  EXPECT_THAT(dsn, HasSubstr("X-Outbox-Note:"));
}

}  // namespace
}  // namespace outbox::queue
