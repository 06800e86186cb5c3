// The host of a route does not let us in as the user of the route: the secret is wrong, or it has
// trouble of its own. Nothing bounces, the host is asked seldom, and with the right secret it goes.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/secret.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::ScriptRule;

// AUTH PLAIN of "me" and "right", of "you" and "other".
constexpr char kRight[] = "AUTH PLAIN AG1lAHJpZ2h0";
constexpr char kOther[] = "AUTH PLAIN AHlvdQBvdGhlcg==";
constexpr char kRefusal[] = "535 5.7.8 authentication failed";

class AHostRefusesOurUser : public ScenarioTest {
 protected:
  AHostRefusesOurUser() { story_.config().delivery.periods.retry_ns = {30 * kNsPerMinute}; }

  // A server that takes "me" with "right" alone, and its route, with this secret.
  ScriptedServer* AddHost(const std::string& refusal, const std::string& secret) {
    ScriptedServer* host = story_.AddServer(
        "host.example",
        {{.at = kRight, .reply = "235 2.7.0 ok"}, {.at = "AUTH", .reply = refusal}});
    NeedAuth(host);
    SetUser(&story_.config().routes.back(), "me", secret);
    return host;
  }
  static void NeedAuth(ScriptedServer* host) {
    host->script().extensions.push_back("AUTH PLAIN LOGIN");
    host->script().needs_auth = true;
  }
  static void SetUser(core::RouteConfig* route, const std::string& user,
                      const std::string& secret) {
    route->auth.user = user;
    route->auth.secret = core::Secret::Copy(secret);
    route->auth.plain_in_clear = true;  // there is no TLS in this world
  }
  core::RouteConfig* Route() { return &story_.config().routes.back(); }
  void SendMany(int count) {
    for (int i = 0; i < count; ++i) {
      story_.SendLater(kSender, {"r" + std::to_string(i) + "@host.example"});
    }
  }
};

TEST_P(AHostRefusesOurUser, MailWaitsAndGoesWithTheRightSecret) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  story_.Start();
  SendMany(50);
  story_.RunFor(50 * kNsPerSecond);
  EXPECT_EQ(host->sessions_total(), 1u);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(host->sessions_total(), 2u);
  story_.RunFor(kNsPerMinute);  // the second pause takes two
  EXPECT_EQ(host->sessions_total(), 2u);
  EXPECT_TRUE(host->taken().empty());
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::bounced_total), 0);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::auth_out_failed_total), 2);
  SetUser(Route(), "me", "right");
  story_.Reload();
  // All but those that have been tried, at once.
  EXPECT_TRUE(story_.RunUntil([&] { return host->taken().size() >= 48; }, 5 * kNsPerSecond));
  ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 50u);
  EXPECT_GT(story_.Metric(&core::ShardMetrics::auth_out_total), 0);
  const std::string& log = story_.events();
  EXPECT_NE(log.find("\"event\":\"auth_failed\""), std::string::npos);
  EXPECT_NE(log.find("refused our user me: 535 5.7.8 authentication failed"), std::string::npos);
  // "wrong" as it is, and as PLAIN says it.
  for (const char* secret : {"wrong", "AG1lAHdyb25n", "AG1lAHJpZ2h0"}) {
    EXPECT_EQ(log.find(secret), std::string::npos);
    EXPECT_EQ(story_.talks().find(secret), std::string::npos);
  }
  story_.Finish();
}

// An operator who asks why reads it of the host, and which of the messages looks again.
TEST_P(AHostRefusesOurUser, WhoAsksIsToldSo) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  host->script().rules.back().delay_ns = 4 * kNsPerSecond;
  story_.Start();
  SendMany(5);
  story_.RunFor(20 * kNsPerSecond);
  const std::string key = ViaKey(Route()->via) + UserSuffix("me");
  std::optional<DestinationView> view = story_.LookAt(key);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, WaitReason::kUser);
  ASSERT_EQ(view->hosts.size(), 1u);
  EXPECT_GT(view->hosts[0].down_until_wall_ns, 0);
  EXPECT_EQ(view->hosts[0].trouble, "user");
  ASSERT_TRUE(story_.RunUntil([&] { return host->sessions_total() == 2; }, 2 * kNsPerMinute));
  story_.RunFor(kNsPerSecond);
  view = story_.LookAt(key);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->limit, WaitReason::kCanary);
  story_.Finish(5);
}

// A host takes its time to say no, and the reload comes meanwhile.
TEST_P(AHostRefusesOurUser, ARefusalOfTheOldSecretIsNoneOfTheNewOne) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  host->script().rules.back().delay_ns = 4 * kNsPerSecond;
  story_.Start();
  SendMany(5);
  story_.RunFor(kNsPerSecond);
  SetUser(Route(), "me", "right");
  story_.Reload();
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::auth_out_failed_total), 1);
  // All but the one that has been refused.
  EXPECT_GE(host->taken().size(), 4u);
  ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
  story_.Finish();
}

TEST_P(AHostRefusesOurUser, WhateverItsWordsNothingBounces) {
  const char* const words[] = {"454 4.7.0 try again later", "421 4.7.0 too many errors",
                               "550 5.7.1 go away", "503 5.5.1 not now", "334 Z2FyYmFnZQ=="};
  ScriptedServer* host = AddHost(words[0], "wrong");
  story_.Start();
  for (const char* word : words) {
    host->script().rules.back().reply = word;
    SendMany(3);
    story_.RunFor(5 * kNsPerMinute);
  }
  EXPECT_TRUE(host->taken().empty());
  // Fifteen messages have come, and the host was asked less and less often.
  EXPECT_LE(host->sessions_total(), 6u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::bounced_total), 0);
  story_.Finish(15);
}

TEST_P(AHostRefusesOurUser, AHostWithoutAuthGetsNothing) {
  ScriptedServer* host = AddHost(kRefusal, "right");
  host->script().extensions.pop_back();
  story_.Start();
  SendMany(10);
  story_.RunFor(50 * kNsPerSecond);
  EXPECT_EQ(host->sessions_total(), 1u);
  EXPECT_NE(story_.events().find("cannot be told that we are the user me: AUTH is not offered"),
            std::string::npos);
  host->script().extensions.push_back("AUTH PLAIN");
  ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 10u);
  story_.Finish();
}

TEST_P(AHostRefusesOurUser, TheBackupTakesTheMail) {
  ScriptedServer* first = AddHost(kRefusal, "right");
  first->script().rules.front().reply = kRefusal;
  ScriptedServer* backup = story_.AddHost("host.example");
  NeedAuth(backup);
  story_.Start();
  SendMany(5);
  EXPECT_TRUE(story_.RunUntil([&] { return backup->taken().size() == 5; }, kNsPerMinute));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_TRUE(first->taken().empty());
  story_.Finish();
}

TEST_P(AHostRefusesOurUser, OtherMailForTheSameHostGoes) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  host->script().rules.insert(host->script().rules.begin(),
                              ScriptRule{.at = kOther, .reply = "235 2.7.0 ok"});
  core::RouteConfig other = *Route();
  other.name = "other";
  other.match = {"other.example"};
  SetUser(&other, "you", "other");
  story_.config().routes.push_back(other);
  story_.Start();
  SendMany(3);
  for (int i = 0; i < 5; ++i) story_.SendLater(kSender, {"a@other.example"});
  story_.RunFor(50 * kNsPerSecond);
  EXPECT_EQ(host->taken().size(), 5u);
  story_.Finish(3);
}

TEST_P(AHostRefusesOurUser, TwoUsersOfAHostShareNoSession) {
  ScriptedServer* host = AddHost(kRefusal, "right");
  host->script().rules.insert(host->script().rules.begin(),
                              ScriptRule{.at = kOther, .reply = "235 2.7.0 ok"});
  core::RouteConfig other = *Route();
  other.name = "other";
  other.match = {"other.example"};
  SetUser(&other, "you", "other");
  story_.config().routes.push_back(other);
  story_.Start();
  for (int i = 0; i < 20; ++i) {
    story_.SendLater(kSender, {"a@other.example"});
    story_.SendLater(kSender, {"a@host.example"});
    story_.RunFor(kNsPerSecond / 10);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 40u);
  for (const simulation::TakenMessage& taken : host->taken()) {
    const bool ours = taken.recipients[0] == "a@host.example";
    EXPECT_EQ(taken.auth, ours ? kRight : kOther);
  }
  story_.Finish();
}

TEST_P(AHostRefusesOurUser, WhatIsQueuedKeepsItsUserOverARestart) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  story_.Start();
  SendMany(5);
  story_.RunFor(10 * kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  SetUser(Route(), "me", "right");
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
  EXPECT_EQ(host->taken().size(), 5u);
  story_.Finish();
}

TEST_P(AHostRefusesOurUser, WithoutItsRouteMailIsRoutedAgain) {
  ScriptedServer* host = AddHost(kRefusal, "wrong");
  ScriptedServer* open = story_.AddServer("open.example");
  story_.Start();
  SendMany(5);
  story_.RunFor(10 * kNsPerSecond);
  core::RouteConfig rest = *Route();
  rest.name = "rest";
  rest.match = {"*"};
  story_.config().routes = {rest};
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
  EXPECT_TRUE(host->taken().empty());
  EXPECT_EQ(open->taken().size(), 5u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, AHostRefusesOurUser, testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
