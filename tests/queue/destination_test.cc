// Destinations, deliveries, sites and mail together: four shards, fake homes, scripted peers.
#include <gtest/gtest.h>

#include <string>

#include "tests/queue/shard_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;

const std::string kOne = std::string("via:") + kHostA;
const std::string kTwo = std::string("via:") + kHostA + "," + kHostB;

TEST(DestinationTest, OneMessageIsDelivered) {
  ShardWorld world({});
  TestMail* mail = world.Send(0, kOne);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  EXPECT_EQ(mail->returns, 1u);
  EXPECT_EQ(world.connects(kHostA), 1u);
  world.Stop();
}

TEST(DestinationTest, TheConnectionIsUsedAgain) {
  ShardWorld world({});
  for (int i = 0; i < 10; ++i) {
    world.Send(static_cast<uint32_t>(i) % 4, kOne);
    ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  }
  EXPECT_EQ(world.connects(kHostA), 1u);
  // Idle for longer than the timeout: closed.
  world.RunFor(10 * kNsPerSecond);
  world.Send(0, kOne);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(world.connects(kHostA), 2u);
  world.Stop();
}

TEST(DestinationTest, AHostThatIsDownCostsTheNextOneNothing) {
  ShardWorld world({});
  world.host(kHostA).up = false;
  TestMail* mail = world.Send(1, kTwo);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  // The next one does not try the dead host first, and finds the connection still open.
  world.Send(2, kTwo);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(world.connects(kHostA), 1u);
  EXPECT_EQ(world.connects(kHostB), 1u);
  world.Stop();
}

TEST(DestinationTest, ATemporaryAnswerGoesToTheNextHostAtOnce) {
  ShardWorld world({});
  world.host(kHostA).defer_rcpt = 100;
  TestMail* mail = world.Send(0, kTwo, {.recipients = 5});
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 31u);
  EXPECT_TRUE(mail->ticket.result->failed.empty());
  world.Stop();
}

TEST(DestinationTest, APermanentAnswerIsFinal) {
  ShardWorld world({});
  world.host(kHostA).refuse_rcpt = 100;
  TestMail* mail = world.Send(0, kTwo, {.recipients = 3});
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->bounced, 7u);
  EXPECT_EQ(world.connects(kHostB), 0u);
  ASSERT_EQ(mail->ticket.result->failed.size(), 3u);
  EXPECT_EQ(mail->ticket.result->failed[0].code, 550);
  EXPECT_EQ(mail->ticket.result->mailhost, kHostA);
  world.Stop();
}

TEST(DestinationTest, SessionRefusedByAllHostsBounces) {
  ShardWorld world({});
  world.host(kHostA).greeting = 554;
  world.host(kHostB).greeting = 554;
  TestMail* mail = world.Send(0, kTwo);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->bounced, 1u);
  world.Stop();
}

TEST(DestinationTest, SessionRefusedByOneHostAndTheOtherDownDefers) {
  ShardWorld world({});
  world.host(kHostA).greeting = 554;
  world.host(kHostB).up = false;
  TestMail* mail = world.Send(0, kTwo);
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->bounced, 0u);
  EXPECT_EQ(mail->delivered, 0u);
  EXPECT_EQ(mail->reason, ReturnReason::kAttempted);
  world.Stop();
}

TEST(DestinationTest, AFullTransactionGoesOnInTheNext) {
  ShardWorld world({});
  world.host(kHostA).full_transaction = 60;
  TestMail* mail = world.Send(0, kOne, {.recipients = 64});
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, ~uint64_t{0});
  EXPECT_EQ(world.connects(kHostA), 1u);
  world.Stop();
}

TEST(DestinationTest, AKeyThatNamesNoPlaceIsDeferredWithASentence) {
  ShardWorld world({});
  TestMail* mail = world.Send(0, "nowhere:example.com", {.recipients = 2});
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  ASSERT_EQ(mail->ticket.result->failed.size(), 2u);
  EXPECT_EQ(mail->ticket.result->failed[0].code, 0);
  EXPECT_EQ(mail->ticket.result->failed[1].recipient, 1);
  EXPECT_EQ(mail->ticket.state.load(), RecipientState::kUnrouted);
  world.Stop();
}

TEST(DestinationTest, LargeMessagesComeWindowByWindow) {
  ShardWorld world({});
  world.host(kHostA).defer_data = 100;
  TestMail* mail = world.Send(3, kTwo, {.extents = 9});
  ASSERT_TRUE(world.RunUntilHome(kNsPerSecond));
  EXPECT_EQ(mail->delivered, 1u);
  world.Stop();
}

// Memory of home's is few. A peer that takes its time gets the bytes when it wants them.
TEST(DestinationTest, WhoWaitsForAPeerHoldsNoWindow) {
  for (const bool lease : {true, false}) {
    for (const uint32_t extents : {0u, 3u}) {
      ShardWorld world({});
      world.host(kHostA).step_ns = 10 * kNsPerSecond;
      TestMail* mail = world.Send(0, kOne, {.recipients = 3, .extents = extents, .lease = lease});
      world.RunFor(17 * kNsPerSecond);  // the envelope has gone out, and is not answered yet
      EXPECT_EQ(mail->ticket.state.load(), RecipientState::kSending);
      EXPECT_EQ(world.connects(kHostA), 1u);
      EXPECT_EQ(mail->leases, 0u);
      ASSERT_TRUE(world.RunUntilHome(5 * kNsPerMinute));
      EXPECT_EQ(mail->delivered, 7u);
      world.Stop();
    }
  }
}

TEST(DestinationTest, TheDeadlineOfAWaitingTicketBringsItHome) {
  ShardWorld world({});
  world.host(kHostA).up = false;
  world.Send(0, kOne, {.retry_s = 3600});
  world.RunFor(kNsPerSecond);
  TestMail* mail = world.Send(0, kOne, {.deadline_ns = world.now_ns() + 20 * kNsPerSecond});
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  EXPECT_EQ(mail->reason, ReturnReason::kDeadline);
  EXPECT_LE(mail->returned_ns - mail->accepted_ns, 21 * kNsPerSecond);
  world.Stop();
}

// Ten thousand tickets wait for a host that is dead. They cost one attempt per backoff, not one
// each; when the host is back one goes first, then more and more, and all are delivered.
TEST(DestinationTest, DeadDestinationCanaryAndSlowStart) {
  ShardWorld world({});
  world.host(kHostA).up = false;
  const int kTickets = 10'000;
  for (int i = 0; i < kTickets; ++i) {
    world.Send(static_cast<uint32_t>(i) % 4, kOne,
               {.sender = static_cast<uint64_t>(i % 100), .retry_s = 900});
  }
  world.RunFor(6 * kNsPerHour);
  // 112 s, 225 s, 450 s, then 900 s: about 26 attempts in six hours (lanes share the site's
  // backoff).
  EXPECT_LE(world.connects(kHostA), 30u);
  EXPECT_GE(world.connects(kHostA), 20u);
  uint32_t returned = 0;
  for (const auto& mail : world.mails()) returned += mail->returns;
  EXPECT_LE(returned, 30u);
  world.host(kHostA).up = true;
  // Each message that it takes allows for one connection more.
  const size_t before = world.order.size();
  ASSERT_TRUE(world.RunUntil(
      [&] {
        const size_t taken = world.order.size() - before;
        EXPECT_LE(world.peak_connections(kHostA), 1 + taken);
        return taken >= 30;
      },
      kNsPerHour));
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  EXPECT_EQ(world.peak_connections(kHostA), 20u);
  world.Stop();
}

TEST(DestinationTest, LanesOpenAndClose) {
  ShardWorld world({});
  world.host(kHostA).step_ns = 10 * kNsPerMs;
  for (int i = 0; i < 3000; ++i) world.Send(static_cast<uint32_t>(i) % 4, kOne);
  world.RunFor(kNsPerSecond);
  for (uint32_t shard = 0; shard < 4; ++shard) EXPECT_EQ(world.lanes_open(shard), 1u);
  for (int i = 0; i < 2000; ++i) world.Send(static_cast<uint32_t>(i) % 4, kOne);
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  // With the lanes open every shard sent some of it: no slot stayed with the owner alone.
  for (uint32_t shard = 0; shard < 4; ++shard) EXPECT_GT(world.delivered_by(shard), 50u);
  EXPECT_LE(world.peak_connections(kHostA), 20u);
  world.RunFor(kNsPerMinute);
  for (uint32_t shard = 0; shard < 4; ++shard) EXPECT_EQ(world.lanes_open(shard), 0u);
  world.Stop();
}

// One connection for the site, and destinations on all shards that have plenty to send over it.
TEST(DestinationTest, NoShardStarves) {
  ShardWorld world({.limit = 1});
  // Six destinations of one site: the order of the hosts differs, the set is the same.
  const std::string hosts[] = {"10.0.0.1:25", "10.0.0.2:25", "10.0.0.3:25"};
  std::vector<std::string> keys;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a != b) keys.push_back("via:" + hosts[a] + "," + hosts[b] + "," + hosts[3 - a - b]);
    }
  }
  for (const std::string& key : keys) {
    for (int i = 0; i < 1000; ++i) world.Send(0, key);
  }
  // After a while each destination has been served, though none is through.
  world.RunFor(8 * kNsPerSecond);
  for (size_t k = 0; k < keys.size(); ++k) {
    int done = 0;
    for (size_t i = 0; i < 1000; ++i) done += world.mails()[k * 1000 + i]->returns;
    EXPECT_GT(done, 0) << keys[k];
    EXPECT_LT(done, 1000) << keys[k];
  }
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  for (const std::string& host : hosts) EXPECT_LE(world.peak_connections(host), 1u);
  world.Stop();
}

TEST(DestinationTest, SendersTakeTurnsAndClassesGoFirst) {
  ShardWorld world({.limit = 1});
  for (int i = 0; i < 900; ++i) world.Send(0, kOne, {.sender = 1, .priority = 1});
  world.RunFor(50 * kNsPerMs);
  TestMail* receipt = world.Send(0, kOne, {.sender = 2, .priority = 1});
  TestMail* urgent = world.Send(0, kOne, {.sender = 1, .priority = 0});
  const size_t before = world.order.size();
  ASSERT_TRUE(world.RunUntilHome(kNsPerMinute));
  const auto place = [&](TestMail* mail) {
    return static_cast<size_t>(std::find(world.order.begin(), world.order.end(), mail) -
                               world.order.begin()) -
           before;
  };
  EXPECT_LE(place(urgent), 4u);  // what is on the connection goes first
  EXPECT_LE(place(receipt), 5u);
  world.Stop();
}

TEST(DestinationTest, AStopReturnsWhatWaitsAndEndsWhatIsSent) {
  ShardWorld world({});
  world.host(kHostA).step_ns = 50 * kNsPerMs;
  for (int i = 0; i < 500; ++i) world.Send(static_cast<uint32_t>(i) % 4, kOne);
  world.RunFor(300 * kNsPerMs);
  world.Stop();
  uint32_t shut = 0;
  for (const auto& mail : world.mails()) {
    EXPECT_EQ(mail->returns, 1u);
    EXPECT_EQ(mail->taken, mail->delivered);
    shut += mail->reason == ReturnReason::kShutdown ? 1 : 0;
  }
  EXPECT_GT(shut, 400u);
}

}  // namespace
}  // namespace outbox::queue
