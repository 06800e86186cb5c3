// Who decides where a message is sent from, how a pool is divided, and what becomes of mail whose
// source is not what it was.
#include "queue/source_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "core/config.h"
#include "queue/destination_key.h"
#include "queue/router.h"

namespace outbox::queue {
namespace {

core::Config Read(const std::string& text) {
  core::ConfigResult result = core::ParseConfig(
      "hostname = \"relay.example\"\n[[listener]]\naddress = \"127.0.0.1:2525\"\n"
      "relay_from = [\"127.0.0.0/8\"]\n" +
          text,
      "f");
  EXPECT_EQ(result.errors, std::vector<std::string>()) << text;
  return std::move(result.config);
}

const char kSources[] = R"(
[[source]]
name    = "main"
address = ["192.0.2.7", "2001:db8::7"]
[[source]]
name    = "news-1"
address = "192.0.2.8"
pool    = "news"
weight  = 3
[[source]]
name    = "news-2"
address = "192.0.2.9"
pool    = "news"
)";

const char kRest[] = R"(
[delivery]
send_from = "main"
[[sender]]
domain    = ["shop.example", "*.shop.example", "bücher.example"]
send_from = "news-1"
[[sender]]
domain    = "plain.example"
send_from = ""
[[route]]
name      = "said"
match     = "said.example"
via       = "mx"
send_from = "news-2"
[[route]]
name      = "bound"
match     = "bound.example"
via       = "10.0.0.1"
bind      = "192.0.2.99"
[[route]]
name      = "smart"
match     = "smart.example"
via       = ["10.0.0.2", "10.0.0.3:2525"]
tls       = "required"
[[route]]
name      = "system"
match     = "system.example"
via       = "mx"
send_from = ""
[[route]]
name      = "inside"
match     = "inside.example"
via       = "lmtp:10.0.0.4:24"
[[route]]
name      = "held"
match     = "held.example"
via       = "hold"
)";

RouteFacts From(std::string_view sender, uint64_t draw = 0) {
  RouteFacts facts;
  facts.sender = sender;
  facts.draw = draw;
  return facts;
}

TEST(SourceChoice, RouteThenSenderThenDefault) {
  const Router router(Read(std::string(kSources) + kRest));
  const struct {
    std::string_view sender;
    std::string_view recipient;
    std::string_view destination;
    SourceRule rule;
  } kTable[] = {
      {"a@other.example", "x@example.net", "mx:example.net@main", SourceRule::kDefault},
      {"", "x@example.net", "mx:example.net@main", SourceRule::kDefault},
      {"a@shop.example", "x@example.net", "mx:example.net@news-1", SourceRule::kSender},
      {"a@SHOP.example", "x@example.net", "mx:example.net@news-1", SourceRule::kSender},
      {"a@b\xc3\xbc"
       "cher.example",
       "x@example.net", "mx:example.net@news-1", SourceRule::kSender},
      {"a@xn--bcher-kva.example", "x@example.net", "mx:example.net@news-1", SourceRule::kSender},
      {"a@b.shop.example", "x@example.net", "mx:example.net@news-1", SourceRule::kSender},
      {"a@notshop.example", "x@example.net", "mx:example.net@main", SourceRule::kDefault},
      {"postmaster", "x@example.net", "mx:example.net@main", SourceRule::kDefault},
      {"a@plain.example", "x@example.net", "mx:example.net", SourceRule::kSender},
      {"a@shop.example", "x@said.example", "mx:said.example@news-2", SourceRule::kRoute},
      {"a@shop.example", "x@bound.example", "via:10.0.0.1:25@192.0.2.99", SourceRule::kBind},
      {"a@shop.example", "x@smart.example", "via:10.0.0.2:25,10.0.0.3:2525@news-1#required",
       SourceRule::kSender},
      {"a@shop.example", "x@system.example", "mx:system.example", SourceRule::kRoute},
      {"a@shop.example", "x@inside.example", "lmtp:10.0.0.4:24", SourceRule::kNobody},
      {"a@shop.example", "x@held.example", "hold:", SourceRule::kNobody},
  };
  for (const auto& row : kTable) {
    const RouteChoice choice = router.Route(row.recipient, From(row.sender));
    EXPECT_EQ(choice.destination, row.destination) << row.sender;
    EXPECT_EQ(choice.source_rule, row.rule) << row.sender << " " << row.recipient;
    EXPECT_EQ(choice.source, SourceOf(row.destination));
    if (choice.action != core::RouteAction::kSend) continue;
    EXPECT_TRUE(router.StillRoutes(choice.route, row.destination, row.sender)) << row.destination;
  }
  // To an operator's hosts: no route says anything.
  RouteChoice choice;
  choice.destination = "via:10.9.9.9:25#verify";
  router.ChooseSource(From("a@shop.example"), &choice);
  EXPECT_EQ(choice.destination, "via:10.9.9.9:25@news-1#verify");
  EXPECT_TRUE(router.StillSends("via:10.9.9.9:25@news-1#verify", "a@shop.example"));
  EXPECT_FALSE(router.StillSends("via:10.9.9.9:25#verify", "a@shop.example"));
  EXPECT_TRUE(router.StillSends("via:10.9.9.9:25@192.0.2.99", "a@shop.example"));
  choice.destination = "lmtp:10.9.9.9:24";
  router.ChooseSource(From("a@shop.example"), &choice);
  EXPECT_EQ(choice.destination, "lmtp:10.9.9.9:24");
}

TEST(SourceChoice, NothingConfiguredChangesNothing) {
  const Router router(Read(""));
  EXPECT_EQ(router.Route("x@example.net", From("a@b.example", 12345)).destination,
            "mx:example.net");
  EXPECT_TRUE(router.sources().empty());
  EXPECT_TRUE(router.StillRoutes("mx", "mx:example.net", "a@b.example"));
  EXPECT_FALSE(router.StillRoutes("mx", "mx:example.net@gone", "a@b.example"));
}

// Three of four to news-1: exactly, over any four messages in a row by one or two.
TEST(SourceChoice, APoolIsDividedByWeight) {
  const SourceChoice sources(Read(kSources));
  const auto pool = sources.Find(std::string("news"));
  std::map<std::string, int> of_all;
  for (uint64_t counter = 1; counter <= 100'000; ++counter) {
    const std::string name(sources.Choose(pool, DrawOf(counter), ""));
    EXPECT_TRUE(name == "news-1" || name == "news-2");
    ++of_all[name];
    const int expected = static_cast<int>(counter * 3 / 4);
    ASSERT_NEAR(of_all["news-1"], expected, 3) << counter;
  }
  EXPECT_NEAR(of_all["news-1"], 75'000, 1);
  // By the ids of messages, which say the same of a message at any time.
  std::map<std::string, int> by_id;
  for (uint64_t id = 1; id <= 40'000; ++id) {
    ++by_id[std::string(sources.Choose(pool, DrawOf(id << 16 | 3), ""))];
  }
  EXPECT_NEAR(by_id["news-1"], 30'000, 10);
  EXPECT_EQ(sources.Choose(pool, 0, ""), "news-1");
  EXPECT_EQ(sources.Choose(pool, UINT64_MAX, ""), "news-2");
}

TEST(SourceChoice, MailKeepsItsSourceWhileThatIsInThePool) {
  const SourceChoice sources(Read(kSources));
  const auto pool = sources.Find(std::string("news"));
  EXPECT_EQ(sources.Choose(pool, 0, "news-2"), "news-2");
  EXPECT_EQ(sources.Choose(pool, UINT64_MAX, "news-1"), "news-1");
  EXPECT_EQ(sources.Choose(pool, 0, "main"), "news-1");
  EXPECT_EQ(sources.Choose(pool, 0, "gone"), "news-1");
  EXPECT_EQ(sources.Choose(SourceChoice::kSystem, 0, "news-1"), "");
  EXPECT_EQ(sources.Choose(sources.Find(std::string("main")), 7, "news-1"), "main");
}

TEST(SourceChoice, AReloadLooksAtMailOnlyWhereSomethingIsDifferent) {
  const auto changes = [](const std::string& before, const std::string& after) {
    return Router(Read(after)).Since(Router(Read(before)));
  };
  const std::string all = std::string(kSources) + kRest;
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = all;
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, what.size(), by);
  };
  EXPECT_TRUE(changes(all, all).empty());
  // Neither another address nor another weight: it is the same source, and mail stays with it.
  EXPECT_TRUE(changes(all, replaced("192.0.2.8", "192.0.2.88")).empty());
  EXPECT_TRUE(
      changes(all, replaced("weight  = 3", "weight  = 5\nhelo = \"n.example.com\"")).empty());
  for (const auto& [what, by] : std::map<std::string, std::string>{
           {"send_from = \"main\"", "send_from = \"news\""},
           {"domain    = \"plain.example\"", "domain    = \"plainer.example\""},
           {"send_from = \"news-2\"", "send_from = \"news\""},
           {"pool    = \"news\"\nweight  = 3", "pool    = \"other\"\nweight  = 3"}}) {
    const RouteChanges some = changes(all, replaced(what, by));
    EXPECT_TRUE(some.sources) << what;
    EXPECT_TRUE(some.Touches("mx:example.net@main"));
    EXPECT_TRUE(some.Touches("via:10.0.0.2:25"));
    EXPECT_FALSE(some.Touches("lmtp:10.0.0.4:24"));
    EXPECT_FALSE(some.Touches("hold:"));
  }
  EXPECT_TRUE(changes("", all).sources);
  EXPECT_TRUE(changes(all, "").sources);
  // Hosts of a route that goes elsewhere, whatever their mail was sent from.
  const RouteChanges hosts = changes(all, replaced("10.0.0.2", "10.0.0.22"));
  EXPECT_FALSE(hosts.sources);
  EXPECT_TRUE(hosts.Touches("via:10.0.0.2:25,10.0.0.3:2525@news-1#required"));
  EXPECT_FALSE(hosts.Touches("mx:example.net@news-1"));
}

TEST(SourceChoice, ARouteLeadsToItsHostsFromTheSourcesOfToday) {
  const Router router(Read(std::string(kSources) + kRest));
  const std::string hosts = "via:10.0.0.2:25,10.0.0.3:2525";
  EXPECT_FALSE(router.StillRoutes("smart", hosts + "@main#required", "a@shop.example"));
  EXPECT_TRUE(router.StillRoutes("smart", hosts + "@main#required", "a@other.example"));
  EXPECT_FALSE(router.StillRoutes("smart", hosts + "@main", "a@other.example"));
  EXPECT_FALSE(router.StillRoutes("smart", hosts + "#required", "a@other.example"));
  EXPECT_FALSE(router.StillRoutes("bound", "via:10.0.0.1:25@main", "a@other.example"));
  EXPECT_FALSE(router.StillRoutes("said", "mx:said.example@gone", "a@other.example"));
  // What a route says of its connections holds from wherever.
  core::Config config = Read(std::string(kSources) + kRest);
  config.routes[2].max_connections = 3;
  EXPECT_EQ(Router(config).ConnectionsFor(hosts + "@main#required"), 3u);
  EXPECT_EQ(Router(config).ConnectionsFor(hosts + "#required"), 3u);
}

TEST(SourceChoice, TheNameIsAPartOfTheKey) {
  const struct {
    std::string key;
    std::string source;
    std::string without;
  } kTable[] = {
      {"mx:example.net@news-1", "news-1", "mx:example.net"},
      {"mx:[192.0.2.1]:2525@a.b#verify", "a.b", "mx:[192.0.2.1]:2525#verify"},
      {"via:10.0.0.1:25,[::1]:25@x", "x", "via:10.0.0.1:25,[::1]:25"},
      {"via:10.0.0.1:25@x#verify|me@example.com", "x", "via:10.0.0.1:25#verify|me@example.com"},
      {"via:10.0.0.1:25@x|me#@b", "x", "via:10.0.0.1:25|me#@b"},
      {"via:10.0.0.1:25|me@b", "", "via:10.0.0.1:25|me@b"},
      {"mx:example.net@x~+=", "x", "mx:example.net~+="},
      {"via:10.0.0.1:25@x#none~#@|me", "x", "via:10.0.0.1:25#none~#@|me"},
      {"mx:example.net~+=", "", "mx:example.net~+="},
      {"mx:example.net", "", "mx:example.net"},
      {"mx:example.net@192.0.2.7", "", "mx:example.net@192.0.2.7"},
      {"mx:example.net@192.0.2.7,2001:db8::7#none", "",
       "mx:example.net@192.0.2.7,2001:db8::7#none"},
      {"maildir:/var/mail/{user}@x", "", "maildir:/var/mail/{user}@x"},
      {"hold:", "", "hold:"},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(SourceOf(row.key), row.source) << row.key;
    EXPECT_EQ(WithoutSource(row.key), row.without) << row.key;
    EXPECT_EQ(ParseDestinationKey(row.key).source, row.source) << row.key;
    if (!row.source.empty()) {
      EXPECT_EQ(WithSource(row.without, row.source), row.key);
      EXPECT_EQ(WithSource(row.key, "other"), WithSource(row.without, "other"));
      EXPECT_TRUE(ParseDestinationKey(row.key).bind.empty());
    }
    EXPECT_EQ(WithSource(row.key, ""), row.without);
  }
  EXPECT_EQ(ParseDestinationKey("mx:[192.0.2.1]:2525@a.b#verify").port, 2525);
  EXPECT_EQ(ParseDestinationKey("mx:[192.0.2.1]:2525@a.b#verify").tls, core::TlsMode::kVerify);
}

}  // namespace
}  // namespace outbox::queue
