// The tables in which home keeps what many tickets share: replies, periods, destinations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/time.h"
#include "queue/directory.h"
#include "queue/message_meta.h"
#include "queue/period_table.h"
#include "queue/reply_table.h"

namespace outbox::queue {
namespace {

using ::testing::ElementsAre;

TEST(ReplyTableTest, EqualRepliesAreOneAndGoWithTheirLastReference) {
  ReplyTable table;
  LastReply* first = table.Acquire({450, "4.2.1", "busy", "10.0.0.1:25"});
  EXPECT_EQ(table.Acquire({450, "4.2.1", "busy", "10.0.0.1:25"}), first);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(first->code(), 450);
  EXPECT_EQ(first->enhanced(), "4.2.1");
  EXPECT_EQ(first->text(), "busy");
  EXPECT_EQ(first->mailhost(), "10.0.0.1:25");
  table.Release(first);
  EXPECT_EQ(table.size(), 1u);
  table.Release(first);
  EXPECT_EQ(table.size(), 0u);
  table.Release(nullptr);
}

TEST(ReplyTableTest, EveryPartDistinguishes) {
  ReplyTable table;
  std::vector<LastReply*> replies = {
      table.Acquire({450, "4.2.1", "busy", "a"}), table.Acquire({451, "4.2.1", "busy", "a"}),
      table.Acquire({450, "4.2.2", "busy", "a"}), table.Acquire({450, "4.2.1", "full", "a"}),
      table.Acquire({450, "4.2.1", "busy", "b"}), table.Acquire({450, "", "busy", "a"}),
      table.Acquire({450, "4.2.1", "", "a"}),     table.Acquire({0, "", "", ""}),
  };
  EXPECT_EQ(table.size(), replies.size());
  for (LastReply* reply : replies) table.Release(reply);
  EXPECT_EQ(table.size(), 0u);
}

TEST(ReplyTableTest, LongTextsAreCutAndStillMeet) {
  ReplyTable table;
  const std::string text(core::kReplyTextMax + 100, 'x');
  LastReply* reply = table.Acquire({550, "", text, text});
  EXPECT_EQ(reply->text().size(), core::kReplyTextMax);
  EXPECT_EQ(table.Acquire({550, "", text + "y", text}), reply);
  table.Release(reply);
  table.Release(reply);
  EXPECT_EQ(table.size(), 0u);
}

struct GroupSpec {
  std::vector<uint32_t> retry_s;
  Periods periods;
};

const PeriodSet* Intern(PeriodTable* table, const GroupSpec& spec) {
  MetaBuilder builder;
  builder.Start(1, 0, 0, "a@b", "");
  builder.AddGroup("mx:example.com", "r", spec.retry_s, spec.periods);
  builder.AddRecipient("c@example.com");
  builder.SetBody(3, 0);
  const std::optional<MetaView> meta = MetaView::Parse(builder.Finish());
  EXPECT_TRUE(meta.has_value());
  return table->Intern(meta->Group(0));
}

TEST(PeriodTableTest, EqualPeriodsAreOneSet) {
  PeriodTable table;
  const GroupSpec a = {{60, 3600}, {.notify_after_s = 100, .retry_until_s = 1000}};
  const GroupSpec never = {{60}, {.notify_after_s = Periods::kNotifyNever, .retry_until_s = 7}};
  const PeriodSet* first = Intern(&table, a);
  const PeriodSet* second = Intern(&table, never);
  EXPECT_NE(first, second);
  EXPECT_EQ(Intern(&table, a), first);
  EXPECT_EQ(Intern(&table, a), first);
  EXPECT_EQ(Intern(&table, never), second);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_THAT(first->retry_ns, ElementsAre(core::kNsPerMinute, core::kNsPerHour));
  EXPECT_EQ(first->notify_after_ns, 100 * core::kNsPerSecond);
  EXPECT_EQ(first->retry_until_ns, 1000 * core::kNsPerSecond);
  EXPECT_EQ(second->notify_after_ns, core::kNever);
}

TEST(PeriodTableTest, NeighboursAreNotMixedUp) {
  PeriodTable table;
  const std::vector<GroupSpec> specs = {
      {{1, 2}, {3, 4}}, {{1}, {3, 4}},       {{2, 1}, {3, 4}},
      {{1, 2}, {4, 3}}, {{1, 2, 2}, {3, 4}}, {{UINT32_MAX - 1}, {UINT32_MAX - 1, UINT32_MAX - 1}},
  };
  std::vector<const PeriodSet*> sets;
  for (const GroupSpec& spec : specs) sets.push_back(Intern(&table, spec));
  EXPECT_EQ(table.size(), specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(Intern(&table, specs[i]), sets[i]);
    ASSERT_EQ(sets[i]->retry_ns.size(), specs[i].retry_s.size());
    EXPECT_EQ(sets[i]->retry_ns[0], int64_t{specs[i].retry_s[0]} * core::kNsPerSecond);
  }
}

TEST(DirectoryTest, AnEntryLivesAsLongAsItsTickets) {
  Directory directory;
  DirectoryEntry* entry = directory.Acquire("via:10.0.0.1:25");
  EXPECT_EQ(entry->key, "via:10.0.0.1:25");
  EXPECT_EQ(entry->hash, core::Hash64("via:10.0.0.1:25"));
  EXPECT_EQ(directory.Acquire("via:10.0.0.1:25"), entry);
  EXPECT_EQ(entry->tickets, 2u);
  entry->lane_open = true;
  directory.Release(entry);
  EXPECT_EQ(directory.Find("via:10.0.0.1:25"), entry);
  EXPECT_TRUE(entry->lane_open);
  directory.Release(entry);
  EXPECT_EQ(directory.Find("via:10.0.0.1:25"), nullptr);
  EXPECT_EQ(directory.size(), 0u);
  EXPECT_FALSE(directory.Acquire("via:10.0.0.1:25")->lane_open);  // a new one
}

// Owners read keys while home adds and removes others: an entry stays where it is.
TEST(DirectoryTest, EntriesStayInPlace) {
  Directory directory;
  core::Random random(3);
  std::map<std::string, std::pair<DirectoryEntry*, uint32_t>> expected;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "mx:d" + std::to_string(random.Below(500)) + ".example";
    const auto found = expected.find(key);
    if (found == expected.end()) {
      ASSERT_EQ(directory.Find(key), nullptr);
      expected[key] = {directory.Acquire(key), 1};
    } else if (random.Chance(1, 2)) {
      ASSERT_EQ(directory.Acquire(key), found->second.first);
      ++found->second.second;
    } else {
      directory.Release(found->second.first);
      if (--found->second.second == 0) expected.erase(found);
    }
  }
  EXPECT_EQ(directory.size(), expected.size());
  for (const auto& [key, entry] : expected) {
    EXPECT_EQ(directory.Find(key), entry.first);
    EXPECT_EQ(entry.first->key, key);
    EXPECT_EQ(entry.first->tickets, entry.second);
  }
}

}  // namespace
}  // namespace outbox::queue
