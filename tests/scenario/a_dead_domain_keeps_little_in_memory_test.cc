// Mail for a domain that is down waits on a shelf of its home, but for a ticket or two: it is
// listed, removed, tried, told of and routed again like any other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::TakenMessage;
using ::testing::SizeIs;

constexpr uint32_t kMessages = 40;

class ADeadDomain : public ScenarioTest {
 protected:
  // Home knows that the domain is down when most of the mail comes, from these senders in turns.
  void Fill(const std::vector<std::string>& senders = {kSender}) {
    story_.Start();
    for (uint32_t i = 0; i < kMessages; ++i) {
      const std::string to = "u" + std::to_string(i) + "@dead.example";
      ASSERT_TRUE(story_.Send(senders[i % senders.size()], {to}).acknowledged);
      if (i % 10 == 0) story_.RunFor(kNsPerSecond);
    }
    story_.RunFor(kNsPerSecond);
    EXPECT_GE(Shelved(), kMessages / 2);
    EXPECT_EQ(story_.Metric(&core::ShardMetrics::tickets), kMessages);
  }

  int64_t Shelved() { return story_.Metric(&core::ShardMetrics::shelved); }

  CommandCounts Command(QueueOrder order, const std::string& recipient) {
    QueueFilter filter;
    filter.recipient = recipient;
    return story_.Command(order, filter);
  }

  static std::set<std::string> Recipients(const std::vector<TakenMessage>& taken) {
    std::set<std::string> all;
    for (const TakenMessage& message : taken) {
      all.insert(message.recipients.begin(), message.recipients.end());
    }
    return all;
  }
};

TEST_P(ADeadDomain, AllOfItsMailIsListedAndGoesWhenItIsBack) {
  story_.AddDeadRoute("dead.example");
  Fill({"a@x.example", "b@x.example", "c@x.example", "d@x.example"});
  std::set<std::string> listed;
  for (const QueueLine& line : story_.List()) {
    EXPECT_TRUE(listed.insert(line.recipient).second) << line.recipient;
    EXPECT_TRUE(line.state == RecipientState::kReady || line.state == RecipientState::kDeferred);
    EXPECT_GT(line.size, 0u);
  }
  EXPECT_THAT(listed, SizeIs(kMessages));
  EXPECT_GE(Shelved(), kMessages / 2);  // who only looks leaves it where it is
  EXPECT_EQ(Command(QueueOrder::kRemove, "u39@*").done, 1u);
  EXPECT_EQ(Command(QueueOrder::kRemove, "u2?@*").found, 0u);
  EXPECT_EQ(Command(QueueOrder::kRetry, "u3*").found, 10u);
  simulation::ScriptedServer* server = story_.Revive("dead.example");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(server->taken(), SizeIs(kMessages - 1));
  EXPECT_THAT(Recipients(server->taken()), SizeIs(kMessages - 1));
  EXPECT_EQ(Shelved(), 0);
  story_.Finish();
}

TEST_P(ADeadDomain, MailThatHasJustComeIsListed) {
  story_.AddDeadRoute("dead.example");
  Fill();
  for (const char* to : {"v0@dead.example", "v1@dead.example", "v2@dead.example"}) {
    ASSERT_TRUE(story_.Send(kSender, {to}).acknowledged);
  }
  EXPECT_THAT(story_.List(), SizeIs(kMessages + 3));
  story_.Revive("dead.example");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  story_.Finish();
}

TEST_P(ADeadDomain, ItsSendersAreToldInTime) {
  story_.config().delivery.periods.notify_after_ns = kNsPerHour;
  story_.config().delivery.periods.retry_until_ns = 3 * kNsPerHour;
  story_.AddDeadRoute("dead.example");
  Fill();
  story_.RunFor(kNsPerHour - 2 * kNsPerMinute);
  EXPECT_EQ(sender_->taken().size(), 0u);
  story_.RunFor(3 * kNsPerMinute);
  EXPECT_EQ(Told("Action: delayed"), kMessages);
  EXPECT_EQ(story_.Counters().queued, kMessages);
  EXPECT_GE(Shelved(), kMessages / 2);  // again, with another deadline
  story_.RunFor(2 * kNsPerHour);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("Action: failed"), kMessages);
  EXPECT_EQ(Told("Action: delayed"), kMessages);
  EXPECT_EQ(story_.Counters().expired, kMessages);
  story_.Finish();
}

TEST_P(ADeadDomain, ARestartFindsItsMailAgain) {
  story_.AddDeadRoute("dead.example");
  Fill();
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  ASSERT_TRUE(story_.RunUntil([this] { return story_.Counters().queued == kMessages; },
                              kNsPerMinute));
  story_.RunFor(kNsPerSecond);
  EXPECT_GE(Shelved(), kMessages / 2);
  simulation::ScriptedServer* server = story_.Revive("dead.example");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(server->taken(), SizeIs(kMessages));
  EXPECT_THAT(Recipients(server->taken()), SizeIs(kMessages));
  story_.Finish();
}

TEST_P(ADeadDomain, AReloadRoutesItsMailAgain) {
  simulation::ScriptedServer* other = story_.AddServer("other.example");
  story_.AddDeadRoute("dead.example");
  Fill();
  std::vector<core::RouteConfig> routes;
  for (const core::RouteConfig& route : story_.config().routes) {
    if (route.name != "dead.example") routes.push_back(route);
    if (route.name != "other.example") continue;
    routes.push_back(route);
    routes.back().name = "rest";
    routes.back().match = {"*"};
  }
  story_.config().routes = routes;
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(Recipients(other->taken()), SizeIs(kMessages));
  EXPECT_EQ(Shelved(), 0);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, ADeadDomain, testing::Values(1u, 2u));

}  // namespace
}  // namespace outbox::queue
