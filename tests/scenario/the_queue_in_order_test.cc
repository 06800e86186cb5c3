// Some thousand messages on the disk, in segments that are full: looked at, sorted, counted, and
// removed by their sender, without a read for each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr int kMessages = 1500;

class TheQueueInOrder : public ScenarioTest {
 protected:
  // Every third one for another domain; senders by tens. Nothing is in memory but what home keeps.
  void Begin() {
    story_.config().storage.segment_size = 1 << 20;
    story_.config().storage.hot_memory = 0;
    story_.config().delivery.periods.retry_until_ns = 24 * kNsPerHour;
    story_.config().delivery.periods.notify_after_ns = core::kNever;
    story_.AddDeadRoute("a.example");
    story_.AddDeadRoute("b.example");
    story_.Start();
    const std::string line(900, 'x');
    for (int i = 0; i < kMessages; ++i) {
      const std::string to = "u" + std::to_string(10'000 + i) + (i % 3 == 0 ? "@b" : "@a");
      const std::string from = "s" + std::to_string(i % 10) + "@sender.example";
      const std::string body(static_cast<size_t>(900 + i % 7), 'x');
      ASSERT_TRUE(story_.Send(from, {to + ".example"},
                              "Subject: x\r\n\r\n" + body + "\r\n" + line + "\r\n")
                      .acknowledged);
    }
    story_.RunFor(kNsPerMinute);
  }

  uint64_t Reads() {
    uint64_t reads = 0;
    for (uint32_t i = 0; i < GetParam(); ++i) reads += story_.world().disk(i).reads();
    return reads;
  }
};

TEST_P(TheQueueInOrder, IsReadInLargePieces) {
  Begin();
  uint64_t before = Reads();
  const std::vector<QueueLine> all = story_.List();
  ASSERT_THAT(all, SizeIs(kMessages));
  for (int i = 0; i < kMessages; ++i) {
    const std::string user = "u" + std::to_string(10'000 + i) + "@";
    EXPECT_TRUE(all[static_cast<size_t>(i)].recipient.starts_with(user)) << i;
  }
  EXPECT_GT(Reads(), before);
  EXPECT_LT(Reads() - before, 300u);
  // What only memory knows is not read at all.
  before = Reads();
  QueueQuery query;
  query.columns = ColumnBit(QueueColumn::kState) | ColumnBit(QueueColumn::kAge);
  EXPECT_THAT(story_.List(query), SizeIs(kMessages));
  QueueFilter delayed;
  delayed.states = StateBit(RecipientState::kDelayed);
  EXPECT_EQ(story_.Census(delayed, QueueColumn::kState).size(), 0u);
  EXPECT_EQ(Reads(), before);
  // A removal by sender reads as the listing does.
  QueueFilter filter;
  filter.sender = "s7@*";
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, filter).done, kMessages / 10u);
  EXPECT_LT(Reads() - before, 300u);
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, {}).done, kMessages * 9u / 10);
  story_.Finish();
}

TEST_P(TheQueueInOrder, AnIndexThatCannotBeReadCostsNobodyHisLine) {
  Begin();
  for (const uint64_t n : {1, 2, 3}) {
    story_.world().disk(0).FailRead(n);
    EXPECT_THAT(story_.List(), SizeIs(kMessages)) << n;
    EXPECT_EQ(story_.gaps().unreadable, 0u);
  }
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, {}).done, static_cast<uint64_t>(kMessages));
  story_.Finish();
}

TEST_P(TheQueueInOrder, TheFirstOfAll) {
  Begin();
  QueueQuery query;
  query.sort = QueueColumn::kRecipient;
  query.descending = true;
  query.limit = 3;
  std::vector<std::string> recipients;
  for (const QueueLine& line : story_.List(query)) recipients.push_back(line.recipient);
  EXPECT_THAT(recipients, ElementsAre("u11499@a.example", "u11498@a.example", "u11497@b.example"));
  query.sort = QueueColumn::kAge;
  query.filter.domain = "b.example";
  recipients.clear();
  for (const QueueLine& line : story_.List(query)) recipients.push_back(line.recipient);
  EXPECT_THAT(recipients, ElementsAre("u10000@b.example", "u10003@b.example", "u10006@b.example"));
  query.filter = {};
  query.filter.size_min = 1;
  query.sort = QueueColumn::kSize;
  query.limit = 1000;
  const std::vector<QueueLine> lines = story_.List(query);
  ASSERT_THAT(lines, SizeIs(1000));
  for (size_t i = 1; i < lines.size(); ++i) EXPECT_GE(lines[i - 1].size, lines[i].size);
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, {}).done, static_cast<uint64_t>(kMessages));
  story_.Finish();
}

TEST_P(TheQueueInOrder, ByWhatItHasInCommon) {
  Begin();
  const auto domains = story_.Census({}, QueueColumn::kDomain);
  ASSERT_THAT(domains, SizeIs(2));
  EXPECT_EQ(domains.at("a.example").recipients, kMessages * 2u / 3);
  EXPECT_EQ(domains.at("b.example").recipients, kMessages / 3u);
  EXPECT_GT(domains.at("b.example").bytes, kMessages / 3u * 1800u);
  EXPECT_GE(domains.at("b.example").oldest_ns, kNsPerMinute);
  const auto senders = story_.Census({}, QueueColumn::kSender);
  EXPECT_THAT(senders, SizeIs(10));
  EXPECT_EQ(senders.at("s3@sender.example").recipients, kMessages / 10u);
  const auto young = story_.Census({}, QueueColumn::kAge);
  ASSERT_THAT(young, SizeIs(1));
  EXPECT_EQ(young.at("0-5m").recipients, static_cast<uint64_t>(kMessages));
  story_.RunFor(kNsPerHour);
  const auto older = story_.Census({}, std::nullopt);
  ASSERT_THAT(older, SizeIs(1));
  EXPECT_EQ(older.at("").ages[4], static_cast<uint64_t>(kMessages));  // 40 to 80 minutes
  EXPECT_EQ(story_.Command(QueueOrder::kRemove, {}).done, static_cast<uint64_t>(kMessages));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, TheQueueInOrder, ::testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
