// Operators ask for the queue, more of them than indexes fit into memory at a time
// (core::kIndexReadersPerLog); and some do not read the answer: `outbox queue | less`, and lunch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;

// Over several segments, so that each wants another index when it is through with one.
TEST(ManyListings, AllComeToTheirEnd) {
  ShardStory story(1);
  story.AddDeadRoute("b.example");
  story.Start();
  const std::string content = "Subject: x\r\n\r\n" + std::string(30'000, 'x') + "\r\n";
  for (int i = 0; i < 120; ++i) {
    const std::string to = "u" + std::to_string(i) + "@b.example";
    ASSERT_TRUE(story.Send(kSender, {to}, content).acknowledged);
  }
  for (int i = 0; i < 20; ++i) story.StartListing();
  ASSERT_TRUE(story.RunUntil([&] { return story.AllListingsDone(); }, kNsPerMinute));
  EXPECT_EQ(story.Shown().size(), 120u);
  story.Finish(120);
}

// As many as have an index wait in the middle of it, and of a message.
TEST(StalledListings, KeepNobodyFromHisWork) {
  constexpr int kSmall = 400;
  ShardStory story(1);
  story.AddDeadRoute("b.example");
  story.Start();
  std::vector<std::string> all;
  for (int i = 0; i < 700; ++i) all.push_back("r" + std::to_string(i) + "@b.example");
  ASSERT_TRUE(story.Send(kSender, all).acknowledged);
  for (int i = 0; i < kSmall; ++i) {
    story.SendLater(kSender, {"u" + std::to_string(i) + "@b.example"});
    if (i % 20 > 0 && i + 1 < kSmall) continue;
    const size_t sent = static_cast<size_t>(i) + 1;
    ASSERT_TRUE(story.RunUntil([&] { return story.acknowledged_later() == sent; }, kNsPerMinute));
  }
  for (uint32_t i = 0; i < core::kIndexReadersPerLog; ++i) story.StartListing({}, /*lines=*/1);
  story.RunFor(core::kNsPerSecond);
  ASSERT_FALSE(story.ListingDone());

  QueueFilter filter;
  filter.recipient = "u1*@b.example";
  EXPECT_EQ(story.Command(QueueOrder::kRemove, filter).done, 111u);
  EXPECT_EQ(story.List().size(), 700u + kSmall - 111);
  story.config().routes[0].via[0].port = 2525;  // a reload looks through the queue as well
  story.config().routes[0].via[0].address.port = 2525;
  story.Reload();
  ASSERT_TRUE(story.RunUntil(
      [&] { return story.events().find("\"rerouted\"") != std::string::npos; }, kNsPerMinute));

  story.StartListing({}, /*lines=*/1);
  story.RunFor(core::kNsPerSecond);
  EXPECT_FALSE(story.ListingDone());
  EXPECT_EQ(story.List().size(), 700u + kSmall - 111);
  story.StartListing({}, /*lines=*/1);
  story.ReadOn();
  ASSERT_TRUE(story.RunUntil([&] { return story.AllListingsDone(); }, kNsPerMinute));
  const std::map<std::string, int> shown = story.Shown();
  EXPECT_EQ(shown.size(), 700u + kSmall - 111);
  for (const auto& [recipient, times] : shown) EXPECT_EQ(times, 1) << recipient;
  story.Finish(700 + kSmall - 111);
}

}  // namespace
}  // namespace outbox::queue
