// A message cannot be read from the spool: commands try again, and say what they could not look at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using ::testing::HasSubstr;
using ::testing::Not;

class MailThatCannotBeRead : public ScenarioTest {
 protected:
  // Two recipients of one message, on the disk alone.
  void Begin() {
    story_.config().storage.hot_memory = 0;
    story_.AddDeadRoute("dead.example");
    story_.Start();
    EXPECT_TRUE(story_.Send(kSender, {"one@dead.example", "two@dead.example"}).acknowledged);
    story_.RunFor(kNsPerSecond);
    ASSERT_TRUE(story_.Stop());
    story_.Start();
    ASSERT_TRUE(story_.RunUntil([this] { return story_.List().size() == 2; }, kNsPerMinute));
  }

  CommandCounts Remove(const std::string& recipient) {
    QueueFilter filter;
    filter.recipient = recipient;
    return story_.Command(QueueOrder::kRemove, filter);
  }
};

TEST_P(MailThatCannotBeRead, OnceIsReadAgain) {
  Begin();
  story_.world().disk(0).FailRead(1);
  const CommandCounts counts = Remove("one@dead.example");
  EXPECT_EQ(counts.found, 1u);
  EXPECT_EQ(counts.done, 1u);
  EXPECT_EQ(counts.unreadable, 0u);
  EXPECT_THAT(story_.events(), Not(HasSubstr("cannot be read")));
  story_.Finish(1);
}

TEST_P(MailThatCannotBeRead, AtAllIsCountedAndLogged) {
  Begin();
  story_.world().mutable_options().disk.read_error_ppm = 1'000'000;
  const CommandCounts counts = Remove("one@dead.example");
  EXPECT_EQ(counts.found, 0u);
  EXPECT_EQ(counts.done, 0u);
  EXPECT_EQ(counts.unreadable, 2u);  // whose they are is what cannot be read
  story_.RunFor(kNsPerSecond);  // until it is written
  EXPECT_THAT(story_.events(), HasSubstr("cannot be read"));
  story_.world().mutable_options().disk.read_error_ppm = 0;
  EXPECT_EQ(Remove("one@dead.example").done, 1u);
  story_.Finish(1);
}

TEST_P(MailThatCannotBeRead, IsMissingFromAListThatSaysSo) {
  Begin();
  EXPECT_EQ(story_.gaps().unreadable, 0u);
  story_.world().mutable_options().disk.read_error_ppm = 1'000'000;
  EXPECT_EQ(story_.List().size(), 0u);
  EXPECT_EQ(story_.gaps().unreadable, 2u);
  story_.RunFor(kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("cannot be read"));
  story_.world().mutable_options().disk.read_error_ppm = 0;
  EXPECT_EQ(story_.List().size(), 2u);
  story_.Finish(2);
}

TEST_P(MailThatCannotBeRead, WhenItsRouteGoesIsLoggedAndStays) {
  Begin();
  story_.world().mutable_options().disk.read_error_ppm = 1'000'000;
  std::erase_if(story_.config().routes,
                [](const core::RouteConfig& route) { return route.name == "dead.example"; });
  story_.Reload();
  EXPECT_TRUE(story_.RunUntil(
      [this] { return story_.events().find("cannot be read") != std::string::npos; },
      kNsPerMinute));
  story_.world().mutable_options().disk.read_error_ppm = 0;
  story_.RunFor(kNsPerMinute);
  story_.Finish(2);
}

INSTANTIATE_TEST_SUITE_P(Shards, MailThatCannotBeRead, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace outbox::queue
