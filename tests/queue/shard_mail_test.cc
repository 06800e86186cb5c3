// PostOffice: order, full rings, recalls that cross returns, wakes.
#include "queue/shard_mail.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/queue/clock_io.h"

namespace outbox::queue {
namespace {

// A shard that returns what it is offered when told to, and counts.
struct Shard : public HomeMail, public OwnerMail, public ControlMail {
  std::unique_ptr<PostOffice> post;
  std::vector<Ticket*> held;
  std::vector<Ticket*> returned;
  std::vector<uint64_t> commands;
  std::vector<std::string> lifted;
  int recalls = 0;
  int lanes = 0;

  void OnOffer(Ticket* ticket) override { held.push_back(ticket); }
  void OnRecall(Ticket*) override { ++recalls; }
  void OnFetched(Ticket*, uint32_t, const Window&) override {}
  void OnLift(const LiftNotice& notice) override { lifted.push_back(notice.key); }
  void OnSlotGrant(uint32_t, bool) override {}
  void OnSlotWanted(uint32_t) override {}
  void OnReturn(Ticket* ticket) override { returned.push_back(ticket); }
  void OnFetch(Ticket* ticket, uint32_t part, const Extent*) override {
    post->Fetched(ticket, part, Window{"x", 1, 0});
  }
  void OnRelease(Ticket*, const Window&) override {}
  void OnLane(const LaneNotice& notice) override { lanes += notice.open ? 1 : -1; }
  void OnCommand(uint8_t, void* command) override {
    commands.push_back(static_cast<uint64_t>(reinterpret_cast<uintptr_t>(command)));
  }
  void OnReply(uint8_t, void*) override {}
};

class ShardMailTest : public testing::Test {
 protected:
  ShardMailTest() : exchange_(2, /*tiny=*/true) {
    for (uint8_t i = 0; i < 2; ++i) {
      shards_[i].post = std::make_unique<PostOffice>(&exchange_, i);
      shards_[i].post->SetHandlers(&shards_[i], &shards_[i], &shards_[i]);
      shards_[i].post->SetIos({&ios_[0], &ios_[1]});
    }
  }
  void Turn(int shard) {
    shards_[shard].post->Drain();
    shards_[shard].post->Flush();
  }

  Exchange exchange_;
  ClockIo ios_[2];
  Shard shards_[2];
};

TEST_F(ShardMailTest, OrderHoldsWhenTheRingIsFull) {
  for (uintptr_t i = 1; i <= 100; ++i) shards_[0].post->Command(1, reinterpret_cast<void*>(i));
  EXPECT_EQ(shards_[0].post->waiting(), 98u);
  EXPECT_EQ(shards_[0].post->counters().full, 98u);
  for (int i = 0; i < 100 && shards_[0].post->waiting() + shards_[1].commands.size() > 0; ++i) {
    Turn(0);
    Turn(1);
  }
  ASSERT_EQ(shards_[1].commands.size(), 100u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(shards_[1].commands[i], i + 1);
  EXPECT_FALSE(shards_[1].post->HasMail());
}

TEST_F(ShardMailTest, OnlyMailToOtherShardsIsCounted) {
  shards_[0].post->Command(0, nullptr);
  EXPECT_EQ(shards_[0].post->counters().posted, 0u);
  shards_[0].post->Command(1, nullptr);
  EXPECT_EQ(shards_[0].post->counters().posted, 1u);
}

TEST_F(ShardMailTest, OneWakeForABatch) {
  shards_[0].post->Command(1, nullptr);
  shards_[0].post->Command(1, nullptr);
  shards_[0].post->Command(0, nullptr);  // to oneself: nobody is woken
  shards_[0].post->Flush();
  shards_[0].post->Flush();
  EXPECT_EQ(ios_[1].wakes, 1);
  EXPECT_EQ(ios_[0].wakes, 0);
  Turn(0);
  EXPECT_EQ(shards_[0].commands.size(), 1u);
}

TEST_F(ShardMailTest, NothingIsHandledInsideThePost) {
  shards_[0].post->Command(0, nullptr);
  EXPECT_TRUE(shards_[0].commands.empty());
  EXPECT_TRUE(shards_[0].post->HasMail());
}

TEST_F(ShardMailTest, ARecallReachesTheHolder) {
  Ticket ticket;
  shards_[0].post->Offer(1, &ticket);
  Turn(0), Turn(1);
  shards_[0].post->Recall(&ticket);
  Turn(0), Turn(1);
  EXPECT_EQ(shards_[1].recalls, 1);
  EXPECT_TRUE(ticket.recalled);
  shards_[1].post->Return(&ticket);
  Turn(1), Turn(0);
  EXPECT_EQ(shards_[0].returned.size(), 1u);
}

// The return is on its way when home recalls: home hears of it only when the recall is answered, so
// that no mail about the ticket is left.
TEST_F(ShardMailTest, ARecallThatCrossesTheReturnIsWaitedFor) {
  Ticket ticket;
  shards_[0].post->Offer(1, &ticket);
  Turn(0), Turn(1);
  shards_[1].post->Return(&ticket);
  shards_[0].post->Recall(&ticket);
  Turn(0);  // the return is there
  EXPECT_TRUE(shards_[0].returned.empty());
  Turn(1);  // the recall finds nothing and is answered
  EXPECT_EQ(shards_[1].recalls, 0);
  Turn(0);
  EXPECT_EQ(shards_[0].returned.size(), 1u);
  EXPECT_FALSE(ticket.recall_pending);
  EXPECT_FALSE(shards_[1].post->HasMail() || shards_[0].post->HasMail());
}

TEST_F(ShardMailTest, LanesReachEverybodyAndOneself) {
  shards_[0].post->Lane("via:10.0.0.1:25", 1, true);
  Turn(0), Turn(1);
  EXPECT_EQ(shards_[0].lanes, 1);
  EXPECT_EQ(shards_[1].lanes, 1);
  shards_[0].post->Lane("via:10.0.0.1:25", 1, false);  // read by nobody: freed with the exchange
}

}  // namespace
}  // namespace outbox::queue
