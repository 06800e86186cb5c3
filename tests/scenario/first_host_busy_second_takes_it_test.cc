// The first host of a route is busy in one way or another: the second takes the message at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FirstHost : public ScenarioTest {
 protected:
  void SecondTakesIt(std::vector<ScriptRule> rules) {
    ScriptedServer* first = story_.AddServer("b.example", std::move(rules));
    ScriptedServer* second = story_.AddHost("b.example");
    story_.Start();
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute / 2));
    EXPECT_THAT(first->taken(), IsEmpty());
    EXPECT_GE(first->sessions_total(), 1u);
    EXPECT_THAT(second->taken(), SizeIs(1));
    EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 0);
    story_.Finish();
  }
};

TEST_P(FirstHost, IsBusyAtTheGreeting) {
  SecondTakesIt({{.at = "connect", .reply = "421 4.3.2 busy", .then = ScriptRule::Then::kClose}});
}
TEST_P(FirstHost, HangsUpAtTheGreeting) {
  SecondTakesIt({{.at = "connect", .reply = "", .then = ScriptRule::Then::kReset}});
}
TEST_P(FirstHost, DoesNotWantTheSession) {
  SecondTakesIt({{.at = "EHLO", .reply = "554 5.7.1 not you"},
                 {.at = "HELO", .reply = "554 5.7.1 not you either"}});
}
TEST_P(FirstHost, RefusesTheSenderForNow) {
  SecondTakesIt({{.at = "MAIL", .reply = "451 4.3.0 try later"}});
}
TEST_P(FirstHost, RefusesTheRecipientForNow) {
  SecondTakesIt({{.at = "RCPT", .reply = "451 4.2.1 mailbox busy"}});
}
TEST_P(FirstHost, RefusesTheMessageForNow) {
  SecondTakesIt({{.at = ".", .reply = "452 4.3.1 no space"}});
}

TEST_P(FirstHost, IsNotThere) {
  story_.AddDeadRoute("b.example");
  ScriptedServer* second = story_.AddHost("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(2 * kNsPerMinute));
  EXPECT_THAT(second->taken(), SizeIs(1));
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 0);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, FirstHost, testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
