// An operator removes mail: what waits goes at once, what is being sent when its attempt is over;
// nobody is told, and it does not come back.
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

class AnOperatorRemovesMail : public testing::TestWithParam<uint32_t> {
 protected:
  AnOperatorRemovesMail() : sender_(story_.AddServer("sender.example")) {}

  CommandCounts Remove(const std::string& recipient) {
    QueueFilter filter;
    filter.recipient = recipient;
    return story_.Command(QueueOrder::kRemove, filter);
  }

  ShardStory story_{GetParam()};
  simulation::ScriptedServer* sender_;
};

TEST_P(AnOperatorRemovesMail, ThatWaits) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@dead.example"}).acknowledged);
  story_.RunFor(10 * core::kNsPerSecond);
  // Behind the backoff of its destination: out, but not being sent.
  EXPECT_TRUE(story_.Send(kSender, {"four@dead.example"}).acknowledged);
  EXPECT_EQ(Remove("one@*").done, 1u);
  EXPECT_EQ(Remove("*@dead.example").done, 2u);
  EXPECT_EQ(Remove("nobody@*").found, 0u);
  EXPECT_EQ(story_.Counters().removed, 3u);
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  ASSERT_TRUE(story_.RunUntil([this] { return story_.List().size() == 1; }, core::kNsPerMinute));
  EXPECT_EQ(story_.List()[0].recipient, "two@b.example");
  EXPECT_TRUE(sender_->taken().empty());
  EXPECT_EQ(Remove("*").done, 1u);
  story_.Finish();
}

TEST_P(AnOperatorRemovesMail, ThatIsBeingSent) {
  simulation::ScriptedServer* server = story_.AddServer(
      "b.example",
      {{.at = "RCPT TO:<one@", .reply = "550 5.1.1 no", .delay_ns = 20 * core::kNsPerSecond},
       {.at = "RCPT TO:<two@", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@b.example"}).acknowledged);
  story_.RunFor(core::kNsPerSecond);
  const CommandCounts counts = Remove("*@b.example");
  EXPECT_EQ(counts.done, 2u);  // also the one that was refused: its sender need not know any more
  EXPECT_EQ(counts.kept, 1u);
  EXPECT_EQ(server->taken().size(), 1u);
  EXPECT_EQ(story_.Counters().removed, 2u);
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.RunFor(core::kNsPerMinute);
  EXPECT_TRUE(sender_->taken().empty());
  story_.Finish();
}

TEST_P(AnOperatorRemovesMail, ButNotWhatItsSenderIsBeingToldOf) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no"}});
  story_.Start();
  // The disk does not take the notice for now.
  story_.world().mutable_options().disk.write.high_ns = 5 * core::kNsPerSecond;
  story_.world().mutable_options().disk.write.low_ns = 5 * core::kNsPerSecond;
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(core::kNsPerSecond);
  const CommandCounts counts = Remove("one@*");
  EXPECT_EQ(counts.found, 1u);
  EXPECT_EQ(counts.kept, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(core::kNsPerMinute));
  EXPECT_EQ(sender_->taken().size(), 1u);
  EXPECT_EQ(story_.Counters().bounced, 1u);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, AnOperatorRemovesMail, testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
