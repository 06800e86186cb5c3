// The header fields that a relay adds, for any client.
#include "queue/added_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"

namespace outbox::queue {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AddedHeadersTest : public ::testing::Test {
 protected:
  AddedHeadersTest() {
    facts_.hostname = "relay.example";
    facts_.helo = "client.example";
    facts_.client = core::IpAddress::V4(192, 0, 2, 1);
    facts_.extended = true;
    facts_.id = "0123456789ABC";
    facts_.now_wall_ns = 1'700'000'000 * core::kNsPerSecond;
  }
  std::string Made() const {
    std::string out;
    AppendAddedHeaders(facts_, &out);
    return out;
  }
  // RFC 5322 2.1.1 and 2.2: whole lines of printable ASCII, each a field's start or folded.
  static void ExpectHeaderLines(const std::string& out) {
    size_t start = 0;
    while (start < out.size()) {
      const size_t end = out.find("\r\n", start);
      ASSERT_NE(end, std::string::npos);
      const std::string line = out.substr(start, end - start);
      EXPECT_LE(line.size(), 998u);
      EXPECT_FALSE(line.empty()) << "ends the header section";
      EXPECT_NE(line[0], '.') << "would have to be stuffed";
      for (const char c : line) EXPECT_TRUE(c == '\t' || (c >= ' ' && c < 0x7f));
      EXPECT_TRUE(line[0] == '\t' || line.starts_with("Received: ") || line.starts_with("Date: ") ||
                  line.starts_with("Message-ID: "))
          << line;
      start = end + 2;
    }
  }

  AddedHeaderFacts facts_;
};

// RFC 6531 4.3.
TEST_F(AddedHeadersTest, ReceivedWithSmtpUtf8) {
  facts_.utf8 = true;
  facts_.recipient =
      "One@b\xc3\xbc"
      "cher.example";
  EXPECT_THAT(Made(), HasSubstr(" with UTF8SMTP id 0123456789ABC\r\n"
                                "\tfor <One@xn--bcher-kva.example>;\r\n"));
  facts_.tls_cipher = "X";
  facts_.recipient =
      "j\xc3\xb6rg@b\xc3\xbc"
      "cher.example";
  EXPECT_THAT(Made(), HasSubstr(" with UTF8SMTPS id 0123456789ABC\r\n"
                                "\tfor <j\xc3\xb6rg@b\xc3\xbc"
                                "cher.example>\r\n"));
}

TEST_F(AddedHeadersTest, ReceivedOverTls) {
  facts_.tls_cipher = "TLS_AES_128_GCM_SHA256";
  facts_.recipient = "one@example.net";
  EXPECT_EQ(Made(),
            "Received: from client.example ([192.0.2.1])\r\n"
            "\tby relay.example (Outbox) with ESMTPS id 0123456789ABC\r\n"
            "\tfor <one@example.net>\r\n"
            "\ttls TLS_AES_128_GCM_SHA256;\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
  ExpectHeaderLines(Made());
  facts_.extended = false;  // RFC 3848 has no word for HELO over TLS
  EXPECT_THAT(Made(), HasSubstr("with SMTP id"));
}

TEST_F(AddedHeadersTest, Received) {
  EXPECT_EQ(Made(),
            "Received: from client.example ([192.0.2.1])\r\n"
            "\tby relay.example (Outbox) with ESMTP id 0123456789ABC;\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
  facts_.extended = false;
  facts_.recipient = "u@example.net";
  EXPECT_EQ(Made(),
            "Received: from client.example ([192.0.2.1])\r\n"
            "\tby relay.example (Outbox) with SMTP id 0123456789ABC\r\n"
            "\tfor <u@example.net>;\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
}

TEST_F(AddedHeadersTest, ReceivedFromAUserOfThisMachine) {
  facts_.client = core::IpAddress::LocalUser(33);
  EXPECT_THAT(Made(), StartsWith("Received: from client.example (uid:33)\r\n\tby relay.example"));
}

TEST_F(AddedHeadersTest, DateAndMessageIdOnlyWhenWanted) {
  EXPECT_THAT(Made(), Not(HasSubstr("\r\nDate: ")));
  EXPECT_THAT(Made(), Not(HasSubstr("\r\nMessage-ID: ")));
  facts_.add_date = true;
  EXPECT_THAT(Made(), HasSubstr("\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
  EXPECT_THAT(Made(), Not(HasSubstr("\r\nMessage-ID: ")));
  facts_.add_message_id = true;
  EXPECT_THAT(Made(), HasSubstr("\r\nMessage-ID: <0123456789ABC@relay.example>\r\n"));
}

TEST_F(AddedHeadersTest, Literals) {
  facts_.client = core::IpAddress::Parse("2001:db8::1").value();
  facts_.helo = "[IPv6:2001:db8::1]";
  facts_.hostname = "[192.0.2.9]";
  EXPECT_THAT(Made(), StartsWith("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
                                 "\tby [192.0.2.9] (Outbox)"));
}

TEST_F(AddedHeadersTest, HostileNames) {
  const struct {
    std::string helo;
    std::string from;
  } kTable[] = {
      {"", "from unknown ([192.0.2.1])"},
      {"a(b)c", "from a?b?c ([192.0.2.1])"},
      {"x\r\nBcc: y", "from x??Bcc:?y ([192.0.2.1])"},
      {"a;b<c>@\"d\\", "from a?b?c???d? ([192.0.2.1])"},
      {std::string("a\0b", 3), "from a?b ("},
      {"m\xc3\xbcller", "from m??ller ("},
  };
  for (const auto& row : kTable) {
    facts_.helo = row.helo;
    EXPECT_THAT(Made(), HasSubstr(row.from));
    ExpectHeaderLines(Made());
  }
}

TEST_F(AddedHeadersTest, AnythingMakesLegalLines) {
  core::Random random(5);
  const std::string recipient = std::string(64, 'l') + "@" + std::string(255, 'd');
  const std::string hostname(255, 'h');
  facts_.hostname = hostname;
  facts_.recipient = recipient;
  facts_.add_date = true;
  facts_.add_message_id = true;
  for (int i = 0; i < 500; ++i) {
    std::string helo(random.Below(2000), ' ');
    for (char& c : helo) c = static_cast<char>(random.Below(256));
    facts_.helo = helo;
    ExpectHeaderLines(Made());
  }
}

}  // namespace
}  // namespace outbox::queue
