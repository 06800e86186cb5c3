// The host falls silent at a point of the dialogue: it is waited for as long as the configuration
// says of that point, no shorter and no longer (RFC 5321 4.5.3.2).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerSecond;
using simulation::ScriptRule;

struct Step {
  const char* name;
  const char* at;  // as in ScriptRule
  int64_t core::DeliveryConfig::*timeout_ns;
};

void PrintTo(const Step& step, std::ostream* out) { *out << step.name; }

class EachStep : public testing::TestWithParam<Step> {};

// All different, so that none can stand in for another.
void SetTimeouts(core::DeliveryConfig* delivery) {
  delivery->connect_timeout_ns = 11 * kNsPerSecond;
  delivery->greeting_timeout_ns = 17 * kNsPerSecond;
  delivery->helo_timeout_ns = 23 * kNsPerSecond;
  delivery->mail_timeout_ns = 31 * kNsPerSecond;
  delivery->rcpt_timeout_ns = 41 * kNsPerSecond;
  delivery->data_timeout_ns = 47 * kNsPerSecond;
  delivery->block_timeout_ns = 53 * kNsPerSecond;
  delivery->final_dot_timeout_ns = 61 * kNsPerSecond;
  delivery->idle_timeout_ns = 3 * kNsPerSecond;
  delivery->quit_timeout_ns = 7 * kNsPerSecond;
}

TEST_P(EachStep, HasItsTimeout) {
  ShardStory story(1);
  SetTimeouts(&story.config().delivery);
  story.AddServer("sender.example");
  story.AddServer(
      "b.example",
      {{.at = GetParam().at, .reply = "", .then = ScriptRule::Then::kStall, .times = 1}});
  story.Start();
  const std::string content = "Subject: long\r\n\r\n" + std::string(60, 'x') + "\r\n";
  std::string text = content;
  // More than the connection takes when nobody reads.
  while (text.size() < 2'000'000) text += std::string(70, 'y') + "\r\n";
  ASSERT_TRUE(
      story.Send(kSender, {"one@b.example"}, std::string(GetParam().at) == "body" ? text : content)
          .acknowledged);
  const int64_t begin_ns = story.world().now_ns();
  ASSERT_TRUE(story.RunUntil([&] { return story.Metric(&core::ShardMetrics::deferred_total) == 1; },
                             kNsPerHour));
  const int64_t waited_ns = story.world().now_ns() - begin_ns;
  const int64_t timeout_ns = story.config().delivery.*GetParam().timeout_ns;
  EXPECT_GE(waited_ns, timeout_ns);
  EXPECT_LE(waited_ns, timeout_ns + 3 * kNsPerSecond);
  story.RunFor(kNsPerSecond);  // until it is counted
  EXPECT_EQ(story.Metric(&core::ShardMetrics::timeouts_out_total), 1);
  ASSERT_TRUE(story.RunUntilEmpty(kNsPerHour));
  EXPECT_EQ(story.Counters().delivered, 1u);
  story.Finish();
}

INSTANTIATE_TEST_SUITE_P(
    Steps, EachStep,
    testing::Values(Step{"Greeting", "connect", &core::DeliveryConfig::greeting_timeout_ns},
                    Step{"Hello", "EHLO", &core::DeliveryConfig::helo_timeout_ns},
                    Step{"Mail", "MAIL", &core::DeliveryConfig::mail_timeout_ns},
                    Step{"Rcpt", "RCPT", &core::DeliveryConfig::rcpt_timeout_ns},
                    Step{"Data", "DATA", &core::DeliveryConfig::data_timeout_ns},
                    Step{"Block", "body", &core::DeliveryConfig::block_timeout_ns},
                    Step{"FinalDot", ".", &core::DeliveryConfig::final_dot_timeout_ns}),
    [](const auto& step) { return step.param.name; });

// Without mail for it the connection is closed after its idle time.
TEST(AnIdleConnection, HasItsTimeout) {
  ShardStory story(1);
  SetTimeouts(&story.config().delivery);
  story.AddServer("sender.example");
  story.AddServer("b.example");
  story.Start();
  ASSERT_TRUE(story.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story.RunUntilEmpty(kNsPerSecond));
  const int64_t begin_ns = story.world().now_ns();
  story.RunFor(kNsPerSecond);
  ASSERT_EQ(story.Metric(&core::ShardMetrics::connections_out), 1);
  ASSERT_TRUE(story.RunUntil(
      [&] { return story.Metric(&core::ShardMetrics::connections_out) == 0; }, kNsPerHour));
  const int64_t waited_ns = story.world().now_ns() - begin_ns;
  EXPECT_GE(waited_ns, 3 * kNsPerSecond);
  EXPECT_LE(waited_ns, 4 * kNsPerSecond);
  story.Finish();
}

// Its QUIT is not answered, and nobody waits for that longer than it is worth.
TEST(AnUnansweredQuit, HasItsTimeout) {
  ShardStory story(1);
  SetTimeouts(&story.config().delivery);
  story.AddServer("sender.example");
  const simulation::ScriptedServer* server =
      story.AddServer("b.example", {{.at = "QUIT", .reply = "", .then = ScriptRule::Then::kStall}});
  story.Start();
  ASSERT_TRUE(story.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story.RunUntilEmpty(kNsPerSecond));
  const int64_t begin_ns = story.world().now_ns();
  const auto open = [&] { return story.world().network().open_now(server->address()); };
  ASSERT_EQ(open(), 1u);
  ASSERT_TRUE(story.RunUntil([&] { return open() == 0; }, kNsPerHour));
  const int64_t waited_ns = story.world().now_ns() - begin_ns;
  EXPECT_GE(waited_ns, (3 + 7) * kNsPerSecond);  // idle, then the QUIT
  EXPECT_LE(waited_ns, (3 + 7 + 2) * kNsPerSecond);
  EXPECT_EQ(story.Counters().delivered, 1u);
  story.Finish();
}

// Nobody answers at the address: what a firewall does that drops packets.
TEST(AConnection, HasItsTimeout) {
  ShardStory story(1);
  SetTimeouts(&story.config().delivery);
  story.AddServer("sender.example");
  story.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story.Start();
  ASSERT_TRUE(story.Send(kSender, {"one@b.example"}).acknowledged);
  const auto deferred = [&](int64_t times) {
    return story.RunUntil(
        [&] { return story.Metric(&core::ShardMetrics::deferred_total) == times; }, kNsPerHour);
  };
  ASSERT_TRUE(deferred(1));
  story.RunFor(5 * kNsPerSecond);  // the idle connection has ended
  ASSERT_EQ(story.Metric(&core::ShardMetrics::connections_out), 0);
  story.world().mutable_options().network.connect_lost_ppm = 1'000'000;
  const int64_t begin_ns = story.world().now_ns();
  ASSERT_EQ(story.Command(QueueOrder::kRetry, {}).done, 1u);
  ASSERT_TRUE(deferred(2));
  const int64_t waited_ns = story.world().now_ns() - begin_ns;
  EXPECT_GE(waited_ns, 11 * kNsPerSecond);
  EXPECT_LE(waited_ns, 14 * kNsPerSecond);
  story.world().mutable_options().network.connect_lost_ppm = 0;
  EXPECT_THAT(story.List()[0].last_reply, testing::HasSubstr("connect"));
  ASSERT_TRUE(story.RunUntilEmpty(kNsPerHour));
  story.Finish();
}

}  // namespace
}  // namespace outbox::queue
