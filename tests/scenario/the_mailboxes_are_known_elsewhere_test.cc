// Which mailboxes there are is known to a file, or to the LMTP server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ClientResult;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kStore[] = "/run/store";

core::LocalConfig KnownElsewhere() {
  core::LocalConfig local;
  local.domains = {"here.example"};
  core::ViaHost host;
  host.host = host.path = kStore;
  host.lmtp = true;
  local.lmtp = {host};
  return local;
}

std::string FirstReply(const ClientResult& result) {
  return result.recipient_replies.empty() ? "" : result.recipient_replies[0].substr(0, 9);
}

TEST_P(ScenarioTest, AFileOfMailboxesIsReadAgainWhenItChanges) {
  story_.config().local = KnownElsewhere();
  story_.config().local.mailbox_file = "/etc/mailboxes";
  ScriptedServer* server = story_.AddLmtp(kStore);
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/etc");
  story_.Start();
  // Nobody knows the mailboxes yet: that is no reason to refuse mail for good.
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"alice@here.example"})), "451 4.3.0");
  EXPECT_THAT(story_.events(), HasSubstr("mailboxes_not_read"));
  disk.WriteAll("/etc/mailboxes", "# ours\nAlice  # the boss\n\n");
  story_.RunFor(5 * kNsPerSecond);
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"bob@here.example"})), "550 5.1.1");
  // Half of it is written, then all; in between the list is what it was.
  disk.WriteAll("/etc/mailboxes", "alice\nbo");
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("the last line has no end"));
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  disk.WriteAll("/etc/mailboxes", "alice\nbob@here.example\n");
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_TRUE(story_.Send(kSender, {"bob@here.example"}).acknowledged);
  // A line that is no name is worth no mailbox.
  disk.WriteAll("/etc/mailboxes", "alice\nbob/../carol\n");
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("line 2: "));
  EXPECT_TRUE(story_.Send(kSender, {"bob@here.example"}).acknowledged);
  // A reload that has nothing to do with it changes nothing.
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, {"bob@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(5));
  story_.Finish();
}

// An empty file, or one that changes from look to look, is one that somebody is writing.
TEST_P(ScenarioTest, AFileOfMailboxesThatKeepsChangingIsWaitedFor) {
  story_.config().local = KnownElsewhere();
  story_.config().local.mailbox_file = "/etc/mailboxes";
  story_.AddLmtp(kStore);
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/etc");
  disk.WriteAll("/etc/mailboxes", "alice\n");
  story_.Start();
  story_.RunFor(kNsPerSecond);
  std::string text;
  for (int i = 0; i < 20; ++i) {
    disk.WriteAll("/etc/mailboxes", text);
    story_.RunFor(kNsPerSecond);
    ASSERT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged) << i;
    text += "user" + std::to_string(i) + "\n";
  }
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"alice@here.example"})), "550 5.1.1");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

TEST_P(ScenarioTest, TheLmtpServerIsAskedAtRcpt) {
  story_.config().local = KnownElsewhere();
  story_.config().local.ask = true;
  ScriptedServer* server = story_.AddLmtp(
      kStore, {{.at = "RCPT TO:<nobody@", .reply = "550 5.1.1 no such user"},
               {.at = "RCPT TO:<later@", .reply = "451 4.3.0 the directory is down"}});
  story_.Start();
  const ClientResult result = story_.Send(
      kSender, {"alice+x@here.example", "nobody@here.example", "later@here.example"});
  EXPECT_TRUE(result.acknowledged);
  ASSERT_THAT(result.recipient_replies, SizeIs(3));
  EXPECT_THAT(result.recipient_replies[0], StartsWith("250 2.1.5"));
  EXPECT_THAT(result.recipient_replies[1], StartsWith("550 5.1.1"));
  EXPECT_THAT(result.recipient_replies[2], StartsWith("451 4.3.0"));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("alice@here.example"));
  // What a shard remembers it does not ask again.
  const size_t asked = server->answers().size();
  if (GetParam() > 1) return story_.Finish();
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"nobody@here.example"})), "550 5.1.1");
  EXPECT_EQ(server->answers().size(), asked);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"nobody@here.example"})), "550 5.1.1");
  EXPECT_EQ(server->answers().size(), asked + 1);
  story_.Finish();
}

TEST_P(ScenarioTest, ManyClientsAskAtOnce) {
  story_.config().local = KnownElsewhere();
  story_.config().local.ask = true;
  story_.AddLmtp(kStore, {{.at = "RCPT TO:",
                           .reply = "",
                           .keep_reply = true,
                           .delay_ns = 20 * core::kNsPerMs}});
  story_.Start();
  for (int i = 0; i < 90; ++i) {
    story_.SendLater(kSender, {"user" + std::to_string(i % 80) + "@here.example"});
  }
  ASSERT_TRUE(story_.RunUntil([&] { return story_.acknowledged_later() == 90; }, 5 * kNsPerMinute));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().delivered, 90u);
  story_.Finish();
}

TEST_P(ScenarioTest, TheLmtpServerThatIsToBeAskedIsNotThere) {
  story_.config().local = KnownElsewhere();
  story_.config().local.ask = true;
  story_.Start();
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"alice@here.example"})), "451 4.3.0");
  ScriptedServer* server = story_.AddLmtp(kStore);
  // For a moment nobody asks; then it is found.
  story_.RunFor(10 * kNsPerSecond);
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

// It takes the connection and says nothing: its clients do not wait for ever, nor does a stop.
TEST_P(ScenarioTest, TheLmtpServerThatIsAskedSaysNothing) {
  story_.config().local = KnownElsewhere();
  story_.config().local.ask = true;
  ScriptedServer* server =
      story_.AddLmtp(kStore, {{.at = "RCPT TO:",
                               .reply = "",
                               .then = simulation::ScriptRule::Then::kStall}});
  story_.Start();
  const int64_t before_ns = story_.world().now_ns();
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"alice@here.example"})), "451 4.3.0");
  EXPECT_LE(story_.world().now_ns() - before_ns, 20 * kNsPerSecond);
  story_.RunFor(kNsPerMinute);
  story_.SendLater(kSender, {"bob@here.example"});
  EXPECT_TRUE(story_.RunUntil([&] { return server->open_sessions() > 0; }, kNsPerMinute));
  story_.RunFor(kNsPerSecond);
  story_.Finish();
  EXPECT_EQ(story_.acknowledged_later(), 0u);
}

// The first of two servers takes the connection and answers everything but RCPT: the second one is
// asked, although nothing tells of the first one but time.
TEST_P(ScenarioTest, TheFirstOfTwoLmtpServersHangs) {
  ScriptedServer* const hangs =
      story_.AddLmtp("/run/first", {{.at = "RCPT TO:",
                                     .reply = "",
                                     .then = simulation::ScriptRule::Then::kStall}});
  ScriptedServer* const works = story_.AddLmtp("/run/second");
  core::LocalConfig local = KnownElsewhere();
  local.ask = true;
  local.lmtp.clear();
  for (const ScriptedServer* server : {hangs, works}) {
    core::ViaHost host;
    host.host = server->address().ToString();
    host.is_address = host.lmtp = true;
    host.address = server->address();
    host.port = server->address().port;
    local.lmtp.push_back(host);
  }
  story_.config().local = local;
  story_.Start();
  EXPECT_EQ(FirstReply(story_.Send(kSender, {"alice@here.example"})), "451 4.3.0");
  // From then on it is known, whichever shard the client meets.
  for (uint32_t i = 1; i < GetParam(); ++i) story_.Send(kSender, {"alice@here.example"});
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  EXPECT_THAT(works->answers(), SizeIs(testing::Ge(1u)));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
