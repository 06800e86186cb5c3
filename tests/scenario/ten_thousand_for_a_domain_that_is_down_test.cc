// Ten thousand messages wait for a domain that is down. While it is, it is tried now and then and
// not once for each of them; when it is back, one goes first, then more and more at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, TenThousandForADomainThatComesBack) {
  constexpr size_t kMessages = 10'000;
  story_.config().delivery.max_connections = 8;
  story_.config().delivery.periods.retry_until_ns = 24 * kNsPerHour;
  ScriptedServer* server = story_.AddServer(
      "b.example",
      {{.at = "connect", .reply = "421 4.3.2 down", .then = simulation::ScriptRule::Then::kClose}});
  story_.Start();
  for (size_t sent = 0; sent < kMessages;) {
    for (int i = 0; i < 50; ++i) {
      story_.SendLater(kSender, {"u" + std::to_string(sent++) + "@b.example"});
    }
    ASSERT_TRUE(story_.RunUntil([&] { return story_.acknowledged_later() == sent; }, kNsPerHour));
  }
  EXPECT_EQ(story_.Counters().queued, kMessages);
  const uint64_t tries = server->sessions_total();
  story_.RunFor(kNsPerHour);
  // The backoff is the site's: about one connection a retry period, however many wait.
  EXPECT_LE(server->sessions_total() - tries, 70u);
  EXPECT_GE(server->sessions_total() - tries, 5u);
  EXPECT_EQ(story_.Counters().queued, kMessages);
  // It is back. The canary is alone.
  const uint64_t before = server->sessions_total();
  server->script().rules.clear();
  ASSERT_TRUE(story_.RunUntil([&] { return !server->taken().empty(); }, 2 * kNsPerHour));
  EXPECT_EQ(server->sessions_total() - before, 1u);
  // Of both shards at one moment, which neither their gauges are, nor what the server sees of
  // connections that come and go.
  const std::vector<const Site*> sites = story_.Sites();
  ASSERT_THAT(sites, SizeIs(1));
  uint32_t connections_max = 0;
  ASSERT_TRUE(story_.RunUntil(
      [&] {
        connections_max = std::max(connections_max, sites[0]->slots.in_use());
        return story_.Counters().queued == 0;
      },
      kNsPerHour));
  EXPECT_GT(connections_max, 1u);
  EXPECT_LE(connections_max, 8u);
  std::set<std::string> arrived;
  for (const TakenMessage& taken : server->taken()) {
    arrived.insert(taken.recipients.begin(), taken.recipients.end());
  }
  EXPECT_THAT(server->taken(), SizeIs(kMessages));
  EXPECT_THAT(arrived, SizeIs(kMessages));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
