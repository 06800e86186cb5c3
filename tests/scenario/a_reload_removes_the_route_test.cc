// A reload removes the route of queued mail: the mail is routed again and keeps its periods.
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

class AReloadRemovesTheRoute : public testing::TestWithParam<uint32_t> {
 protected:
  // The routes of both domains go, and one that takes everything comes.
  void ReplaceRoutes(const std::string& domain) {
    core::RouteConfig rest;
    for (const core::RouteConfig& route : story_.config().routes) {
      if (route.name == domain) rest = route;
    }
    rest.name = "rest";
    rest.match = {"*"};
    story_.config().routes = {rest};
  }

  ShardStory story_{GetParam()};
};

TEST_P(AReloadRemovesTheRoute, MailThatWaitsGoesByTheNewOneInItsTime) {
  story_.AddServer("old.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.AddDeadRoute("dead.example");
  simulation::ScriptedServer* rest = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@old.example", "b@dead.example"}).acknowledged);
  ASSERT_TRUE(
      story_.RunUntil([this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 2; },
                      core::kNsPerMinute));
  const int64_t deferred_ns = story_.world().now_ns();
  // Behind the backoff of the dead host: it has not been tried itself.
  EXPECT_TRUE(story_.Send(kSender, {"c@dead.example"}).acknowledged);
  ReplaceRoutes("new.example");
  story_.config().delivery.periods.retry_ns = {core::kNsPerSecond};
  story_.Reload();
  EXPECT_TRUE(story_.RunUntil([&] { return rest->taken().size() == 1; }, 5 * core::kNsPerSecond));
  ASSERT_TRUE(story_.RunUntilEmpty(10 * core::kNsPerMinute));
  ASSERT_EQ(rest->taken().size(), 3u);
  EXPECT_EQ(rest->taken()[0].recipients, std::vector<std::string>{"c@dead.example"});
  EXPECT_GE(rest->taken()[1].taken_ns - deferred_ns, core::kNsPerMinute - core::kNsPerSecond);
  EXPECT_NE(story_.events().find("\"event\":\"rerouted\""), std::string::npos);
  story_.Finish();
}

TEST_P(AReloadRemovesTheRoute, MailThatIsBeingSentEndsItsAttemptFirst) {
  simulation::ScriptedServer* old = story_.AddServer(
      "old.example",
      {{.at = "RCPT TO:<a@", .reply = "451 4.2.0 later", .delay_ns = 20 * core::kNsPerSecond}});
  simulation::ScriptedServer* rest = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@old.example", "b@old.example"}).acknowledged);
  story_.RunFor(core::kNsPerSecond);
  ReplaceRoutes("new.example");
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * core::kNsPerMinute));
  ASSERT_EQ(old->taken().size(), 1u);
  EXPECT_EQ(old->taken()[0].recipients, std::vector<std::string>{"b@old.example"});
  ASSERT_EQ(rest->taken().size(), 1u);
  EXPECT_EQ(rest->taken()[0].recipients, std::vector<std::string>{"a@old.example"});
  story_.Finish();
}

TEST_P(AReloadRemovesTheRoute, AlsoAfterARestart) {
  story_.AddServer("old.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  simulation::ScriptedServer* rest = story_.AddServer("new.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a@old.example", "b@old.example"}).acknowledged);
  story_.RunFor(core::kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  ReplaceRoutes("new.example");
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * core::kNsPerMinute));
  EXPECT_EQ(rest->taken().size(), 1u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, AReloadRemovesTheRoute, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
