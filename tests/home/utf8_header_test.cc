// Whether a header section has octets above 127, however its bytes come.
#include "queue/utf8_header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::queue {
namespace {

bool FoundUtf8(std::string_view text, size_t piece, bool declared = true) {
  Utf8Header header;
  header.Start(declared);
  for (size_t at = 0; at < text.size(); at += piece) header.Append(text.substr(at, piece));
  return header.found();
}

struct HeaderSectionCase {
  std::string text;
  bool found;
};

TEST(Utf8HeaderTest, EndsWhereTheHeaderDoes) {
  const std::vector<HeaderSectionCase> cases = {
      {"", false},
      {"Subject: x\r\n\r\nbody\r\n.\r\n", false},
      {"Subject: ü\r\n\r\nbody\r\n.\r\n", true},
      {"A: x\r\nSubject: y\r\n ü\r\n\r\nbody\r\n.\r\n", true},
      {"Subject: x\r\n\r\nbödy\r\n.\r\n", false},
      {"\r\nbödy\r\n.\r\n", false},
      {"Subject: x\r\n.\r\n", false},
      {"Subject: x\r\n..\r\nü: y\r\n.\r\n", false},
      {"no header at all, ü\r\n.\r\n", true},
      {"Subject: ü\r\n.\r\n", true},
      {"Subject: x\r\n \r\nü: y\r\n\r\n.\r\n", true},
  };
  for (const HeaderSectionCase& c : cases) {
    for (size_t piece = 1; piece <= c.text.size() + 1; ++piece) {
      EXPECT_EQ(FoundUtf8(c.text, piece), c.found) << c.text << " by " << piece;
      EXPECT_FALSE(FoundUtf8(c.text, piece, false));
    }
  }
}

TEST(Utf8HeaderTest, FieldsInFrontCount) {
  Utf8Header header;
  header.Start(true);
  header.Append("Subject: x\r\n\r\nbody");
  header.AppendFields("Received: x\r\n");
  EXPECT_FALSE(header.found());
  header.AppendFields("Received: for <ü@x.y>\r\n");
  EXPECT_TRUE(header.found());
  header.Start(false);
  header.AppendFields("Received: for <ü@x.y>\r\n");
  EXPECT_FALSE(header.found() || header.declared());
}

}  // namespace
}  // namespace outbox::queue
