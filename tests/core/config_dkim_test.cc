// [[dkim]]: what it means, and what is wrong with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/config_dkim.h"

namespace outbox::core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// In a file of its own lines: the first [[dkim]] is line 6.
ConfigResult ReadDkimConfig(const std::string& dkim) {
  return ParseConfig(
      "hostname = \"relay.example.com\"\n[[listener]]\naddress = \"127.0.0.1:2525\"\n"
      "relay_from = \"127.0.0.0/8\"\n\n[[dkim]]\n" +
          dkim,
      "f");
}

constexpr char kFineDkim[] =
    "domain = \"example.com\"\nselector = \"s1\"\nkey = \"/etc/outbox/dkim/s1.pem\"\n";

TEST(DkimConfigTest, TheLeast) {
  const ConfigResult result = ReadDkimConfig(kFineDkim);
  ASSERT_THAT(result.errors, ElementsAre());
  ASSERT_EQ(result.config.dkim.size(), 1u);
  const DkimConfig& dkim = result.config.dkim[0];
  EXPECT_THAT(dkim.domains, ElementsAre("example.com"));
  EXPECT_EQ(dkim.selector, "s1");
  EXPECT_EQ(dkim.key_file, "/etc/outbox/dkim/s1.pem");
  EXPECT_EQ(dkim.line, 9u);
  EXPECT_TRUE(dkim.relaxed_header && dkim.relaxed_body);
  EXPECT_EQ(dkim.expire_ns, 0);
  EXPECT_EQ(dkim.headers[0], "from");
  EXPECT_THAT(dkim.headers, Contains("list-unsubscribe-post"));
  EXPECT_THAT(dkim.headers, Not(Contains("received")));
  EXPECT_THAT(dkim.oversign,
              ElementsAre("from", "to", "cc", "subject", "date", "message-id", "reply-to"));
}

TEST(DkimConfigTest, Everything) {
  const ConfigResult result = ReadDkimConfig(R"(domain = ["Example.com", "*.Example.com"]
selector = "S2026.mail"
key = "k.pem"
signing_domain = "Example.COM"
identity = "News@news.Example.com"
canonicalization = "simple/relaxed"
headers = ["From", "Subject", "subject"]
oversign = ["From", "X-Ours"]
expire = "7d"
[[dkim]]
domain = "*"
selector = "p1"
key = "p.pem"
headers = ["Subject", "From"]
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const DkimConfig& dkim = result.config.dkim[0];
  EXPECT_THAT(dkim.domains, ElementsAre("example.com", "*.example.com"));
  EXPECT_EQ(dkim.selector, "s2026.mail");
  EXPECT_EQ(dkim.signing_domain, "example.com");
  EXPECT_EQ(dkim.identity, "News@news.example.com");
  EXPECT_FALSE(dkim.relaxed_header);
  EXPECT_TRUE(dkim.relaxed_body);
  EXPECT_THAT(dkim.headers, ElementsAre("from", "subject", "x-ours"));
  EXPECT_THAT(dkim.oversign, ElementsAre("from", "x-ours"));
  EXPECT_EQ(dkim.expire_ns, 7 * kNsPerDay);
  // Nobody may add what is signed anyway, of the usual ones.
  EXPECT_THAT(result.config.dkim[1].oversign, ElementsAre("from", "subject"));
}

TEST(DkimConfigTest, TheDomainOfASignature) {
  DkimConfig dkim;
  EXPECT_EQ(SigningDomainOf(dkim, "example.com"), "example.com");
  EXPECT_EQ(SigningDomainOf(dkim, "*.example.com"), "example.com");
  EXPECT_EQ(SigningDomainOf(dkim, "*"), "");
  dkim.signing_domain = "provider.example";
  EXPECT_EQ(SigningDomainOf(dkim, "example.com"), "provider.example");
  EXPECT_EQ(SigningDomainOf(dkim, "*"), "provider.example");
  EXPECT_TRUE(IsSameOrBelow("example.com", "example.com"));
  EXPECT_TRUE(IsSameOrBelow("a.example.com", "example.com"));
  EXPECT_FALSE(IsSameOrBelow("badexample.com", "example.com"));
}

TEST(DkimConfigTest, WhatIsWrong) {
  struct Case {
    std::string line;  // behind three that are fine: line 10
    std::string error;
  };
  const std::vector<Case> cases = {
      {"canonicalization = \"relaxed\"", "f:10:20: \"relaxed\" is not a canonicalization"},
      {"headers = [\"Subject\"]", "f:10:11: \"headers\" leaves out \"From\""},
      {"headers = [\"From\", \"Received\"]", "f:10:20: \"Received\" cannot be signed"},
      {"oversign = \"a b\"", "f:10:12: \"a b\" is not the name of a header field"},
      {"oversign = \"a;b\"", "f:10:12: \"a;b\" is not the name of a header field"},
      {"headers = []", "f:10:11: "},
      {"expire = \"10m\"", "f:10:10: "},
      {"signing_domain = \"com\"", "f:10:18: \"com\" is not a domain that can sign"},
      {"identity = \"example.com\"", "f:10:12: \"example.com\" is not an identity"},
      {"identity = \"a b@example.com\"", "f:10:12: \"a b@example.com\" is not an identity"},
      {"identity = \"@example.net\"",
       "f:10:12: \"@example.net\" is not within what signs for \"example.com\""},
      {"algorithm = \"rsa\"", "f:10:1: "},
      {"[[dkim]]\ndomain = \"example.com\"\nselector = \"S1\"\nkey = \"x\"",
       "f:11:10: \"example.com\" has the selector \"s1\" in line 7, too"},
  };
  for (const Case& c : cases) {
    const std::vector<std::string> errors = ReadDkimConfig(kFineDkim + c.line + "\n").errors;
    ASSERT_EQ(errors.size(), 1u) << c.line;
    EXPECT_THAT(errors[0], testing::StartsWith(c.error));
    EXPECT_THAT(errors[0], HasSubstr("; expected "));
  }
  EXPECT_THAT(ReadDkimConfig("").errors,
              ElementsAre(HasSubstr("\"selector\""), HasSubstr("\"domain\""),
                          HasSubstr("\"key\"")));
  const std::string odd =
      "domain = [\"com\", \"*.com\", \"**\"]\nselector = \"a b\"\nkey = \"\"";
  EXPECT_THAT(ReadDkimConfig(odd).errors,
              ElementsAre(HasSubstr("f:7:11: \"com\" is not a domain of authors"),
                          HasSubstr("f:7:18: \"*.com\" is not a domain of authors"),
                          HasSubstr("f:7:27: \"**\" is not a domain of authors"),
                          HasSubstr("f:8:12: \"a b\" is not a selector"),
                          HasSubstr("f:9:7: \"\" is not a path")));
}

}  // namespace
}  // namespace outbox::core
