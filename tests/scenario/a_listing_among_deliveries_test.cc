// Messages end while a listing reads them from the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using ::testing::SizeIs;

TEST_P(ScenarioTest, AListingAmongDeliveriesShowsNobodyTwice) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(story_.Send(kSender, {"u" + std::to_string(i) + "@b.example"}).acknowledged);
  }
  ASSERT_TRUE(story_.Stop());
  server->script().rules.clear();
  story_.Start();  // nothing is in memory any more
  story_.world().disk(0).SetSlow(20);
  EXPECT_TRUE(story_.RunUntil([&] { return story_.Counters().recovered == 60; }, kNsPerMinute));
  for (int i = 0; i < 1000 && story_.Counters().queued > 0; ++i) {
    story_.StartListing();
    ASSERT_TRUE(story_.RunUntil([&] { return story_.ListingDone(); }, kNsPerHour));
    for (const auto& [recipient, times] : story_.Shown()) EXPECT_EQ(times, 1) << recipient;
    story_.RunFor(core::kNsPerMs);
    if (i % 10 == 9) story_.RunFor(2 * kNsPerSecond);
  }
  EXPECT_EQ(story_.Counters().queued, 0u);
  EXPECT_THAT(server->taken(), SizeIs(60));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
