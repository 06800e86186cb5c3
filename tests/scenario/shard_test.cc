// Whole shards: the stories of single messages, each on one shard and on two.
#include "queue/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "io/sim_disk.h"
#include "tests/scenario/shard_story.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ClientResult;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using simulation::TakenMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kSender[] = "alice@sender.example";

class ShardTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  // Every story needs somebody to tell; `sender_` gets the notifications.
  ShardTest() : sender_(story_.AddServer("sender.example")) {}

  // Notifications that came to the sender and say this.
  size_t Told(const std::string& what) const {
    size_t count = 0;
    for (const TakenMessage& taken : sender_->taken()) {
      EXPECT_EQ(taken.reverse_path, "");
      EXPECT_THAT(taken.recipients, ElementsAre(kSender));
      if (taken.content.find(what) != std::string::npos) ++count;
    }
    return count;
  }

  static std::vector<std::string> Numbered(const std::string& domain, int count) {
    std::vector<std::string> addresses;
    for (int i = 0; i < count; ++i) addresses.push_back("u" + std::to_string(i) + "@" + domain);
    return addresses;
  }

  ShardStory story_{GetParam()};
  ScriptedServer* sender_;
};

TEST_P(ShardTest, AcceptedAndDelivered) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const ClientResult result =
      story_.Send(kSender, {"bob@b.example"}, "Subject: x\r\n\r\n..dots\r\n");
  EXPECT_TRUE(result.acknowledged);
  EXPECT_THAT(result.last_reply, StartsWith("250 2.0.0"));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  const TakenMessage& taken = server->taken()[0];
  EXPECT_EQ(taken.reverse_path, kSender);
  EXPECT_THAT(taken.recipients, ElementsAre("bob@b.example"));
  EXPECT_THAT(taken.content, StartsWith("Received: from client.example"));
  EXPECT_THAT(taken.content, HasSubstr("for <bob@b.example>;"));
  EXPECT_TRUE(taken.content.ends_with("Subject: x\r\n\r\n..dots\r\n"));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.Finish();
}

TEST_P(ShardTest, RefusedAndItsSenderIsTold) {
  story_.AddServer("b.example", {{.at = "RCPT TO:<bob@", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Final-Recipient: rfc822; bob@b.example"), 1u);
  EXPECT_EQ(Told("Action: failed"), 1u);
  EXPECT_EQ(Told("Diagnostic-Code: smtp; 550 5.1.1 no such user"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  story_.Finish();
}

TEST_P(ShardTest, TheNullSenderIsNotTold) {
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send("", {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Counters().generated, 0u);
  story_.Finish();
}

TEST_P(ShardTest, ABounceNeverBounces) {
  sender_->script().rules = {{.at = "RCPT", .reply = "550 5.1.1 gone"}};
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().bounced, 2u);
  EXPECT_EQ(story_.Counters().generated, 1u);
  story_.Finish();
}

TEST_P(ShardTest, OneOfThreeIsRefused) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT TO:<two@", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"one@b.example", "two@b.example", "three@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(server->taken()[0].recipients, ElementsAre("one@b.example", "three@b.example"));
  EXPECT_THAT(server->taken()[0].content, Not(HasSubstr("for <")));  // several are not disclosed
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; one@b.example"), 0u);
  story_.Finish();
}

TEST_P(ShardTest, DeferredAndDeliveredNotBeforeTheRetryPeriod) {
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later", .times = 1}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntil(
      [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, kNsPerMinute));
  const int64_t refused_ns = story_.world().now_ns();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_GE(server->taken()[0].taken_ns - refused_ns, kNsPerMinute);
  EXPECT_LE(server->taken()[0].taken_ns - refused_ns, 2 * kNsPerMinute);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::deferred_total), 1);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

TEST_P(ShardTest, ExpiredAndItsSenderIsTold) {
  story_.config().delivery.periods.retry_until_ns = 10 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@dead.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"null@b.example"}).acknowledged);
  story_.RunFor(9 * kNsPerMinute);
  EXPECT_EQ(story_.Counters().queued, 3u);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  ASSERT_TRUE(story_.RunUntilEmpty(3 * kNsPerMinute));
  EXPECT_EQ(story_.Counters().expired, 3u);
  EXPECT_THAT(sender_->taken(), SizeIs(2));
  EXPECT_EQ(Told("Status: 4.4.7"), 2u);
  EXPECT_EQ(Told("rfc822; bob@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; bob@dead.example"), 1u);
  story_.Finish();
}

TEST_P(ShardTest, OneDelayNoticeThenDelivered) {
  story_.config().delivery.periods.notify_after_ns = 3 * kNsPerMinute;
  ScriptedServer* server =
      story_.AddServer("b.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(2 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.RunFor(20 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_EQ(Told("Action: delayed"), 1u);
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  for (const QueueLine& line : story_.List()) EXPECT_EQ(line.state, RecipientState::kDelayed);
  // Also after a restart the sender has been told.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(10 * kNsPerMinute);
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  server->script().rules.clear();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(ShardTest, ManyRecipientsTravelBySixtyFour) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const std::vector<std::string> all = Numbered("b.example", 200);
  EXPECT_TRUE(story_.Send(kSender, all).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  std::multiset<size_t> sizes;
  std::set<std::string> arrived;
  for (const TakenMessage& taken : server->taken()) {
    sizes.insert(taken.recipients.size());
    arrived.insert(taken.recipients.begin(), taken.recipients.end());
  }
  EXPECT_THAT(sizes, ElementsAre(8u, 64u, 64u, 64u));
  EXPECT_EQ(arrived, std::set<std::string>(all.begin(), all.end()));
  story_.Finish();
}

TEST_P(ShardTest, ManyDestinations) {
  std::vector<ScriptedServer*> servers;
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i) {
    const std::string domain = "d" + std::to_string(i) + ".example";
    servers.push_back(story_.AddServer(domain));
    all.push_back("a@" + domain);
    all.insert(all.begin(), "b@" + domain);
  }
  servers[7]->script().rules = {{.at = "RCPT TO:<a@", .reply = "550 5.1.1 no"}};
  servers[8]->script().rules = {{.at = "RCPT TO:<b@", .reply = "451 4.2.0 later", .times = 1}};
  servers[9]->script().rules = {{.at = ".", .reply = "554 5.6.0 not this"}};
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, all).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  for (size_t i = 0; i < servers.size(); ++i) {
    std::multiset<std::string> arrived;
    for (const TakenMessage& taken : servers[i]->taken()) {
      arrived.insert(taken.recipients.begin(), taken.recipients.end());
    }
    EXPECT_THAT(arrived, SizeIs(i == 7 ? 1 : i == 9 ? 0 : 2)) << i;
  }
  EXPECT_EQ(Told("rfc822; a@d7.example"), 1u);
  EXPECT_EQ(Told("rfc822; a@d9.example"), 1u);
  EXPECT_EQ(Told("rfc822; b@d9.example"), 1u);
  EXPECT_EQ(Told("rfc822; b@d8.example"), 0u);
  EXPECT_EQ(story_.Counters().bounced, 3u);
  story_.Finish();
}

TEST_P(ShardTest, ABigMessageArrivesAsItWas) {
  ScriptedServer* server = story_.AddServer("b.example");
  ScriptedServer* other = story_.AddServer("c.example");
  story_.Start();
  std::string content = "Subject: big\r\nDate: now\r\nMessage-ID: <a@b>\r\n\r\n";
  core::Random random(9);
  while (content.size() < 1'000'000) {
    std::string line(random.Below(76), ' ');
    for (char& c : line) c = static_cast<char>('!' + random.Below(90));
    if (line.starts_with('.')) line.insert(0, ".");
    content += line + "\r\n";
  }
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example", "carol@c.example"}, content).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  for (const ScriptedServer* one : {server, other}) {
    ASSERT_THAT(one->taken(), SizeIs(1));
    const std::string& got = one->taken()[0].content;
    ASSERT_GT(got.size(), content.size());
    EXPECT_TRUE(got.ends_with(content));
    EXPECT_THAT(got.substr(0, got.size() - content.size()), StartsWith("Received: "));
  }
  story_.Finish();
}

TEST_P(ShardTest, ADiskThatFailsTakesNothingAndNothingIsSent) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  story_.world().mutable_options().disk.write_error_ppm = 1'000'000;
  for (int i = 0; i < 3; ++i) {
    const ClientResult result = story_.Send(kSender, {"bob@b.example"});
    EXPECT_FALSE(result.acknowledged);
    EXPECT_THAT(result.last_reply, Not(StartsWith("2")));
    story_.RunFor(kNsPerSecond);
  }
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(server->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().accepted, 0u);
  story_.world().mutable_options().disk.write_error_ppm = 0;
  story_.RunFor(kNsPerMinute);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server->taken(), SizeIs(1));
  story_.Finish();
}

TEST_P(ShardTest, ANoticeThatIsNotStoredIsTriedAgain) {
  story_.AddServer("b.example",
                   {{.at = "RCPT", .reply = "550 5.1.1 no", .delay_ns = kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.world().mutable_options().disk.write_error_ppm = 1'000'000;
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().queued, 2u);
  EXPECT_EQ(story_.Counters().generated, 0u);
  EXPECT_THAT(story_.List(), SizeIs(2));
  story_.world().mutable_options().disk.write_error_ppm = 0;
  ASSERT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 2u);
  // It was written once: nothing comes again.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(kNsPerHour);
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  story_.Finish();
}

TEST_P(ShardTest, StoppedInTheMiddleNothingIsLost) {
  ScriptedServer* slow = story_.AddServer(
      "slow.example",
      {{.at = "DATA", .reply = "", .keep_reply = true, .delay_ns = 3 * kNsPerSecond}});
  ScriptedServer* later =
      story_.AddServer("later.example", {{.at = "RCPT", .reply = "451 4.2.0 later"}});
  story_.config().delivery.max_connections = 2;
  ScriptedServer* stuck = story_.AddServer(
      "stuck.example", {{.at = "MAIL", .reply = "", .then = ScriptRule::Then::kStall}});
  story_.Start();
  for (int i = 0; i < 10; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_TRUE(
        story_.Send(kSender, {user + "@slow.example", user + "@later.example"}).acknowledged);
    EXPECT_TRUE(story_.Send(kSender, {user + "@stuck.example"}).acknowledged);
  }
  EXPECT_TRUE(story_.Counters().AddUp());
  const uint64_t before = story_.Counters().queued;
  EXPECT_GE(before, 20u);
  ASSERT_TRUE(story_.Stop());
  const size_t delivered = slow->taken().size();
  later->script().rules.clear();
  stuck->script().rules.clear();
  slow->script().rules.clear();
  story_.Start();
  EXPECT_TRUE(
      story_.RunUntil([&] { return story_.Counters().recovered == 30 - delivered; }, kNsPerMinute))
      << story_.Counters().recovered << " and " << delivered;
  ASSERT_TRUE(story_.RunUntilEmpty(30 * kNsPerMinute));
  for (const ScriptedServer* one : {slow, later, stuck}) {
    std::multiset<std::string> arrived;
    for (const TakenMessage& taken : one->taken()) {
      arrived.insert(taken.recipients.begin(), taken.recipients.end());
    }
    EXPECT_THAT(arrived, SizeIs(10));
    EXPECT_THAT(std::set<std::string>(arrived.begin(), arrived.end()), SizeIs(10));
  }
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

// The refusal comes when the relay is already stopping.
TEST_P(ShardTest, StoppedBeforeTheRefusalItStopsAndTellsLater) {
  story_.AddServer("b.example",
                   {{.at = "RCPT", .reply = "550 5.1.1 no", .delay_ns = 2 * kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.RunFor(kNsPerSecond / 2);
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  ASSERT_TRUE(story_.RunUntil([&] { return story_.Counters().bounced == 2; }, kNsPerHour));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  story_.Finish();
}

TEST_P(ShardTest, TheListingShowsEveryRecipientOnceInItsState) {
  story_.config().delivery.max_connections = 1;
  story_.AddServer("busy.example", {{.at = "DATA", .reply = "", .then = ScriptRule::Then::kStall}});
  story_.AddServer("later.example", {{.at = "RCPT", .reply = "451 4.2.0 come back"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"a-sending@busy.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  EXPECT_TRUE(
      story_.Send(kSender, {"b-ready@busy.example", "c-deferred@later.example"}).acknowledged);
  story_.RunFor(kNsPerSecond);
  const std::vector<QueueLine> lines = story_.List();
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0].recipient, "a-sending@busy.example");
  EXPECT_EQ(lines[0].state, RecipientState::kSending);
  EXPECT_EQ(lines[0].mailhost, "10.1.0.2:25");
  EXPECT_EQ(lines[0].sender, kSender);
  EXPECT_EQ(lines[0].domain, "busy.example");
  EXPECT_EQ(lines[1].recipient, "b-ready@busy.example");
  EXPECT_EQ(lines[1].state, RecipientState::kReady);
  EXPECT_EQ(lines[1].attempts, 0u);
  EXPECT_EQ(lines[2].recipient, "c-deferred@later.example");
  EXPECT_EQ(lines[2].state, RecipientState::kDeferred);
  EXPECT_EQ(lines[2].attempts, 1u);
  EXPECT_EQ(lines[2].last_reply, "451 4.2.0 come back");
  EXPECT_EQ(lines[2].mailhost, "10.1.0.3:25");
  EXPECT_GT(lines[2].next_attempt_wall_ns, story_.world().wall_ns());
  EXPECT_EQ(lines[1].id, lines[2].id);
  story_.Finish(/*queued=*/3);
}

// Messages end while a listing reads them from the disk.
TEST_P(ShardTest, AListingAmongDeliveriesShowsNobodyTwice) {
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

TEST_P(ShardTest, ManyClientsAtOnce) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  for (int i = 0; i < 90; ++i) {
    story_.SendLater(kSender, {"u" + std::to_string(i) + "@b.example"});
  }
  EXPECT_TRUE(story_.RunUntil([&] { return story_.acknowledged_later() == 90; }, kNsPerHour));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  std::set<std::string> arrived;
  for (const TakenMessage& taken : server->taken()) arrived.insert(taken.recipients[0]);
  EXPECT_THAT(server->taken(), SizeIs(90));
  EXPECT_THAT(arrived, SizeIs(90));
  EXPECT_LE(server->open_sessions_peak(), story_.config().delivery.max_connections);
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, ShardTest, testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
