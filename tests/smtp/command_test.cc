// Command lines: what is taken, and what the refusal of the others says.
#include "smtp/command.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::smtp {
namespace {

TEST(CommandTest, VerbsInAnyCase) {
  EXPECT_EQ(ParseCommand("EHLO mail.example.com", false).verb, Verb::kEhlo);
  EXPECT_EQ(ParseCommand("ehlo mail.example.com", false).argument, "mail.example.com");
  EXPECT_EQ(ParseCommand("HeLo [192.0.2.1]  ", false).argument, "[192.0.2.1]");
  EXPECT_EQ(ParseCommand("data", true).verb, Verb::kData);
  EXPECT_EQ(ParseCommand("RSET ", true).verb, Verb::kRset);
  EXPECT_EQ(ParseCommand("quit", true).verb, Verb::kQuit);
  EXPECT_EQ(ParseCommand("NOOP are you there", true).verb, Verb::kNoop);
  EXPECT_EQ(ParseCommand("HELP", true).verb, Verb::kHelp);
  EXPECT_EQ(ParseCommand("VRFY alice", true).argument, "alice");
}

TEST(CommandTest, MailWithItsParameters) {
  const Command command =
      ParseCommand("MAIL FROM:<alice@example.com> SIZE=12345 BODY=8BITMIME", true);
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command.path.mailbox, "alice@example.com");
  EXPECT_TRUE(command.has_size);
  EXPECT_EQ(command.declared_size, 12345u);
  EXPECT_EQ(command.body, BodyType::k8BitMime);
  EXPECT_EQ(ParseCommand("mail from:<> body=7bit", true).body, BodyType::k7Bit);
  EXPECT_TRUE(ParseCommand("MAIL FROM: <a@b.c>", true).ok());
  EXPECT_TRUE(ParseCommand("MAIL FROM:<a@b.c>", false).ok());
  EXPECT_EQ(ParseCommand("MAIL FROM:<> SIZE=18446744073709551615", true).declared_size, UINT64_MAX);
}

TEST(CommandTest, Chunks) {
  struct Chunk {
    const char* line;
    uint64_t size;
    bool last;
  };
  const Chunk chunks[] = {
      {"BDAT 0", 0, false},
      {"BDAT 10 LAST", 10, true},
      {"bdat  10  last ", 10, true},
      {"BDAT 0000000000000000000000007", 7, false},
      {"BDAT 18446744073709551614", UINT64_MAX - 1, false},
      {"BDAT 18446744073709551616", UINT64_MAX, false},
      {"BDAT 99999999999999999999999999999 LAST", UINT64_MAX, true},
  };
  for (const Chunk& chunk : chunks) {
    const Command command = ParseCommand(chunk.line, true);
    EXPECT_TRUE(command.ok()) << chunk.line;
    EXPECT_EQ(command.verb, Verb::kBdat);
    EXPECT_EQ(command.chunk_size, chunk.size) << chunk.line;
    EXPECT_EQ(command.last_chunk, chunk.last) << chunk.line;
  }
}

struct Refused {
  const char* line;
  uint16_t code;
  EnhancedCode enhanced;
  uint16_t column;
};

TEST(CommandTest, RefusalsSayWhatAndWhere) {
  const std::vector<Refused> cases = {
      {"", 500, {5, 5, 2}, 0},
      {"GET / HTTP/1.1", 500, {5, 5, 2}, 0},
      {"MAILFROM:<a@b.c>", 500, {5, 5, 2}, 0},
      {"STARTTLS now", 501, {5, 5, 4}, 10},
      {"AUTH", 501, {5, 5, 4}, 0},
      {"BDAT", 501, {5, 5, 4}, 5},
      {"BDAT LAST", 501, {5, 5, 4}, 6},
      {"BDAT 0x10", 501, {5, 5, 4}, 6},
      {"BDAT +1", 501, {5, 5, 4}, 6},
      {"BDAT 10 FIRST", 501, {5, 5, 4}, 9},
      {"BDAT 10 LAST 1", 501, {5, 5, 4}, 9},
      {"EXPN staff", 502, {5, 5, 1}, 0},
      {"EHLO", 501, {5, 5, 4}, 5},
      {"EHLO two words", 501, {5, 5, 4}, 6},
      {"HELO \xc3\xa4.example", 501, {5, 5, 4}, 6},
      {"DATA now", 501, {5, 5, 4}, 6},
      {"VRFY", 501, {5, 5, 4}, 0},
      {"MAIL", 501, {5, 5, 4}, 5},
      {"MAIL TO:<a@b.c>", 501, {5, 5, 4}, 6},
      {"MAIL FROM:a@b.c", 501, {5, 1, 7}, 11},
      {"MAIL FROM:<a b@c.d>", 501, {5, 1, 7}, 13},
      {"MAIL FROM:<a@b.c>SIZE=1", 501, {5, 5, 4}, 18},
      {"MAIL FROM:<\xc3\xa4@b.c>", 553, {5, 6, 7}, 12},
      {"MAIL FROM:<a@b.c> SIZE=", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> SIZE=-1", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> SIZE=18446744073709551616", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> SIZE=1 SIZE=2", 501, {5, 5, 4}, 26},
      {"MAIL FROM:<a@b.c> BODY=9BIT", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> BODY=BINARYMIME", 555, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> BODY=7BIT BODY=7BIT", 501, {5, 5, 4}, 29},
      {"MAIL FROM:<\xc3\xa4@b.c> BODY=8BITMIME", 553, {5, 6, 7}, 12},
      {"MAIL FROM:<\xff@b.c> SMTPUTF8", 501, {5, 1, 7}, 12},
      {"MAIL FROM:<a@\xe2\x98\x83.c> SMTPUTF8", 501, {5, 1, 7}, 14},
      {"MAIL FROM:<a@b.c> SMTPUTF8=", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> SMTPUTF8=YES", 501, {5, 5, 4}, 19},
      {"MAIL FROM:<a@b.c> SMTPUTF8 SMTPUTF8", 501, {5, 5, 4}, 28},
      {"RCPT TO:<a@b.c> SMTPUTF8", 555, {5, 5, 4}, 17},
      {"RCPT TO:<\xc3@b.c>", 501, {5, 1, 3}, 10},
      {"VRFY j\xc3\xb6rg", 553, {5, 6, 7}, 0},
      {"VRFY j\xffrg SMTPUTF8", 501, {5, 1, 3}, 7},
      {"RCPT TO:<a@b.c> NOTIFY", 501, {5, 5, 4}, 23},
      {"RCPT TO:<a@b.c> ORCPT", 501, {5, 5, 4}, 22},
      {"MAIL FROM:<a@b.c> RET", 501, {5, 5, 4}, 22},
      {"MAIL FROM:<a@b.c> ENVID", 501, {5, 5, 4}, 24},
      {"RCPT TO:<>", 501, {5, 1, 3}, 10},
      {"RCPT FROM:<a@b.c>", 501, {5, 5, 4}, 6},
  };
  for (const Refused& c : cases) {
    const Command command = ParseCommand(c.line, true);
    EXPECT_EQ(command.refusal.code, c.code) << c.line;
    EXPECT_EQ(command.refusal.enhanced, c.enhanced) << c.line;
    EXPECT_EQ(command.error_column, c.column) << c.line;
    EXPECT_FALSE(command.refusal.text.empty()) << c.line;
  }
}

TEST(CommandTest, SmtpUtf8OfRfc6531) {
  const Command mail = ParseCommand("MAIL FROM:<j\xc3\xb6rg@b.c> BODY=8BITMIME smtputf8", true);
  ASSERT_TRUE(mail.ok()) << mail.refusal.text;
  EXPECT_TRUE(mail.smtp_utf8);
  EXPECT_EQ(mail.utf8_column, 13);
  EXPECT_EQ(mail.path.local, "j\xc3\xb6rg");
  EXPECT_TRUE(ParseCommand("MAIL FROM:<a@b.c> SMTPUTF8", true).smtp_utf8);
  EXPECT_EQ(ParseCommand("MAIL FROM:<a@b.c> SMTPUTF8", true).utf8_column, 0);
  EXPECT_FALSE(ParseCommand("MAIL FROM:<a@b.c>", true).smtp_utf8);
  // Of RCPT the transaction decides.
  Command rcpt = ParseCommand("RCPT TO:<a@b\xc3\xbc.de>", true);
  ASSERT_TRUE(rcpt.ok());
  EXPECT_EQ(rcpt.utf8_column, 13);
  RefuseUtf8(&rcpt);
  EXPECT_EQ(rcpt.refusal.code, 553);
  EXPECT_EQ(rcpt.error_column, 13);
  const Command vrfy = ParseCommand("VRFY j\xc3\xb6rg SMTPUTF8", true);
  ASSERT_TRUE(vrfy.ok());
  EXPECT_EQ(vrfy.argument, "j\xc3\xb6rg");
  EXPECT_TRUE(vrfy.smtp_utf8);
}

TEST(CommandTest, ParametersNeedEhlo) {
  EXPECT_EQ(ParseCommand("MAIL FROM:<\xc3\xa4@b.c>", false).refusal.code, 553);
  EXPECT_EQ(ParseCommand("MAIL FROM:<a@b.c> SIZE=1", false).refusal.code, 555);
}

}  // namespace
}  // namespace outbox::smtp
