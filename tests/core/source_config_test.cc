// [[source]], [[sender]] and what names them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/config_sources.h"

namespace outbox::core {
namespace {

const std::string kPlain =
    "hostname = \"relay.example.com\"\n"
    "[[listener]]\n"
    "address = \"127.0.0.1:2525\"\n"
    "relay_from = [\"127.0.0.0/8\"]\n";

Config Read(const std::string& text) {
  const ConfigResult result = ParseConfig(kPlain + text, "f");
  EXPECT_EQ(result.errors, std::vector<std::string>()) << text;
  return result.config;
}

TEST(SourceConfig, EverythingThatCanBeSaid) {
  const Config config = Read(R"(
[delivery]
send_from = "main"
[[source]]
name    = "main"
address = ["192.0.2.7", "2001:db8::7"]
[[source]]
name    = "news-1"
address = "192.0.2.8"
helo    = "news1.example.com"
pool    = ["news", "all"]
weight  = 3
[[source]]
name    = "news-2"
address = "2001:db8::9"
helo    = "[IPv6:2001:db8::9]"
pool    = "news"
[[sender]]
domain    = ["News.Example.com", "*.lists.example.com"]
send_from = "news"
[[sender]]
domain    = "*.example.com"
send_from = ""
[[route]]
match     = "v4.example.net"
via       = "192.0.2.99"
send_from = "news-1"
[[route]]
match     = "any.example.net"
via       = "mx"
send_from = ""
[[route]]
match     = "unsaid.example.net"
via       = "mx"
)");
  ASSERT_EQ(config.sources.size(), 3u);
  EXPECT_EQ(config.sources[0].helo, "relay.example.com");
  EXPECT_EQ(config.sources[0].addresses.size(), 2u);
  EXPECT_EQ(config.sources[0].weight, 1u);
  EXPECT_EQ(config.sources[1].pools, (std::vector<std::string>{"news", "all"}));
  EXPECT_EQ(config.sources[1].weight, 3u);
  EXPECT_EQ(config.sources[2].helo, "[IPv6:2001:db8::9]");
  EXPECT_EQ(config.delivery.send_from, "main");
  ASSERT_EQ(config.senders.size(), 2u);
  EXPECT_EQ(config.senders[0].domains[0], "news.example.com");
  EXPECT_EQ(config.senders[1].send_from, "");
  EXPECT_EQ(config.routes[0].send_from, "news-1");
  EXPECT_EQ(config.routes[1].send_from, "");
  EXPECT_FALSE(config.routes[2].send_from.has_value());
  EXPECT_EQ(SourcesOf(config, "news").size(), 2u);
  EXPECT_EQ(SourcesOf(config, "news-2").size(), 1u);
  EXPECT_TRUE(SourcesOf(config, "nobody").empty());
}

TEST(SourceConfig, Names) {
  for (const char* name : {"a", "news-1", "A.b_c", "1a", "x.example.com"}) {
    EXPECT_TRUE(IsSourceName(name)) << name;
  }
  for (const char* name : {"", "1", "192.0.2.7", "a b", "a@b", "a:b", "a,b", "a#b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsSourceName(name)) << name;
  }
  EXPECT_TRUE(IsSourceName(std::string(63, 'a')));
  EXPECT_FALSE(IsSourceName(std::string(64, 'a')));
}

struct Bad {
  std::string text;  // from line 5 on
  std::string error;
};

TEST(SourceConfig, WhatIsWrong) {
  const std::string a = "[[source]]\nname = \"a\"\naddress = \"192.0.2.7\"\n";  // lines 5 to 7
  const std::vector<Bad> cases = {
      {"[[source]]\naddress = \"192.0.2.7\"\n",
       "f:5:1: [[source]] has no \"name\"; expected what routes and listings call it, for example "
       "\"news-1\""},
      {"[[source]]\nname = \"a\"\n",
       "f:5:1: [[source]] has no \"address\"; expected an address of this machine, or one of each "
       "family, for example [\"192.0.2.7\", \"2001:db8::7\"]"},
      {"[[source]]\nname = \"192.0.2.7\"\naddress = \"192.0.2.7\"\n",
       "f:6:8: \"192.0.2.7\" is no name for a source; expected letters, digits, \"-\", \"_\" and "
       "\".\", with a letter among them, up to 63"},
      {a + a, "f:9:8: \"a\" is the name of the source in line 6, too; expected a name of its own"},
      {"[[source]]\nname = \"a\"\naddress = \"192.0.2.300\"\n",
       "f:7:11: \"192.0.2.300\" is no address to send from; expected one of this machine's, for "
       "example \"192.0.2.7\" or \"2001:db8::7\""},
      {"[[source]]\nname = \"a\"\naddress = \"0.0.0.0\"\n",
       "f:7:11: \"0.0.0.0\" is no address to send from; expected one of this machine's, for "
       "example \"192.0.2.7\" or \"2001:db8::7\""},
      {"[[source]]\nname = \"a\"\naddress = \"ff02::1\"\n",
       "f:7:11: \"ff02::1\" is no address to send from; expected one of this machine's, for "
       "example \"192.0.2.7\" or \"2001:db8::7\""},
      {"[[source]]\nname = \"a\"\naddress = \"::ffff:192.0.2.7\"\n",
       "f:7:11: \"::ffff:192.0.2.7\" is an IPv4 address, written as one of IPv6; expected "
       "\"192.0.2.7\""},
      {"[[source]]\nname = \"a\"\naddress = \"fe80::1\"\n",
       "f:7:11: \"fe80::1\" reaches nobody beyond its own link; expected a global address"},
      {"[[source]]\nname = \"a\"\naddress = [\"192.0.2.7\", \"192.0.2.8\"]\n",
       "f:7:25: \"192.0.2.8\" is the second address of its family; expected at most one of IPv4 "
       "and one of IPv6; others are sources of their own, perhaps in a pool"},
      {a + "helo = \"news\"\n",
       "f:8:8: \"news\" is not a full host name; expected what its address is called in the DNS, "
       "for example \"out1.example.com\""},
      {a + "weight = 2\n",
       "f:8:10: \"weight\" is a share of a pool's mail; expected a \"pool\" beside it"},
      {a + "pool = \"p\"\nweight = 0\n",
       "f:9:10: \"weight\" is 0; expected an integer from 1 to 1000000"},
      {a + "pool = \"p\"\nweight = -1\n",
       "f:9:10: \"weight\" is -1; expected an integer from 1 to 1000000"},
      {a + "pool = \"p\"\nweight = 1000001\n",
       "f:9:10: \"weight\" is 1000001; expected an integer from 1 to 1000000"},
      {a + "pool = \"a\"\n",
       "f:8:8: \"a\" is the name of the source in line 6, and would be that of a pool; expected "
       "another name for the pool"},
      {a + "pool = [\"p\", \"p\"]\n", "f:8:14: \"p\" stands twice; expected each pool once"},
      {a + "pool = \"@\"\n",
       "f:8:8: \"@\" is no name for a pool; expected letters, digits, \"-\", \"_\" and \".\", with "
       "a letter among them, up to 63"},
      {a + "port = 25\n", "f:8:1: unknown key \"port\" in [[source]]; did you mean \"pool\"?"},
      {a + "[delivery]\nsend_from = \"b\"\n",
       "f:9:13: \"b\" is neither a source nor a pool; expected the name of a [[source]], of a pool "
       "of them, or \"\" for the system's choice"},
      {a + "[[sender]]\ndomain = \"example.com\"\n",
       "f:8:1: [[sender]] has no \"send_from\"; expected the name of a [[source]], or of a pool of "
       "them"},
      {a + "[[sender]]\nsend_from = \"a\"\n",
       "f:8:1: [[sender]] has no \"domain\"; expected domains of envelope senders, for example "
       "\"example.com\""},
      {a + "[[sender]]\ndomain = \"a@example.com\"\nsend_from = \"a\"\n",
       "f:9:10: \"a@example.com\" is not a pattern of senders' domains; expected \"example.com\", "
       "\"*.example.com\" or \"*\""},
      {a + "[[sender]]\ndomain = \"*.example.com\"\nsend_from = \"a\"\n"
           "[[sender]]\ndomain = \"x.example.com\"\nsend_from = \"a\"\n",
       "f:12:10: \"x.example.com\" is never reached; expected it before \"*.example.com\" in line "
       "9, since the first match wins"},
      {a + "[[route]]\nmatch = \"*\"\nvia = \"mx\"\nsend_from = \"b\"\n",
       "f:11:13: \"b\" is neither a source nor a pool; expected the name of a [[source]], of a "
       "pool of them, or \"\" for the system's choice"},
      {a + "[[route]]\nmatch = \"*\"\nvia = \"mx\"\nbind = \"192.0.2.9\"\nsend_from = \"a\"\n",
       "f:12:13: \"send_from\" stands beside \"bind\"; expected one of them: \"bind\" is an "
       "address without a name"},
      {a + "[[route]]\nmatch = \"*\"\nvia = \"hold\"\nsend_from = \"a\"\n",
       "f:11:13: \"send_from\" is for mail that is sent; expected it in a route with hosts or "
       "\"mx\" in \"via\""},
      {a + "[[route]]\nmatch = \"*\"\nvia = \"lmtp:127.0.0.1:24\"\nsend_from = \"a\"\n",
       "f:11:13: LMTP is for this site's own mailboxes; expected \"send_from\" in a route with "
       "hosts that speak SMTP"},
      {"[[route]]\nmatch = \"*\"\nvia = \"lmtp:127.0.0.1:24\"\nbind = \"127.0.0.2\"\n",
       "f:8:8: LMTP is for this site's own mailboxes; expected \"bind\" in a route with hosts that "
       "speak SMTP"},
      {a + "[[route]]\nmatch = \"*\"\nvia = \"[2001:db8::25]:25\"\nsend_from = \"a\"\n",
       "f:11:13: the source \"a\" has no address from which 2001:db8::25 can be reached; expected "
       "one of its family"},
  };
  for (const Bad& c : cases) {
    EXPECT_EQ(ParseConfig(kPlain + c.text, "f").errors, std::vector<std::string>{c.error})
        << c.text;
  }
}

}  // namespace
}  // namespace outbox::core
