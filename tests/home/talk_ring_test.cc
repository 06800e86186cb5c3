// What a shard keeps of its attempts.
#include "queue/talk_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/limits.h"

namespace outbox::queue {
namespace {

void Add(TalkRing* ring, uint64_t id, const std::string& lines, const std::string& outcome = "") {
  TalkFacts facts;
  facts.message_id = id;
  facts.wall_ns = static_cast<int64_t>(id) * 10;
  facts.session_ms = 7;
  facts.failed = !outcome.empty();
  facts.destination = "mx:example.net";
  facts.mailhost = "mx.example.net";
  facts.outcome = outcome;
  ring->Add(facts, {std::string_view(lines).substr(0, 3), std::string_view(lines).substr(3), 0});
}

// All ids that there are, read in pieces of `max` bytes.
std::vector<uint64_t> Ids(const TalkRing& ring, size_t max) {
  std::vector<uint64_t> ids;
  uint64_t from = 0;
  for (;;) {
    const std::string bytes = ring.Copy(&from, max);
    if (bytes.empty()) return ids;
    std::string_view rest = bytes;
    TalkFacts facts;
    std::string_view lines;
    while (TalkRing::Next(&rest, &facts, &lines)) ids.push_back(facts.message_id);
  }
}

TEST(TalkRing, GivesBackWhatWasAdded) {
  TalkRing ring(core::kTalkMemoryMin);
  EXPECT_TRUE(Ids(ring, 1000).empty());
  Add(&ring, 5, "S00000220 hello\n", "450 4.2.1 busy");
  uint64_t from = 0;
  const std::string bytes = ring.Copy(&from, 1);  // one in any case
  std::string_view rest = bytes;
  TalkFacts facts;
  std::string_view lines;
  ASSERT_TRUE(TalkRing::Next(&rest, &facts, &lines));
  EXPECT_EQ(facts.message_id, 5u);
  EXPECT_EQ(facts.wall_ns, 50);
  EXPECT_EQ(facts.session_ms, 7u);
  EXPECT_TRUE(facts.failed);
  EXPECT_EQ(facts.destination, "mx:example.net");
  EXPECT_EQ(facts.mailhost, "mx.example.net");
  EXPECT_EQ(facts.outcome, "450 4.2.1 busy");
  EXPECT_EQ(lines, "S00000220 hello\n");
  EXPECT_FALSE(TalkRing::Next(&rest, &facts, &lines));
  EXPECT_TRUE(ring.Copy(&from, 1000).empty());
}

TEST(TalkRing, TheOldestGiveWay) {
  TalkRing ring(core::kTalkMemoryMin);
  constexpr uint64_t kAdded = 5000;
  for (uint64_t id = 1; id <= kAdded; ++id) Add(&ring, id, std::string(100 + id % 37, 'x'));
  for (const size_t max : {size_t{1}, size_t{1000}, size_t{1} << 20}) {
    const std::vector<uint64_t> ids = Ids(ring, max);
    ASSERT_GT(ids.size(), core::kTalkMemoryMin / 250);
    ASSERT_LT(ids.size(), core::kTalkMemoryMin / 150);
    EXPECT_EQ(ids.back(), kAdded);
    for (size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i], ids[i - 1] + 1);
  }
}

// Mail goes on while somebody reads.
TEST(TalkRing, WhatHasGivenWayMeanwhileIsPassedOver) {
  TalkRing ring(core::kTalkMemoryMin);
  for (uint64_t id = 1; id <= 50; ++id) Add(&ring, id, std::string(1000, 'x'));
  uint64_t from = 0;
  ASSERT_FALSE(ring.Copy(&from, 3000).empty());
  for (uint64_t id = 51; id <= 200; ++id) Add(&ring, id, std::string(1000, 'x'));
  const std::string bytes = ring.Copy(&from, 1);
  std::string_view rest = bytes;
  TalkFacts facts;
  std::string_view lines;
  ASSERT_TRUE(TalkRing::Next(&rest, &facts, &lines));
  EXPECT_GT(facts.message_id, 100u);
}

TEST(TalkRing, LongWordsAreCut) {
  TalkRing ring(core::kTalkMemoryMin);
  Add(&ring, 1, std::string(core::kTalkBytes, 'x'), std::string(100'000, 'w'));
  EXPECT_EQ(Ids(ring, 1), std::vector<uint64_t>{1});
}

}  // namespace
}  // namespace outbox::queue
