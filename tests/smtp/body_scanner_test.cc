// The body scanner: where a message ends (and where it does not, however it is dressed up), and
// what is known of it; against a naive reading.
#include "smtp/body_scanner.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "core/random.h"
#include "tests/smtp/naive_body.h"

namespace outbox::smtp {

void PrintTo(const BodySummary& s, std::ostream* out) {
  *out << "wire " << s.wire_bytes << " stuffed " << s.stuffed_dots << " header " << s.header_bytes
       << " longest " << s.longest_line << " received " << s.received_headers << " complete "
       << s.complete << " date " << s.has_date << " id " << s.has_message_id << " 8bit "
       << s.has_8bit << " nul " << s.has_nul << " cr " << s.has_bare_cr << " lf " << s.has_bare_lf;
}

namespace {

// Scans in pieces of `piece` octets; `used` is set to the octets that belonged to the message.
BodySummary Scan(std::string_view wire, size_t piece, size_t* used = nullptr) {
  BodyScanner scanner;
  size_t total = 0;
  while (total < wire.size() && !scanner.complete()) {
    total += scanner.Consume(wire.substr(total, piece));
  }
  if (used != nullptr) *used = total;
  return scanner.summary();
}

TEST(BodyScannerTest, AMessageEndsAtTheDotOnALineOfItsOwn) {
  size_t used = 0;
  const BodySummary summary = Scan("Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n", 1000, &used);
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(used, 24u);
  EXPECT_EQ(summary.wire_bytes, 24u);
  EXPECT_EQ(summary.message_size(), 21u);
  EXPECT_EQ(summary.header_bytes, 12u);
}

TEST(BodyScannerTest, AMessageWithoutContentIsTheDotAlone) {
  const BodySummary summary = Scan(".\r\n", 1);
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.message_size(), 0u);
  EXPECT_EQ(summary.header_bytes, 0u);
}

TEST(BodyScannerTest, StuffedDotsDoNotCount) {
  const BodySummary summary = Scan("\r\n..\r\n...x\r\n.y\r\na.b\r\n.\r\n", 1000);
  EXPECT_EQ(summary.stuffed_dots, 3u);
  EXPECT_EQ(summary.message_size(), 2u + 3 + 5 + 3 + 5);
}

struct Smuggling {
  const char* name;
  std::string end;  // what a sloppy server would take for the end of the message
  bool cr, lf;
};

TEST(BodyScannerTest, SmuggledEndsDoNotEndAMessage) {
  const std::vector<Smuggling> cases = {
      {"LF.LF", "\n.\n", false, true},
      {"LF.CRLF", "\n.\r\n", false, true},
      {"CR.CRLF", "\r.\r\n", true, false},
      {"CRLF.LF", "\r\n.\n", false, true},
      {"CRLF.CR", "\r\n.\r", true, false},
      {"CR.CR", "\r.\r", true, false},
      {"CR.LF", "\r.\n", true, true},
      {"LF.CR", "\n.\r", true, true},
      {"CRLF.CRCRLF", "\r\n.\r\r\n", true, false},
      {"CRCRLF.LF", "\r\r\n.\n", true, true},
      {"LFCR.CRLF", "\n\r.\r\n", true, true},
      {"CRLF.NULCRLF", std::string("\r\n.\0\r\n", 6), false, false},
      {"CRLF.SPCRLF", "\r\n. \r\n", false, false},
  };
  for (const Smuggling& c : cases) {
    const std::string wire =
        "Subject: x\r\n\r\nfirst" + c.end + "MAIL FROM:<evil@example.com>\r\n.\r\n";
    for (size_t piece = 1; piece <= wire.size(); ++piece) {
      size_t used = 0;
      const BodySummary summary = Scan(wire, piece, &used);
      ASSERT_TRUE(summary.complete) << c.name;
      EXPECT_EQ(used, wire.size()) << c.name << " in pieces of " << piece;
      EXPECT_EQ(summary.has_bare_cr, c.cr) << c.name;
      EXPECT_EQ(summary.has_bare_lf, c.lf) << c.name;
    }
  }
}

TEST(BodyScannerTest, TheHeaderSectionIsRead) {
  const std::string wire =
      "Received: from a\r\n by b; Received: no\r\n"
      "RECEIVED : from c\r\n"
      "X-Received: no\r\n"
      "Date: today\r\n"
      "message-id: <x@y>\r\n"
      " Received: folded\r\n"
      "Receivedx: no\r\n"
      "Rec eived: no\r\n"
      "\r\n"
      "Received: in the body\r\n"
      ".\r\n";
  for (size_t piece = 1; piece <= wire.size(); ++piece) {
    const BodySummary summary = Scan(wire, piece);
    EXPECT_EQ(summary.received_headers, 2u);
    EXPECT_TRUE(summary.has_date);
    EXPECT_TRUE(summary.has_message_id);
    EXPECT_EQ(summary.header_bytes, wire.find("\r\n\r\n") + 2);
  }
}

TEST(BodyScannerTest, DateAndMessageIdOfTheBodyAreNotTheMessages) {
  const BodySummary summary = Scan("Subject: x\r\n\r\nDate: y\r\nMessage-ID: z\r\n.\r\n", 1000);
  EXPECT_FALSE(summary.has_date);
  EXPECT_FALSE(summary.has_message_id);
}

// A long line is measured wherever it begins, with a stuffed dot or without, and whatever stands
// around it; one that is not long is not.
TEST(BodyScannerTest, LongLinesAreMeasured) {
  for (const size_t octets : {kLongLine - 1, kLongLine, kLongLine + 1, 5 * kLongLine}) {
    for (size_t before = 0; before < 200; ++before) {
      for (const char* dots : {"", ".."}) {
        std::string wire = "Subject: x\r\n\r\n" + std::string(before, 'a') + "\r\n" + dots;
        wire += std::string(octets - (*dots == '.' ? 1 : 0), 'b') + "\r\n";
        for (int i = 0; i < 40; ++i) wire += "..short\r\n" + std::string(76, 'c') + "\r\n";
        const BodySummary summary = Scan(wire + ".\r\n", wire.size());
        ASSERT_EQ(summary.longest_line, octets >= kLongLine ? octets : 0) << before << dots;
        ASSERT_EQ(summary.stuffed_dots, 40u + (*dots == '.' ? 1 : 0)) << before << dots;
      }
    }
  }
}

TEST(BodyScannerTest, EightBitAndNulBehindTheEndAreNotTheMessages) {
  // The end lies inside of a block, so that the block's tail must not be looked at.
  std::string wire = "\r\n" + std::string(1030, 'x') + "\r\n.\r\n" + std::string(100, '\xff');
  wire += std::string(100, '\0');
  const BodySummary summary = Scan(wire, wire.size());
  EXPECT_FALSE(summary.has_8bit);
  EXPECT_FALSE(summary.has_nul);
  EXPECT_EQ(summary.longest_line, 1030u);
}

// Every place of one special octet in a few blocks of text, in every split that matters.
TEST(BodyScannerTest, EveryPlaceOfEverySpecialOctet) {
  const std::vector<std::string> specials = {"\r",
                                             "\n",
                                             "\r\n",
                                             "\r\n.",
                                             "\r\n..",
                                             "\xe9",
                                             "\r\r\n",
                                             ".",
                                             "\r\n.\r",
                                             "\r\n\r\n",
                                             std::string(1, '\0')};
  for (const std::string& octets : specials) {
    for (size_t at = 0; at < 200; ++at) {
      std::string wire = "\r\n" + std::string(200, 'a') + "\r\n.\r\n";
      wire.insert(2 + at, octets);
      const BodySummary expected = NaiveScan(wire);
      for (size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, wire.size()}) {
        ASSERT_EQ(Scan(wire, piece), expected) << "special at " << at << " pieces " << piece;
      }
    }
  }
}

// Messages of an alphabet that is all trouble, whole, octet by octet, in random pieces and naively.
TEST(BodyScannerTest, RandomMessagesAgreeWithTheNaiveReading) {
  const std::vector<std::string> alphabet = {"\r\n",
                                             "\r\n",
                                             "\r\n.",
                                             "\r",
                                             "\n",
                                             ".",
                                             "a",
                                             "Received:",
                                             "date:",
                                             "Message-ID :",
                                             std::string(80, 'x'),
                                             "\xc3\xa4",
                                             std::string(1, '\0'),
                                             " ",
                                             "\t",
                                             ":"};
  core::Random random(42);
  for (int round = 0; round < 5000; ++round) {
    std::string wire;
    const uint64_t words = random.Below(40);
    const bool clean = random.Chance(1, 2);
    for (uint64_t i = 0; i < words; ++i) {
      const std::string& word = alphabet[random.Below(alphabet.size())];
      if (clean && (word == "\r" || word == "\n")) continue;
      wire += word;
    }
    wire += "\r\n.\r\n";
    const BodySummary expected = NaiveScan(wire);
    ASSERT_EQ(Scan(wire, wire.size()), expected) << round;
    ASSERT_EQ(Scan(wire, 1), expected) << round;
    ASSERT_EQ(Scan(wire, 1 + random.Below(100)), expected) << round;
  }
}

}  // namespace
}  // namespace outbox::smtp
