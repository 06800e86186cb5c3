// Whose mail it is, as people and programs write From.
#include "dkim/author.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::dkim {
namespace {

struct Value {
  std::string text;
  std::string domain;
};

TEST(AuthorTest, Mailboxes) {
  const std::vector<Value> values = {
      {" alice@example.com", "example.com"},
      {" Alice <alice@Example.COM>", "example.com"},
      {" \"Alice, of example.net\" <alice@example.com>", "example.com"},
      {" \"bob@example.net\" <alice@example.com>", "example.com"},
      {" bob@example.net <alice@example.com>", "example.com"},
      {" \"a \\\" <x@example.net>\" <alice@example.com>", "example.com"},
      {" alice@example.com (bob@example.net)", "example.com"},
      {" (x (y) \\) z@example.net) alice@example.com", "example.com"},
      {" \"a@b\"@example.com", "example.com"},
      {"\r\n Alice\r\n\t<alice@\r\n example.com>", "example.com"},
      {" alice @ example . com", "example.com"},
      {" =?utf-8?q?=41?= <alice@example.com>", "example.com"},
      {" <@a.example,@b.example:alice@example.com>", "example.com"},
      // Several authors: the first one.
      {" alice@example.com, bob@example.net", "example.com"},
      {" Alice <alice@example.com>, <bob@example.net>", "example.com"},
      {" Us: alice@example.com, bob@example.net;", "example.com"},
      // RFC 8616: by its A-labels.
      {" Alice <\xc3\xa4lice@gr\xc3\xbcn.example>", "xn--grn-ioa.example"},
      // Nobody that could be asked about.
      {"", ""},
      {" alice", ""},
      {" undisclosed:;", ""},
      {" alice@", ""},
      {" alice@[192.0.2.1]", ""},
      {" alice@\xe2\x98\x83.example", ""},
      {" \"alice@example.com", ""},
      {" (alice@example.com", ""},
      {" <alice@example.com", "example.com"},
  };
  for (const Value& value : values) {
    std::string domain = "left over";
    FindMailboxDomain(value.text, &domain);
    EXPECT_EQ(domain, value.domain) << value.text;
  }
}

TEST(AuthorTest, Fields) {
  std::string domain;
  EXPECT_EQ(
      FindAuthor("To: x@example.net\r\nFROM : a@example.com\r\nFrom-X: b@c.example\r\n", &domain),
      AuthorKind::kOne);
  EXPECT_EQ(domain, "example.com");
  EXPECT_EQ(FindAuthor("From:\r\n A\r\n\t<a@example.com>\r\nTo: x@example.net\r\n", &domain),
            AuthorKind::kOne);
  EXPECT_EQ(domain, "example.com");
  EXPECT_EQ(FindAuthor("To: x@example.net\r\n From: a@example.com\r\n", &domain),
            AuthorKind::kNone);
  EXPECT_EQ(domain, "");
  EXPECT_EQ(FindAuthor("", &domain), AuthorKind::kNone);
  // Receivers take the first dot off.
  EXPECT_EQ(FindAuthor(".From: a@example.com\r\nTo: b\r\n", &domain), AuthorKind::kOne);
  EXPECT_EQ(FindAuthor("From: a@example.com\r\n.From: b@example.net\r\n", &domain),
            AuthorKind::kSeveral);
  EXPECT_EQ(FindAuthor("From: a@example.com\r\nfrom: b@example.com\r\n", &domain),
            AuthorKind::kSeveral);
  EXPECT_EQ(domain, "");
}

TEST(AuthorTest, Addresses) {
  std::string domain;
  FindDomain("bounce+a=b@News.Example.com", &domain);
  EXPECT_EQ(domain, "news.example.com");
  for (const char* const none : {"", "postmaster", "a@[192.0.2.1]", "a@"}) {
    FindDomain(none, &domain);
    EXPECT_EQ(domain, "") << none;
  }
}

}  // namespace
}  // namespace outbox::dkim
