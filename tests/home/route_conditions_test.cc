// Routes with conditions: what each one takes, in tables; and the index against a walk through the
// list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "core/random.h"
#include "queue/header_fields.h"
#include "queue/router.h"

namespace outbox::queue {
namespace {

using core::RouteAction;

core::Config Parse(const std::string& routes) {
  const core::ConfigResult result = core::ParseConfig(
      "hostname = \"relay.example\"\n[[listener]]\naddress = \"127.0.0.1:2525\"\n"
      "relay_from = [\"127.0.0.0/8\"]\n" +
          routes,
      "f");
  EXPECT_THAT(result.errors, testing::ElementsAre());
  return result.config;
}

core::IpAddress Ip(std::string_view text) { return core::IpAddress::Parse(text).value(); }

struct Mail {
  std::string recipient = "b@example.net";
  std::string sender = "a@example.com";
  std::string client = "192.0.2.1";
  std::string header = "Subject: x\r\n";
  uint64_t size = 1000;
};

RouteChoice Route(const Router& router, const Mail& mail, bool content = true) {
  static HeaderFields header;
  static core::IpAddress client;
  header.Read(mail.header + "\r\n");
  client = Ip(mail.client);
  RouteFacts facts;
  facts.sender = mail.sender;
  facts.client = &client;
  if (content) facts.header = &header;
  if (content) facts.size = mail.size;
  return router.Route(mail.recipient, facts);
}

TEST(RouteConditionsTest, EachConditionInATable) {
  const Router router(Parse(R"(
[[route]]
name      = "recipient"
recipient = ["vip@example.net", "sales-*@example.net"]
via       = "10.0.0.1"
[[route]]
name   = "sender"
sender = ["news@example.com", "*@lists.example.com", "b*@mail.example"]
via    = "10.0.0.2"
[[route]]
name   = "null"
match  = "*.dsn.example"
sender = "<>"
via    = "10.0.0.3"
[[route]]
name   = "source"
source = ["10.1.0.0/16", "2001:db8::/32"]
via    = "10.0.0.4"
[[route]]
name   = "header"
header = ["X-Class: bulk*", "List-Id"]
via    = "10.0.0.5"
[[route]]
name   = "large"
match  = "example.net"
size   = ">= 1MiB"
via    = "10.0.0.6"
[[route]]
name   = "small"
size   = "< 100"
via    = "10.0.0.7"
)"));
  const struct {
    const char* route;
    Mail mail;
  } kTable[] = {
      {"mx", {}},
      {"recipient", {.recipient = "VIP@example.NET"}},
      {"recipient", {.recipient = "sales-emea@example.net"}},
      {"mx", {.recipient = "sales@example.net"}},
      {"mx", {.recipient = "vip@sub.example.net"}},
      {"sender", {.sender = "News@Example.COM"}},
      {"mx", {.sender = "old-news@example.com"}},
      {"sender", {.sender = "any@lists.example.com"}},
      {"mx", {.sender = "any@x.lists.example.com"}},
      {"sender", {.sender = "bob@mail.example"}},
      {"mx", {.sender = ""}},  // "*" takes no null return path
      {"null", {.recipient = "b@x.dsn.example", .sender = ""}},
      {"mx", {.recipient = "b@dsn.example", .sender = ""}},
      {"mx", {.recipient = "b@x.dsn.example"}},
      {"source", {.client = "10.1.255.1"}},
      {"mx", {.client = "10.2.0.1"}},
      {"source", {.client = "2001:db8:1::1"}},
      {"header", {.header = "x-class:  BULK mail \r\n"}},
      {"header", {.header = "Subject: x\r\nX-Class:\r\n bulk\r\n"}},  // folded
      {"mx", {.header = "X-Class: not bulk\r\n"}},
      {"header", {.header = "LIST-ID:\r\n"}},  // there, whatever it says
      {"mx", {.header = "X-List-Id: a\r\n"}},
      {"mx", {.header = "Subject: x\r\n\r\nList-Id: in the body\r\n"}},
      {"large", {.size = 1 << 20}},
      {"mx", {.size = (1 << 20) - 1}},
      {"mx", {.recipient = "b@example.org", .size = 1 << 20}},
      {"small", {.size = 99}},
      {"mx", {.size = 100}},
      // The first one wins.
      {"sender", {.sender = "news@example.com", .client = "10.1.0.1", .size = 1}},
      {"header", {.header = "List-Id: x\r\n", .size = 2 << 20}},
  };
  for (const auto& row : kTable) {
    const RouteChoice choice = Route(router, row.mail);
    EXPECT_EQ(choice.route, row.route)
        << row.mail.recipient << " " << row.mail.sender << " " << row.mail.client << " "
        << row.mail.header << " " << row.mail.size;
    EXPECT_TRUE(choice.decided);
  }
}

TEST(RouteConditionsTest, AllConditionsOfARouteMustBeMet) {
  const Router router(Parse(R"(
[[route]]
name   = "all"
match  = "example.net"
sender = "*@example.com"
source = "192.0.2.0/24"
header = "X-Class"
size   = "> 500"
via    = "10.0.0.1"
)"));
  const Mail all = {.header = "X-Class: a\r\n"};
  EXPECT_EQ(Route(router, all).route, "all");
  Mail mail = all;
  mail.recipient = "b@example.org";
  EXPECT_EQ(Route(router, mail).route, "mx");
  mail = all;
  mail.sender = "";
  EXPECT_EQ(Route(router, mail).route, "mx");
  mail = all;
  mail.client = "192.0.3.1";
  EXPECT_EQ(Route(router, mail).route, "mx");
  mail = all;
  mail.header = "X: a\r\n";
  EXPECT_EQ(Route(router, mail).route, "mx");
  mail = all;
  mail.size = 500;
  EXPECT_EQ(Route(router, mail).route, "mx");
  // A message of our own has no client.
  EXPECT_EQ(router.Route("b@example.net").route, "mx");
}

TEST(RouteConditionsTest, BeforeTheContentIsKnownOnlyItsRoutesLeaveADoubt) {
  const Router router(Parse(R"(
[[route]]
name  = "early"
match = "early.example"
via   = "10.0.0.1"
[[route]]
name   = "bulk"
sender = "*@example.com"
header = "X-Class"
via    = "10.0.0.2"
[[route]]
name  = "late"
match = "late.example"
via   = "10.0.0.3"
)"));
  EXPECT_TRUE(router.needs_content());
  EXPECT_TRUE(router.needs_header());
  EXPECT_TRUE(Route(router, {.recipient = "b@early.example"}, false).decided);
  const RouteChoice late = Route(router, {.recipient = "b@late.example"}, false);
  EXPECT_FALSE(late.decided);
  EXPECT_EQ(late.route, "late");
  EXPECT_TRUE(
      Route(router, {.recipient = "b@late.example", .sender = "a@other.example"}, false).decided);
  EXPECT_TRUE(Route(router, {.recipient = "b@late.example"}).decided);
}

TEST(RouteConditionsTest, ActionsAndWhatIsReleased) {
  const Router router(Parse(R"(
[[route]]
name  = "quarantine"
match = "*"
sender = "*@bad.example"
via   = "hold"
[[route]]
name  = "closed"
match = "closed.example"
via   = "reject Closed for good"
[[route]]
name  = "test"
match = "test.example"
via   = "discard"
[[route]]
name  = "everything"
match = "*"
via   = "hold"
[[route]]
name  = "smart"
match = "*"
via   = "10.0.0.1"
)"));
  EXPECT_FALSE(router.needs_content());
  const auto facts = [](std::string_view sender, bool released) {
    RouteFacts made;
    made.sender = sender;
    made.released = released;
    return made;
  };
  RouteChoice choice = router.Route("b@closed.example", facts("a@bad.example", false));
  EXPECT_EQ(choice.route, "quarantine");
  EXPECT_EQ(choice.action, RouteAction::kHold);
  EXPECT_EQ(choice.destination, "hold:");
  choice = router.Route("b@closed.example", facts("a@bad.example", true));
  EXPECT_EQ(choice.action, RouteAction::kReject);
  EXPECT_EQ(choice.destination, "reject:Closed for good");
  choice = router.Route("b@test.example", facts("a@bad.example", true));
  EXPECT_EQ(choice.action, RouteAction::kDiscard);
  EXPECT_EQ(choice.destination, "discard:");
  EXPECT_EQ(router.Route("b@example.net", facts("a@example.com", false)).route, "everything");
  EXPECT_EQ(router.Route("b@example.net", facts("a@example.com", true)).route, "smart");
  EXPECT_TRUE(router.StillRoutes("quarantine", "hold:", ""));
  EXPECT_FALSE(router.StillRoutes("quarantine", "via:10.0.0.1:25", ""));
}

TEST(RouteConditionsTest, TheAddressToSendFromMakesADestinationOfItsOwn) {
  const Router router(Parse(R"(
[[route]]
name   = "news"
sender = "*@news.example"
via    = "mx"
bind   = ["192.0.2.7", "2001:db8::7"]
max_connections = 3
[[route]]
match  = "smart.example"
via    = "10.0.0.1"
bind   = "192.0.2.8"
)"));
  EXPECT_EQ(Route(router, {.sender = "a@news.example"}).destination,
            "mx:example.net@192.0.2.7,2001:db8::7");
  EXPECT_EQ(Route(router, {.recipient = "b@smart.example"}).destination,
            "via:10.0.0.1:25@192.0.2.8");
  EXPECT_TRUE(router.StillRoutes("news", "mx:example.net@192.0.2.7,2001:db8::7", ""));
  EXPECT_FALSE(router.StillRoutes("news", "mx:example.net", ""));
  EXPECT_TRUE(router.StillRoutes("mx", "mx:example.net", ""));
  EXPECT_FALSE(router.StillRoutes("mx", "mx:example.net@192.0.2.7,2001:db8::7", ""));
  EXPECT_EQ(router.ConnectionsFor("mx:example.net@192.0.2.7,2001:db8::7"), 3u);
  EXPECT_EQ(router.ConnectionsFor("mx:example.net"), 20u);
  const DestinationKey key = ParseDestinationKey("mx:example.net:26@192.0.2.7");
  EXPECT_EQ(key.domain, "example.net");
  EXPECT_EQ(key.port, 26);
  const core::IpAddress* from = nullptr;
  EXPECT_TRUE(key.BindFor(Ip("203.0.113.1"), &from));
  EXPECT_EQ(from->ToString(), "192.0.2.7");
  EXPECT_FALSE(key.BindFor(Ip("2001:db8::1"), &from));
  EXPECT_TRUE(ParseDestinationKey("mx:example.net").BindFor(Ip("2001:db8::1"), &from));
  EXPECT_EQ(from, nullptr);
}

TEST(HeaderFieldsTest, WhateverAClientSends) {
  HeaderFields fields;
  const auto has = [&fields](const char* name, const char* value = "") {
    return fields.Has({name, value, ""});
  };
  fields.Read(
      "From : a\r\n..Dot: stuffed\r\nno field\r\n: no name\r\nX:\r\n\tfolded \r\n  twice\r\n"
      "\r\nBody: x\r\n.\r\n");
  EXPECT_EQ(fields.size(), 3u);
  EXPECT_TRUE(has("from", "a"));
  EXPECT_TRUE(has(".dot", "stuffed"));
  EXPECT_TRUE(has("x", "folded*twice"));
  EXPECT_FALSE(has("body"));
  fields.Read(".\r\n");
  EXPECT_EQ(fields.size(), 0u);
  fields.Read("");
  EXPECT_EQ(fields.size(), 0u);
  fields.Read(" begins folded\r\nX: 1");
  EXPECT_EQ(fields.size(), 1u);
  // What is behind the bound is not looked at.
  fields.Read("A: " + std::string(core::kRouteHeaderBytes, 'x') + "\r\nB: 1\r\n");
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
}

// What the documentation says, word by word.
uint32_t Walk(const core::Config& config, const Mail& mail, const RouteFacts& facts) {
  const std::string domain = mail.recipient.substr(mail.recipient.rfind('@') + 1);
  for (uint32_t i = 0; i < config.routes.size(); ++i) {
    const core::RouteConfig& route = config.routes[i];
    if (facts.released && route.action == RouteAction::kHold) continue;
    bool domain_matches = false;
    for (const std::string& pattern : route.match) {
      domain_matches = domain_matches || pattern == "*" || pattern == domain ||
                       (pattern.starts_with("*.") && domain.ends_with(pattern.substr(1)) &&
                        domain.size() > pattern.size() - 1);
    }
    if (domain_matches && UnmetCondition(route, mail.recipient, facts) == RouteCondition::kNone) {
      return i;
    }
  }
  return static_cast<uint32_t>(config.routes.size());
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_.Below(n); }
  std::string Pick(const std::vector<std::string>& of) { return of[random_.Below(of.size())]; }
  std::string Domain() { return Pick({"a.x", "b.x", "c.a.x", "y"}); }
  std::string Address() { return Pick({"n", "m", "nm"}) + "@" + Domain(); }

  std::string Routes() {
    std::string text;
    for (uint64_t left = Below(10); left > 0; --left) {
      text += "[[route]]\n";
      bool any = false;
      const auto add = [&](const std::string& line) {
        text += line + "\n";
        any = true;
      };
      if (Below(4) == 0) add("recipient = \"" + Pick({Address(), "n*@" + Domain()}) + "\"");
      if (Below(4) == 0) {
        add("sender = \"" + Pick({Address(), "*@" + Domain(), "<>", "n*@*"}) + "\"");
      }
      if (Below(4) == 0) add("source = \"" + Pick({"10.0.0.0/8", "10.0.0.1", "10.0.0.2"}) + "\"");
      if (Below(4) == 0) add("header = \"" + Pick({"A", "B", "A: 1*"}) + "\"");
      if (Below(4) == 0) add("size = \"" + Pick({"> 5", "<= 5", "< 3"}) + "\"");
      // Those by domain alone would soon hide the rest.
      if (!any || Below(2) == 0) {
        text += "match = \"" + Pick({"c.a.x", "*.a.x", "a.x", any ? "*" : "b.x"}) + "\"\n";
      }
      if (!any) text += "size = \"" + Pick({"> 0", "> 4"}) + "\"\n";
      text += "via = \"" + Pick({"mx", "hold", "discard"}) + "\"\n";
    }
    return text;
  }

 private:
  core::Random random_;
};

TEST(RouteConditionsTest, AgreeWithAWalkThroughTheList) {
  Dice dice(42);
  int implicit = 0;
  int explicit_ones = 0;
  for (int round = 0; round < 300; ++round) {
    const std::string routes = dice.Routes();
    const core::Config config = Parse(routes);
    const Router router(config);
    for (int question = 0; question < 50; ++question) {
      const Mail mail = {.recipient = dice.Address(),
                         .sender = dice.Below(4) == 0 ? "" : dice.Address(),
                         .client = dice.Pick({"10.0.0.1", "10.0.0.2", "11.0.0.1"}),
                         .header = dice.Pick({"A: 12\r\n", "B: 1\r\n", "C: 1\r\n"}),
                         .size = 1 + dice.Below(9)};
      HeaderFields header;
      header.Read(mail.header);
      const core::IpAddress client = Ip(mail.client);
      RouteFacts facts;
      facts.sender = mail.sender;
      facts.client = &client;
      facts.released = dice.Below(4) == 0;
      const uint32_t early = router.Route(mail.recipient, facts).index;
      const bool decided = router.Route(mail.recipient, facts).decided;
      facts.header = &header;
      facts.size = mail.size;
      const uint32_t expected = Walk(config, mail, facts);
      ASSERT_EQ(router.Route(mail.recipient, facts).index, expected) << routes << mail.recipient;
      // What was decided early stays.
      if (decided) {
        ASSERT_EQ(early, expected) << routes << mail.recipient;
      }
      ++(expected == config.routes.size() ? implicit : explicit_ones);
    }
  }
  EXPECT_GT(implicit, 1000);
  EXPECT_GT(explicit_ones, 1000);
}

}  // namespace
}  // namespace outbox::queue
