// Paths of RFC 5321: what is one, what is none, and at which column it stops being one.
#include "smtp/address.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::smtp {
namespace {

std::string Local(size_t size) { return std::string(size, 'l'); }

// A domain of `size` octets in labels of up to 63.
std::string Domain(size_t size) {
  std::string domain;
  while (domain.size() < size) {
    const size_t left = size - domain.size();
    // Never leave one octet over: a label needs a dot and a letter.
    const size_t label = left > 64 ? (left == 65 ? 62 : 63) : left;
    domain += std::string(label, 'd');
    if (domain.size() < size) domain += '.';
  }
  return domain;
}

std::string Repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct Good {
  std::string text;
  std::string mailbox;
  std::string local;
  std::string domain;
};

TEST(AddressTest, ReversePathsOfRfc5321) {
  const std::vector<Good> cases = {
      {"<>", "", "", ""},
      {"<alice@example.com>", "alice@example.com", "alice", "example.com"},
      {"<Alice.B@Example.COM>", "Alice.B@Example.COM", "Alice.B", "Example.COM"},
      {"<a+tag@sub.example.org>", "a+tag@sub.example.org", "a+tag", "sub.example.org"},
      {"<!#$%&'*+-/=?^_`{|}~@x.y>", "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~", "x.y"},
      {"<\"john doe\"@example.com>", "\"john doe\"@example.com", "\"john doe\"", "example.com"},
      {"<\"a\\\"b@c>\"@example.com>", "\"a\\\"b@c>\"@example.com", "\"a\\\"b@c>\"", "example.com"},
      {"<\"\"@example.com>", "\"\"@example.com", "\"\"", "example.com"},
      {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]"},
      {"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"},
      {"<a@localhost>", "a@localhost", "a", "localhost"},
      {"<a@_dmarc.x_y.com>", "a@_dmarc.x_y.com", "a", "_dmarc.x_y.com"},
      {"<@one.example:a@b.example>", "a@b.example", "a", "b.example"},
      {"<@one.example,@[192.0.2.9]:a@b.example>", "a@b.example", "a", "b.example"},
      {"<" + Local(64) + "@x.y>", Local(64) + "@x.y", Local(64), "x.y"},
      {"<a@" + Domain(252) + ">", "a@" + Domain(252), "a", Domain(252)},
  };
  for (const Good& c : cases) {
    const std::string text = c.text + " SIZE=1";
    const ParsedPath parsed = ParseReversePath(text);
    ASSERT_TRUE(parsed.error.ok()) << c.text << ": " << parsed.error.what;
    EXPECT_EQ(parsed.path.mailbox, c.mailbox) << c.text;
    EXPECT_EQ(parsed.path.local, c.local) << c.text;
    EXPECT_EQ(parsed.path.domain, c.domain) << c.text;
    EXPECT_EQ(parsed.length, c.text.size()) << c.text;
    EXPECT_EQ(parsed.path.is_null(), c.mailbox.empty()) << c.text;
    EXPECT_FALSE(parsed.path.is_bare_postmaster()) << c.text;
  }
}

struct International {
  std::string text;
  std::string local;
  std::string domain;
  uint16_t utf8_column;
};

TEST(AddressTest, PathsOfRfc6531) {
  const std::vector<International> cases = {
      {"<a@b.c>", "a", "b.c", 0},
      {"<>", "", "", 0},
      {"<j\xc3\xb6rg@b.c>", "j\xc3\xb6rg", "b.c", 3},
      {"<a@b\xc3\xbc.de>", "a", "b\xc3\xbc.de", 5},
      {"<\"\xc3\xa4 b\"@b.de>", "\"\xc3\xa4 b\"", "b.de", 3},
      {"<\"\\\xc3\xa4\"@b.de>", "\"\\\xc3\xa4\"", "b.de", 4},
      {"<\xf0\x9f\x98\x80@B\xc3\x9c.DE>", "\xf0\x9f\x98\x80", "B\xc3\x9c.DE", 2},
      {"<\xc3\xa4.\xc3\xb6@x.y>", "\xc3\xa4.\xc3\xb6", "x.y", 2},
      {"<a@xn--bcher-kva.\xc3\xbc.de>", "a", "xn--bcher-kva.\xc3\xbc.de", 18},
      {"<@\xc3\xbc.de:a@b.c>", "a", "b.c", 3},
      {"<" + Repeated("\xc3\xb6", 32) + "@x.y>", Repeated("\xc3\xb6", 32), "x.y", 2},
  };
  for (const International& c : cases) {
    const std::string text = c.text + " SMTPUTF8";
    const ParsedPath parsed = ParseReversePath(text);
    ASSERT_TRUE(parsed.error.ok()) << c.text << ": " << parsed.error.what;
    EXPECT_EQ(parsed.path.local, c.local) << c.text;
    EXPECT_EQ(parsed.path.domain, c.domain) << c.text;
    EXPECT_EQ(parsed.length, c.text.size()) << c.text;
    EXPECT_EQ(parsed.utf8_column, c.utf8_column) << c.text;
  }
  EXPECT_EQ(ParseMailbox("j\xc3\xb6rg@b.c").utf8_column, 2);
}

// In ASCII it would not fit a command any more.
TEST(AddressTest, APathIsWithinItsBoundsInBothForms) {
  const std::string domain = Repeated("\xc3\xbc.", 24) + "de";  // "xn--tda." each
  const std::string longer = "<" + Local(60) + "@" + domain + ">";
  EXPECT_EQ(ParseForwardPath(longer).error.kind, AddressErrorKind::kTooLong);
  const std::string fits = "<" + Local(59) + "@" + domain + ">";
  EXPECT_TRUE(ParseForwardPath(fits).error.ok());
}

TEST(AddressTest, OnlyARecipientMayBeTheBarePostmaster) {
  for (const char* text : {"<Postmaster>", "<postmaster>", "<POSTMASTER>"}) {
    const ParsedPath parsed = ParseForwardPath(text);
    ASSERT_TRUE(parsed.error.ok()) << text;
    EXPECT_TRUE(parsed.path.is_bare_postmaster());
    EXPECT_FALSE(ParseReversePath(text).error.ok());
  }
  EXPECT_FALSE(ParseForwardPath("<abuse>").error.ok());
}

TEST(AddressTest, ARecipientIsNeverNull) {
  const ParsedPath parsed = ParseForwardPath("<>");
  EXPECT_EQ(parsed.error.kind, AddressErrorKind::kNullPath);
}

struct Bad {
  std::string text;
  uint16_t column;
  AddressErrorKind kind;
};

TEST(AddressTest, WhatIsNoAddressIsRefusedAtItsColumn) {
  constexpr AddressErrorKind kSyntax = AddressErrorKind::kSyntax;
  constexpr AddressErrorKind kTooLong = AddressErrorKind::kTooLong;
  const std::vector<Bad> cases = {
      {"", 1, kSyntax},
      {"a@b.c", 1, kSyntax},
      {"<", 2, kSyntax},
      {"<a", 3, kSyntax},
      {"<a>", 3, kSyntax},
      {"<a@", 4, kSyntax},
      {"<a@>", 4, kSyntax},
      {"<a@b", 5, kSyntax},
      {"<@b.c>", 6, kSyntax},
      {"<@b.c:>", 7, kSyntax},
      {"<@b.c,d@e.f>", 7, kSyntax},
      {"<.a@b.c>", 2, kSyntax},
      {"<a.@b.c>", 4, kSyntax},
      {"<a..b@b.c>", 4, kSyntax},
      {"<a b@b.c>", 3, kSyntax},
      {"<a@b..c>", 6, kSyntax},
      {"<a@.b>", 4, kSyntax},
      {"<a@b.>", 6, kSyntax},
      {"<a@-b.c>", 4, kSyntax},
      {"<a@b-.c>", 5, kSyntax},
      {"<a@b c>", 5, kSyntax},
      {"<a@b@c>", 5, kSyntax},
      {"<\"a@b.c>", 9, kSyntax},
      {"<\"a\"b@c.d>", 5, kSyntax},
      {"<\"a\tb\"@c.d>", 4, kSyntax},
      {"<a@[192.0.2]>", 5, kSyntax},
      {"<a@[300.0.2.1]>", 5, kSyntax},
      {"<a@[IPv6:zz]>", 5, kSyntax},
      {"<a@[x400:c=us]>", 5, kSyntax},
      {"<a@[192.0.2.1>", 15, kSyntax},
      {"<\xff@b.c>", 2, kSyntax},
      {"<a\xc3@b.c>", 3, kSyntax},
      {"<a\xc0\xaf@b.c>", 3, kSyntax},
      {"<\xed\xa0\x80@b.c>", 2, kSyntax},
      {"<ab\xf4\x90\x80\x80@b.c>", 4, kSyntax},
      {"<\xc2\x85@b.c>", 2, kSyntax},
      {"<\"\xff\"@b.c>", 3, kSyntax},
      {"<\xc3\xa4.@b.c>", 5, kSyntax},
      {"<a@b\xff.de>", 5, kSyntax},
      {"<a@b.\xe2\x98\x83>", 6, kSyntax},
      {"<a@\xc3\xbc..de>", 7, kSyntax},
      {"<a@\xc3\xbc-.de>", 6, kSyntax},
      {"<a@x.-\xc3\xbc.de>", 6, kSyntax},
      {"<a@b.\xd7\x90"
       "bc.de>",
       6, kSyntax},
      {"<a@[\xc3\xbc]>", 5, kSyntax},
      {"<a@\xc3\xbc b.de>", 6, kSyntax},
      {"<" + Repeated("\xc3\xb6", 33) + "@x.y>", 66, kTooLong},
      {"<a@" + Repeated("\xc3\xbc.", 70) + "de>", 4, kSyntax},
      {"<" + Local(65) + "@x.y>", 66, kTooLong},
      {"<a@" + std::string(64, 'd') + ".com>", 67, kTooLong},
      {"<a@" + Domain(256) + ">", 259, kTooLong},
      {"<ab@" + Domain(252) + ">", 256, kTooLong},
  };
  for (const Bad& c : cases) {
    const ParsedPath parsed = ParseForwardPath(c.text);
    EXPECT_EQ(parsed.error.kind, c.kind) << c.text << ": " << parsed.error.what;
    EXPECT_EQ(parsed.error.column, c.column) << c.text << ": " << parsed.error.what;
    EXPECT_EQ(parsed.length, 0u) << c.text;
  }
}

TEST(AddressTest, AMailboxOfTheConfigurationIsTheWholeText) {
  EXPECT_TRUE(ParseMailbox("ops@example.com").error.ok());
  EXPECT_EQ(ParseMailbox("ops@example.com ").error.column, 16);
  EXPECT_EQ(ParseMailbox("ops").error.column, 4);
  EXPECT_FALSE(ParseMailbox("").error.ok());
  EXPECT_FALSE(ParseMailbox("<ops@example.com>").error.ok());
}

TEST(AddressTest, LowerCaseTouchesLettersOnly) {
  char into[16];
  EXPECT_EQ(LowerCaseInto("EXAMPLE-1.Com[", into), "example-1.com[");
  EXPECT_TRUE(EqualsIgnoringCase("Example.COM", "eXAMPLE.com"));
  EXPECT_FALSE(EqualsIgnoringCase("[", "{"));
  EXPECT_FALSE(EqualsIgnoringCase("a", "ab"));
}

}  // namespace
}  // namespace outbox::smtp
