// RET, ENVID, NOTIFY and ORCPT: what is taken, and what the refusal of the others says.
#include "smtp/dsn_parameters.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "smtp/command.h"

namespace outbox::smtp {
namespace {

TEST(DsnParametersTest, MailHasRetAndEnvid) {
  const Command full = ParseCommand("MAIL FROM:<a@b.c> RET=full ENVID=QQ+3D314159", true);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full.ret, DsnReturn::kFull);
  EXPECT_EQ(full.envid, "QQ+3D314159");
  const Command headers = ParseCommand("MAIL FROM:<> SIZE=5 RET=HDRS BODY=8BITMIME", true);
  ASSERT_TRUE(headers.ok());
  EXPECT_EQ(headers.ret, DsnReturn::kHeaders);
  EXPECT_TRUE(headers.envid.empty());
  EXPECT_EQ(ParseCommand("MAIL FROM:<>", true).ret, DsnReturn::kUnspecified);
}

TEST(DsnParametersTest, RcptHasNotifyAndOrcpt) {
  const struct {
    const char* words;
    NotifyBits bits;
    const char* text;
  } cases[] = {
      {"NEVER", kNotifyNever, "NEVER"},
      {"success", kNotifySuccess, "SUCCESS"},
      {"FAILURE", kNotifyFailure, "FAILURE"},
      {"Delay", kNotifyDelay, "DELAY"},
      {"DELAY,SUCCESS", kNotifySuccess | kNotifyDelay, "SUCCESS,DELAY"},
      {"FAILURE,DELAY", kNotifyFailure | kNotifyDelay, "FAILURE,DELAY"},
      {"FAILURE,SUCCESS", kNotifySuccess | kNotifyFailure, "SUCCESS,FAILURE"},
      {"DELAY,FAILURE,SUCCESS", kNotifySuccess | kNotifyFailure | kNotifyDelay,
       "SUCCESS,FAILURE,DELAY"},
  };
  for (const auto& c : cases) {
    const std::string line =
        "RCPT TO:<a@b.c> ORCPT=rfc822;A+2Bb@c.d NOTIFY=" + std::string(c.words);
    const Command command = ParseCommand(line, true);
    ASSERT_TRUE(command.ok()) << line;
    EXPECT_EQ(command.dsn.notify, c.bits) << line;
    EXPECT_EQ(NotifyText(command.dsn.notify), c.text) << line;
    EXPECT_EQ(command.dsn.orcpt, "rfc822;A+2Bb@c.d") << line;
  }
  EXPECT_TRUE(ParseCommand("RCPT TO:<a@b.c>", true).dsn.empty());
}

TEST(DsnParametersTest, RefusalsSayWhatAndWhere) {
  const std::string longest_id(100, 'i');
  const std::string longest(493, 'x');
  const struct {
    std::string line;
    uint16_t code;
    uint16_t column;
  } cases[] = {
      {"MAIL FROM:<a@b.c> RET", 501, 22},
      {"MAIL FROM:<a@b.c> RET=", 501, 23},
      {"MAIL FROM:<a@b.c> RET=ALL", 501, 23},
      {"MAIL FROM:<a@b.c> RET=FULL RET=FULL", 501, 28},
      {"MAIL FROM:<a@b.c> ENVID=", 501, 25},
      {"MAIL FROM:<a@b.c> ENVID=a=b", 501, 26},
      {"MAIL FROM:<a@b.c> ENVID=a+b", 501, 26},
      {"MAIL FROM:<a@b.c> ENVID=a+2", 501, 26},
      {"MAIL FROM:<a@b.c> ENVID=a+2b", 501, 26},  // lower case is no hexchar
      {"MAIL FROM:<a@b.c> ENVID=a+0D+0A", 501, 26},
      {"MAIL FROM:<a@b.c> ENVID=a+E9", 501, 26},
      {"MAIL FROM:<a@b.c> ENVID=\xc3\xa9", 501, 25},
      {"MAIL FROM:<a@b.c> ENVID=1 ENVID=2", 501, 27},
      {"MAIL FROM:<a@b.c> ENVID=" + longest_id, 0, 0},
      {"MAIL FROM:<a@b.c> ENVID=" + longest_id + "i", 501, 125},
      {"MAIL FROM:<a@b.c> NOTIFY=NEVER", 555, 19},
      {"RCPT TO:<a@b.c> NOTIFY", 501, 23},
      {"RCPT TO:<a@b.c> NOTIFY=", 501, 24},
      {"RCPT TO:<a@b.c> NOTIFY=ALWAYS", 501, 24},
      {"RCPT TO:<a@b.c> NOTIFY=SUCCESS,", 501, 32},
      {"RCPT TO:<a@b.c> NOTIFY=,SUCCESS", 501, 24},
      {"RCPT TO:<a@b.c> NOTIFY=SUCCESS,DELAY,SUCCESS", 501, 38},
      {"RCPT TO:<a@b.c> NOTIFY=NEVER,DELAY", 501, 30},
      {"RCPT TO:<a@b.c> NOTIFY=DELAY,NEVER", 501, 30},
      {"RCPT TO:<a@b.c> NOTIFY=NEVER NOTIFY=NEVER", 501, 30},
      {"RCPT TO:<a@b.c> ORCPT=", 501, 23},
      {"RCPT TO:<a@b.c> ORCPT=a@b.c", 501, 24},
      {"RCPT TO:<a@b.c> ORCPT=;a@b.c", 501, 23},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;", 501, 30},
      {"RCPT TO:<a@b.c> ORCPT=rfc 822;a", 501, 26},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;a=b", 501, 31},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;a+0Ab", 501, 31},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;a ORCPT=rfc822;a", 501, 32},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;" + longest, 0, 0},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;" + longest + "x", 501, 523},
      {"RCPT TO:<a@b.c> ORCPT=rfc822;+41" + longest.substr(1), 0,
       0},  // bounds are of what it means
      {"RCPT TO:<a@b.c> RET=FULL", 555, 17},
      {"RCPT TO:<a@b.c> SIZE=1", 555, 17},
  };
  for (const auto& c : cases) {
    const Command command = ParseCommand(c.line, true);
    EXPECT_EQ(command.refusal.code, c.code) << c.line;
    EXPECT_EQ(command.error_column, c.column) << c.line;
    EXPECT_EQ(command.refusal.text.empty(), c.code == 0) << c.line;
  }
  EXPECT_EQ(ParseCommand("RCPT TO:<a@b.c> NOTIFY=NEVER", false).refusal.code, 555);
}

TEST(DsnParametersTest, WhoWantsToHearWhat) {
  EXPECT_TRUE(Wants(0, kNotifyFailure));
  EXPECT_TRUE(Wants(0, kNotifyDelay));
  EXPECT_FALSE(Wants(0, kNotifySuccess));
  for (const NotifyBits what : {kNotifySuccess, kNotifyFailure, kNotifyDelay}) {
    EXPECT_FALSE(Wants(kNotifyNever, what));
    EXPECT_TRUE(Wants(what, what));
  }
  EXPECT_FALSE(Wants(kNotifySuccess, kNotifyFailure));
  EXPECT_FALSE(Wants(kNotifyFailure, kNotifyDelay));
}

TEST(DsnParametersTest, XtextThereAndBack) {
  EXPECT_EQ(EncodeXtext("a+b=c d~"), "a+2Bb+3Dc+20d~");
  EXPECT_EQ(DecodeXtext("a+2Bb+3Dc+20d~"), "a+b=c d~");
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(DecodeXtext(EncodeXtext(all)), all);
  EXPECT_EQ(DecodeXtext("+"), "+");
  EXPECT_EQ(DecodeXtext("x+2"), "x+2");
}

// Postfix writes the octets of UTF-8 as xtext, RFC 6533 their characters.
TEST(DsnParametersTest, OrcptMayStandForUtf8) {
  for (const char* value : {"rfc822;j+C3+B6rg@b.example", "utf-8;j\\x{F6}rg@b.example"}) {
    EXPECT_EQ(CheckOrcpt(value).what, nullptr) << value;
  }
  for (const char* value :
       {"rfc822;j+C3rg@b.example", "rfc822;+ED+A0+80@b.example", "rfc822;+FF@b.example",
        "rfc822;+7F@b.example", "rfc822;+0D@b.example", "utf-8;j\xc3\xb6rg@b.example"}) {
    EXPECT_NE(CheckOrcpt(value).what, nullptr) << value;
  }
  EXPECT_NE(CheckEnvid("j+C3+B6rg").what, nullptr);
}

}  // namespace
}  // namespace outbox::smtp
