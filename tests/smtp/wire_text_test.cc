// Wire form as the text that it stands for, in one piece and cut anywhere.
#include "smtp/wire_text.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::smtp {
namespace {

struct WireTextCase {
  std::string wire;
  std::string text;
};

TEST(WireTextTest, DotsAndLineEnds) {
  const WireTextCase cases[] = {
      {".\r\n", ""},
      {"hello\r\n.\r\n", "hello\n"},
      {"..\r\n.\r\n", ".\n"},
      {"..two\r\n...three\r\na.b\r\n.\r\n", ".two\n..three\na.b\n"},
      {"\r\n\r\n.\r\n", "\n\n"},
      {"a\rb\r\r\n.\r\n", "a\rb\r\n"},        // never taken from a client
      {"a\r\n.\r\nbehind\r\n", "a\n"},        // likewise
      {std::string("nul\0l\r\n.\r\n", 10), std::string("nul\0l\n", 6)},
  };
  for (const WireTextCase& c : cases) {
    std::string whole;
    WireText text;
    text.Append(c.wire, &whole);
    EXPECT_EQ(whole, c.text);
    EXPECT_TRUE(text.complete()) << c.text;
    for (size_t cut = 0; cut <= c.wire.size(); ++cut) {
      std::string pieces;
      text.Reset();
      text.Append(c.wire.substr(0, cut), &pieces);
      text.Append(c.wire.substr(cut), &pieces);
      EXPECT_EQ(pieces, c.text) << cut;
    }
  }
}

}  // namespace
}  // namespace outbox::smtp
