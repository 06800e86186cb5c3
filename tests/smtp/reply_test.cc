// Replies as servers send them, in any pieces; and the ones that we write.
#include "smtp/reply.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::smtp {
namespace {

// All replies in `bytes`, fed in pieces of `piece` octets: "250 2.1.0 text|...", or "error".
std::string Read(std::string_view bytes, size_t piece) {
  ReplyParser parser;
  std::string out;
  for (size_t pos = 0; pos < bytes.size(); pos += piece) {
    std::string_view input = bytes.substr(pos, piece);
    while (!input.empty()) {
      const ReplyParser::Result result = parser.Consume(&input);
      if (result == ReplyParser::Result::kError) return out + "error: " + parser.error();
      if (result != ReplyParser::Result::kReply) continue;
      const Reply reply = parser.reply();
      out += std::to_string(reply.code) + " ";
      if (!reply.enhanced.empty()) {
        out += std::to_string(reply.enhanced.status_class) + "." +
               std::to_string(reply.enhanced.subject) + "." +
               std::to_string(reply.enhanced.detail) + " ";
      }
      out += std::string(reply.text) + "|";
    }
  }
  return out + (parser.idle() ? "" : "unfinished");
}

struct ReplyCase {
  const char* bytes;
  const char* expected;
};

TEST(ReplyTest, RepliesAsServersSendThem) {
  const std::vector<ReplyCase> cases = {
      {"250 Ok\r\n", "250 Ok|"},
      {"250 2.1.0 Sender ok\r\n", "250 2.1.0 Sender ok|"},
      {"250\r\n", "250 |"},
      {"250 \r\n", "250 |"},
      {"250 2.0.0\r\n", "250 2.0.0 |"},
      {"250 bare lf\n", "250 bare lf|"},
      {"250\n", "250 |"},
      {"550-5.1.1 No such user\r\n550 5.1.1 Ask the postmaster\r\n",
       "550 5.1.1 No such user Ask the postmaster|"},
      {"550-first\r\n550-\r\n550 third\r\n", "550 first third|"},
      {"550-\r\n550 only\r\n", "550 only|"},
      {"550-5.1.1 a\r\n550 5.7.1 b\r\n", "550 5.1.1 a 5.7.1 b|"},
      {"550 4.1.1 wrong class\r\n", "550 4.1.1 wrong class|"},
      {"250 tab\there\x01\r\n", "250 tab?here?|"},
      {"250 cr\rinside\r\r\n", "250 cr?inside?|"},
      {"220 a\r\n250 b\r\n354 c\r\n", "220 a|250 b|354 c|"},
      {"250-never ended\r\n", "unfinished"},
      {"25", "unfinished"},
      {"600 x\r\n", "error: a reply does not begin with a valid code"},
      {"150 x\r\n", "error: a reply does not begin with a valid code"},
      {"260 x\r\n", "error: a reply does not begin with a valid code"},
      {"2x0 x\r\n", "error: a reply does not begin with a valid code"},
      {"\r\n", "error: a reply does not begin with a valid code"},
      {"HTTP/1.1 400\r\n", "error: a reply does not begin with a valid code"},
      {"250_x\r\n", "error: neither space nor hyphen behind the reply code"},
      {"2500 x\r\n", "error: neither space nor hyphen behind the reply code"},
      {"250-a\r\n251 b\r\n", "error: a reply does not begin with a valid code"},
  };
  for (const ReplyCase& c : cases) {
    for (size_t piece = 1; piece <= std::string_view(c.bytes).size(); ++piece) {
      EXPECT_EQ(Read(c.bytes, piece), c.expected) << c.bytes << " in pieces of " << piece;
    }
  }
}

TEST(ReplyTest, EnhancedCodeOfTheWrongClassIsText) {
  ReplyParser parser;
  std::string_view input = "550 4.1.1 x\r\n";
  ASSERT_EQ(parser.Consume(&input), ReplyParser::Result::kReply);
  EXPECT_TRUE(parser.reply().enhanced.empty());
  EXPECT_EQ(parser.reply().text, "4.1.1 x");
}

TEST(ReplyTest, TextBeyondTheBoundIsDropped) {
  std::string bytes = "250 " + std::string(1000, 'x') + "\r\n";
  ReplyParser parser;
  std::string_view input = bytes;
  ASSERT_EQ(parser.Consume(&input), ReplyParser::Result::kReply);
  EXPECT_EQ(parser.reply().text, std::string(core::kReplyTextMax, 'x'));
}

TEST(ReplyTest, ALineOrAReplyWithoutEndIsAnError) {
  const std::string endless = "250 " + std::string(core::kReplyLineOctetsMax, 'x');
  std::string many;
  for (size_t i = 0; i <= core::kReplyLinesMax; ++i) many += "250-x\r\n";
  for (size_t piece : {1, 7, 100000}) {
    EXPECT_EQ(Read(endless, piece), "error: a reply line is too long");
    EXPECT_EQ(Read(many, piece), "error: a reply has too many lines");
  }
}

TEST(ReplyTest, LinesCanBeReadOneByOne) {
  ReplyParser parser;
  std::string_view input = "250-host\r\n250-SIZE 10\r\n250 8BITMIME\r\n";
  ASSERT_EQ(parser.Consume(&input), ReplyParser::Result::kLine);
  EXPECT_EQ(parser.line(), "host");
  parser.DropLine();
  ASSERT_EQ(parser.Consume(&input), ReplyParser::Result::kLine);
  EXPECT_EQ(parser.line(), "SIZE 10");
  parser.DropLine();
  ASSERT_EQ(parser.Consume(&input), ReplyParser::Result::kReply);
  EXPECT_EQ(parser.line(), "8BITMIME");
  EXPECT_EQ(parser.reply().text, "8BITMIME");
}

TEST(ReplyTest, FormattingCannotBeBrokenByWhatItQuotes) {
  char memory[kFormattedReplyMax];
  OutputBuffer out{memory};
  FormatReply({550, {5, 1, 1}, "no such user \"x\r\n250 ok\xc3\""}, &out);
  EXPECT_EQ(out.written(), "550 5.1.1 no such user \"x??250 ok?\"\r\n");
  out.Clear();
  FormatReply({354, {}, "go"}, &out);
  EXPECT_EQ(out.written(), "354 go\r\n");
  out.Clear();
  FormatReply({250, {2, 999, 999}, std::string(2000, 'x')}, &out);
  EXPECT_LE(out.written().size(), kFormattedReplyMax);
  EXPECT_TRUE(out.written().ends_with("x\r\n"));
}

TEST(ReplyTest, EnhancedCodes) {
  EnhancedCode code;
  EXPECT_EQ(ParseEnhancedCode("5.1.1 x", &code), 5u);
  EXPECT_EQ(code, (EnhancedCode{5, 1, 1}));
  EXPECT_EQ(ParseEnhancedCode("4.123.456", &code), 9u);
  for (const char* text : {"", "5.1", "5.1.", "3.1.1", "5..1", "5.1.1x", "5.1.1.1", "5.1234.1"}) {
    EXPECT_EQ(ParseEnhancedCode(text, &code), 0u) << text;
    EXPECT_TRUE(code.empty());
  }
}

}  // namespace
}  // namespace outbox::smtp
