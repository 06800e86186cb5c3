// Mail leaves from the address of its source and under that one's name, retries included; and waits
// for the address, or for another source, when it is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/route_order.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::IpAddress;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::TakenMessage;

const IpAddress kOne = IpAddress::V4(10, 9, 0, 1);
const IpAddress kTwo = IpAddress::V4(10, 9, 0, 2);
const IpAddress kSix = IpAddress::Parse("2001:db8::9").value();

core::SourceConfig Source(const std::string& name, std::vector<IpAddress> addresses) {
  core::SourceConfig source;
  source.name = name;
  source.addresses = std::move(addresses);
  source.helo = name + ".example.com";
  return source;
}

class MailFromSeveralSources : public ScenarioTest {
 protected:
  MailFromSeveralSources() {
    config().sources = {Source("one", {kOne}), Source("two", {kTwo})};
    config().senders = {{{"one.example"}, "one"}, {{"two.example"}, "two"}};
  }

  core::Config& config() { return story_.config(); }
  io::SimNetwork& network() { return story_.world().network(); }
  // How many of the messages came from where, as whom.
  static std::map<std::string, int> Origins(const ScriptedServer& server) {
    std::map<std::string, int> origins;
    for (const TakenMessage& one : server.taken()) {
      ++origins[one.client.ToString() + " " + one.helo];
    }
    return origins;
  }
  // The event's lines, with what is behind `field`.
  std::map<std::string, std::set<std::string>> ById(const std::string& event,
                                                    const std::string& field) {
    story_.RunFor(kNsPerSecond);  // lines wait for company
    std::map<std::string, std::set<std::string>> found;
    const std::string& events = story_.events();
    for (size_t at = 0; at < events.size();) {
      const size_t end = std::min(events.find('\n', at), events.size());
      const std::string line = events.substr(at, end - at);
      at = end + 1;
      if (line.find("\"event\":\"" + event + "\"") == std::string::npos) continue;
      found[TextIn(line, "id")].insert(TextIn(line, field));
    }
    return found;
  }

 private:
  static std::string TextIn(const std::string& line, const std::string& field) {
    const std::string mark = "\"" + field + "\":\"";
    const size_t at = line.find(mark);
    if (at == std::string::npos) return "";
    const size_t begin = at + mark.size();
    return line.substr(begin, line.find('"', begin) - begin);
  }
};

TEST_P(MailFromSeveralSources, EachUnderItsOwnNameAndOverConnectionsOfItsOwn) {
  ScriptedServer* host = story_.AddServer("host.example");
  config().delivery.send_from = "two";
  story_.Start();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
    EXPECT_TRUE(story_.Send("b@two.example", {"r@host.example"}).acknowledged);
    EXPECT_TRUE(story_.Send(kSender, {"r@host.example"}).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Origins(*host), (std::map<std::string, int>{{"10.9.0.1 one.example.com", 5},
                                                        {"10.9.0.2 two.example.com", 10}}));
  EXPECT_GE(host->sessions_total(), 2u);
  for (const auto& [id, sources] : ById("delivered", "source")) {
    EXPECT_EQ(sources.size(), 1u) << id;
    EXPECT_FALSE(sources.contains("")) << id;
  }
  // Two sites, since the host sees two clients.
  std::set<std::string> seen;
  for (const TakenMessage& one : host->taken()) {
    EXPECT_NE(one.content.find("by relay.example"), std::string::npos);
    seen.insert(one.helo);
  }
  EXPECT_EQ(seen.size(), 2u);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, TheSiteOfOneIsNotTheSiteOfTheOther) {
  config().delivery.max_connections = 1;
  ScriptedServer* host = story_.AddServer(
      "host.example",
      {{.at = ".", .reply = "", .keep_reply = true, .delay_ns = 10 * kNsPerSecond}});
  story_.Start();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
    EXPECT_TRUE(story_.Send("b@two.example", {"r@host.example"}).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(2 * kNsPerMinute));
  EXPECT_EQ(host->open_sessions_peak(), 2u);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, APoolSharesItAndRetriesStayWhereTheyWere) {
  ScriptedServer* host = story_.AddServer(
      "host.example", {{.at = "RCPT", .reply = "451 4.7.1 greylisted", .times = 40}});
  config().sources[0].pools = config().sources[1].pools = {"both"};
  config().sources[0].weight = 3;
  config().delivery.send_from = "both";
  config().routes.back().send_from = "both";
  story_.Start();
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"r@host.example"}).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  const std::map<std::string, int> origins = Origins(*host);
  ASSERT_EQ(origins.size(), 2u);
  // Over all shards, each of which shares its own part.
  EXPECT_NEAR(origins.at("10.9.0.1 one.example.com"), 30, 2);
  const auto failed = ById("attempt_failed", "source");
  const auto delivered = ById("delivered", "source");
  EXPECT_FALSE(failed.empty());
  for (const auto& [id, sources] : failed) {
    EXPECT_EQ(sources, delivered.at(id)) << id;
    EXPECT_EQ(sources.size(), 1u);
  }
  story_.Finish();
}

TEST_P(MailFromSeveralSources, WhatWaitsStaysWithItsSourceOverARestart) {
  ScriptedServer* host = story_.AddServer(
      "host.example", {{.at = "RCPT", .reply = "451 4.7.1 greylisted", .times = 8}});
  config().sources[0].pools = config().sources[1].pools = {"both"};
  config().routes.back().send_from = "both";
  story_.Start();
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"r@host.example"}).acknowledged);
  }
  story_.RunFor(10 * kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  config().sources[0].weight = 1000;  // the mail of before has its source
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 8u);
  const auto failed = ById("attempt_failed", "source");
  const auto delivered = ById("delivered", "source");
  for (const auto& [id, sources] : failed) EXPECT_EQ(sources, delivered.at(id)) << id;
  story_.Finish();
}

TEST_P(MailFromSeveralSources, AnAddressThatIsNotThereIsWaitedFor) {
  ScriptedServer* host = story_.AddServer("host.example");
  config().delivery.periods.retry_until_ns = core::kNsPerHour;
  network().LoseAddress(kOne);
  story_.Start();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
  }
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_TRUE(story_.Send("b@two.example", {"r@host.example"}).acknowledged);
  // Neither the host nor other mail has to do with that.
  ASSERT_TRUE(story_.RunUntil([&] { return host->taken().size() == 1; }, 10 * kNsPerSecond));
  EXPECT_EQ(host->taken()[0].client, kTwo);
  story_.RunFor(kNsPerSecond);
  const std::string key = ViaKey(config().routes.back().via) + "@one";
  const std::optional<DestinationView> view = story_.LookAt(key);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, WaitReason::kSource);
  EXPECT_EQ(view->trouble,
            "the address 10.9.0.1 of the source \"one\" (10.9.0.1) is not on this machine");
  for (const QueueLine& line : story_.List()) EXPECT_EQ(line.source, "one");
  EXPECT_NE(story_.events().find("\"event\":\"source_lost\""), std::string::npos);
  EXPECT_EQ(story_.events().find("bounced"), std::string::npos);
  network().ReturnAddress(kOne);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute + 10 * kNsPerSecond));
  EXPECT_EQ(host->taken().size(), 11u);
  EXPECT_EQ(Told("returned"), 0u);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, AfterRetryUntilTheSenderReadsWhichAddressItWas) {
  config().delivery.periods.retry_until_ns = 10 * kNsPerMinute;
  story_.AddServer("host.example");
  network().LoseAddress(kOne);
  for (core::RouteConfig& route : config().routes) {
    if (route.name == "host.example") route.send_from = "one";
  }
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"r@host.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  EXPECT_EQ(Told("source \"one\""), 1u);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, TheFamilyThatIsThereIsUsed) {
  config().sources[0].addresses = {kOne, kSix};
  ScriptedServer* host = story_.AddMx("dual.example", 10, "mx.dual.example");
  story_.names().AddAddress("mx.dual.example", IpAddress::Parse("2001:db8::25").value());
  network().LoseAddress(kSix);
  story_.Start();
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(story_.Send("a@one.example", {"r@dual.example"}).acknowledged);
    story_.RunFor(20 * kNsPerSecond);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 8u);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, AHostOfTheOtherFamilyAlone) {
  story_.names().AddMx("six.example", 10, "mx.six.example");
  story_.names().AddAddress("mx.six.example", IpAddress::Parse("2001:db8::25").value());
  story_.Start();
  EXPECT_TRUE(story_.Send("a@one.example", {"r@six.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  const std::optional<DestinationView> view = story_.LookAt("mx:six.example@one");
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, WaitReason::kSource);
  EXPECT_EQ(view->trouble,
            "no host has an address of a family that it could be sent from by the source \"one\" "
            "(10.9.0.1)");
  story_.Finish(1);
}

TEST_P(MailFromSeveralSources, AReloadTakesTheSourceAway) {
  ScriptedServer* host =
      story_.AddServer("host.example", {{.at = "RCPT", .reply = "451 4.7.1 later", .times = 1}});
  story_.Start();
  network().LoseAddress(kTwo);
  // One that has failed, some that wait for their source, one whose source stays.
  EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(story_.Send("b@two.example", {"r@host.example"}).acknowledged);
  }
  story_.RunFor(5 * kNsPerSecond);
  config().sources.pop_back();
  config().senders.pop_back();
  config().delivery.send_from = "one";
  story_.Reload();
  ASSERT_TRUE(story_.RunUntil([&] { return host->taken().size() == 5; }, 10 * kNsPerSecond));
  ASSERT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(Origins(*host), (std::map<std::string, int>{{"10.9.0.1 one.example.com", 6}}));
  story_.Finish();
}

TEST_P(MailFromSeveralSources, ARestartFindsMailOfASourceThatIsGone) {
  ScriptedServer* host = story_.AddServer("host.example");
  network().LoseAddress(kTwo);
  story_.Start();
  EXPECT_TRUE(story_.Send("b@two.example", {"r@host.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  config().sources.clear();
  config().senders.clear();
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_EQ(host->taken().size(), 1u);
  EXPECT_EQ(host->taken()[0].helo, "relay.example");
  story_.Finish();
}

TEST_P(MailFromSeveralSources, AReloadGivesTheSourceAnotherAddressAndName) {
  ScriptedServer* host = story_.AddServer("host.example");
  config().delivery.idle_timeout_ns = kNsPerMinute;
  story_.Start();
  EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(host->open_sessions(), 1u);
  network().LoseAddress(kOne);
  config().sources[0].addresses = {kTwo};
  config().sources[0].helo = "moved.example.com";
  story_.Reload();
  // The idle connection from before is not used any more.
  ASSERT_TRUE(story_.RunUntil([&] { return host->open_sessions() == 0; }, 5 * kNsPerSecond));
  EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(host->taken().back().client, kTwo);
  EXPECT_EQ(host->taken().back().helo, "moved.example.com");
  story_.Finish();
}

TEST_P(MailFromSeveralSources, AReloadTurnsTheSourceToTheOtherFamily) {
  ScriptedServer* host = story_.AddMx("dual.example", 10, "mx.dual.example");
  config().sources[0].addresses = {kSix};
  story_.Start();
  EXPECT_TRUE(story_.Send("a@one.example", {"r@dual.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  EXPECT_TRUE(host->taken().empty());
  config().sources[0].addresses = {kOne};
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(host->taken()[0].client, kOne);
  // And back, while a connection is open.
  config().sources[0].addresses = {kSix};
  story_.Reload();
  story_.RunFor(kNsPerSecond);
  EXPECT_TRUE(story_.Send("a@one.example", {"r@dual.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(host->taken().size(), 1u);
  story_.Finish(1);
}

TEST_P(MailFromSeveralSources, MailForAnOperatorsHostsFindsAnotherSourceToo) {
  ScriptedServer* host = story_.AddServer("host.example");
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send("b@two.example", {"r@dead.example"}).acknowledged);
  story_.RunFor(5 * kNsPerSecond);
  network().LoseAddress(kTwo);
  RouteOrder order;
  for (const core::RouteConfig& route : config().routes) {
    if (route.name == "host.example") order.hosts = ViaKey(route.via);
  }
  story_.Redirect(order, {});
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_TRUE(host->taken().empty());
  config().senders[1].send_from = "one";
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_EQ(host->taken().size(), 1u);
  EXPECT_EQ(host->taken()[0].client, kOne);
  story_.Finish();
}

TEST_P(MailFromSeveralSources, NoticesOfOursGoByDefaultOrByTheirRoute) {
  story_.AddServer("host.example", {{.at = "RCPT", .reply = "550 5.1.1 nobody"}});
  config().delivery.send_from = "two";
  ScriptedServer* one = story_.AddServer("one.example");
  story_.Start();
  EXPECT_TRUE(story_.Send("a@one.example", {"r@host.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Origins(*one), (std::map<std::string, int>{{"10.9.0.2 two.example.com", 1}}));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, MailFromSeveralSources, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace outbox::queue
