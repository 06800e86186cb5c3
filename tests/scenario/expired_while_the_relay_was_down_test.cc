// The relay is down for longer than mail is kept: it starts, gives the mail up and tells whom it
// can. Mail from the null reverse-path just ends.
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

TEST(ExpiredWhileTheRelayWasDown, StartsAndGivesItUp) {
  for (const uint32_t shards : {1u, 2u}) {
    ShardStory story(shards);
    story.config().delivery.periods.retry_until_ns = 10 * core::kNsPerMinute;
    simulation::ScriptedServer* sender = story.AddServer("sender.example");
    story.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
    story.AddServer("c.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
    story.Start();
    EXPECT_TRUE(story.Send("", {"bob@b.example", "carol@c.example"}).acknowledged);
    EXPECT_TRUE(
        story.Send("alice@sender.example", {"bob@b.example", "carol@c.example"}).acknowledged);
    story.RunFor(2 * core::kNsPerMinute);
    EXPECT_EQ(story.Counters().queued, 4u);
    ASSERT_TRUE(story.Stop());
    story.RunFor(core::kNsPerHour);
    story.Start();
    ASSERT_TRUE(story.RunUntilEmpty(core::kNsPerMinute));
    EXPECT_EQ(story.Counters().expired, 4u);
    EXPECT_EQ(sender->taken().size(), 1u);
    story.Finish();
  }
}

}  // namespace
}  // namespace outbox::queue
