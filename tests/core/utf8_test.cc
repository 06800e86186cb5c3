// UTF-8 as RFC 3629 has it: what is a sequence, and what only looks like one.
#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {
namespace {

using std::string_view_literals::operator""sv;

struct Utf8Sequence {
  std::string_view text;
  size_t octets;
  char32_t character;
};

TEST(Utf8Test, EachLengthAtItsEnds) {
  const std::vector<Utf8Sequence> cases = {
      {"\0"sv, 1, 0},
      {"\x7f", 1, 0x7f},
      {"\xc2\x80", 2, 0x80},
      {"\xdf\xbf", 2, 0x7ff},
      {"\xe0\xa0\x80", 3, 0x800},
      {"\xed\x9f\xbf", 3, 0xd7ff},
      {"\xee\x80\x80", 3, 0xe000},
      {"\xef\xbf\xbf", 3, 0xffff},
      {"\xf0\x90\x80\x80", 4, 0x10000},
      {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
      {"\xc3\xb6rg", 2, 0xf6},
  };
  for (const Utf8Sequence& c : cases) {
    EXPECT_EQ(Utf8Octets(c.text), c.octets) << c.text;
    EXPECT_EQ(Utf8Character(c.text.substr(0, c.octets)), c.character) << c.text;
    EXPECT_TRUE(IsUtf8(c.text)) << c.text;
  }
}

TEST(Utf8Test, WhatIsNone) {
  for (const std::string_view text : {
           "\x80"sv,              // a continuation alone
           "\xc3"sv,              // cut
           "\xc3("sv,             // not continued
           "\xc0\xaf"sv,          // overlong "/"
           "\xc1\xbf"sv,          // overlong
           "\xe0\x80\xaf"sv,      // overlong
           "\xe0\x9f\xbf"sv,      // overlong
           "\xf0\x80\x80\xaf"sv,  // overlong
           "\xf0\x8f\xbf\xbf"sv,  // overlong
           "\xed\xa0\x80"sv,      // a surrogate
           "\xed\xbf\xbf"sv,      // a surrogate
           "\xf4\x90\x80\x80"sv,  // above U+10FFFF
           "\xf5\x80\x80\x80"sv,
           "\xff"sv,
           "\xe2\x82"sv,
           "\xf0\x9f\x98"sv,
       }) {
    EXPECT_EQ(Utf8Octets(text), 0u) << text;
    EXPECT_EQ(Utf8Prefix(std::string("ab\xc3\xa4").append(text)), 4u) << text;
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(Utf8Test, Controls) {
  for (const char32_t c : {0x80u, 0x85u, 0x9fu, 0x2028u, 0x2029u}) EXPECT_TRUE(IsUtf8Control(c));
  for (const char32_t c : {0xa0u, 0xf6u, 0x2027u, 0x202au}) EXPECT_FALSE(IsUtf8Control(c));
}

}  // namespace
}  // namespace outbox::core
