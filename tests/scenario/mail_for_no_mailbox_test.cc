// A local domain has no such mailbox: the five rules for that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ClientResult;
using simulation::RelayCounters;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

core::LocalConfig NoMailboxBut(core::Undelivered rule) {
  core::LocalConfig local;
  local.domains = {"here.example"};
  local.maildir = "/mail/{user}";
  local.mailboxes = {"alice"};
  local.undelivered = rule;
  return local;
}

TEST_P(ScenarioTest, WithoutAMailboxMailIsRejected) {
  story_.config().local = NoMailboxBut(core::Undelivered::kReject);
  story_.Start();
  const ClientResult result = story_.Send(kSender, {"nobody@here.example"});
  EXPECT_FALSE(result.acknowledged);
  EXPECT_THAT(result.recipient_replies[0], StartsWith("550 5.1.1 "));
  story_.RunFor(core::kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("no such mailbox"));
  EXPECT_EQ(story_.Counters().accepted, 0u);
  story_.Finish();
}

TEST_P(ScenarioTest, WithoutAMailboxMailIsReported) {
  story_.config().local = NoMailboxBut(core::Undelivered::kReport);
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"nobody@here.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"nobody@here.example"}).acknowledged);  // nobody to tell
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("Status: 5.1.1"), 1u);
  EXPECT_EQ(Told("there is no mailbox of this name here"), 1u);
  const RelayCounters counters = story_.Counters();
  EXPECT_EQ(counters.bounced, 2u);
  EXPECT_EQ(counters.generated, 1u);
  story_.Finish();
}

TEST_P(ScenarioTest, WithoutAMailboxMailIsForwarded) {
  story_.config().local = NoMailboxBut(core::Undelivered::kForward);
  story_.config().local.forward_to = "catchall@b.example";
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"nobody@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("catchall@b.example"));
  EXPECT_EQ(server->taken()[0].reverse_path, kSender);
  story_.Finish();
}

// What is forwarded to a mailbox that there is not does not go round in a circle.
TEST_P(ScenarioTest, WithoutAMailboxMailIsForwardedToNoMailbox) {
  story_.config().local = NoMailboxBut(core::Undelivered::kForward);
  story_.config().local.forward_to = "nobody-either@here.example";
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"nobody@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("nobody-either@here.example"), 1u);
  story_.Finish();
}

TEST_P(ScenarioTest, WithoutAMailboxMailIsRelayed) {
  ScriptedServer* server = story_.AddServer("old.example");
  story_.config().local = NoMailboxBut(core::Undelivered::kRelay);
  story_.config().local.relay_to = story_.config().routes.back().via;
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"nobody@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("nobody@here.example"));
  story_.Finish();
}

TEST_P(ScenarioTest, WithoutAMailboxMailIsDiscarded) {
  story_.config().local = NoMailboxBut(core::Undelivered::kDiscard);
  story_.world().disk(0).MakeDirectory("/mail");
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"nobody@here.example", "nor-me@here.example", "alice@here.example"})
          .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  const RelayCounters counters = story_.Counters();
  EXPECT_EQ(counters.accepted, 3u);
  EXPECT_EQ(counters.discarded, 2u);
  EXPECT_EQ(counters.delivered, 1u);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"discarded\""));
  EXPECT_THAT(story_.events(), HasSubstr("\"destination\":\"discard:\""));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
