// One message for a thousand destinations, listed and removed piece by piece: no turn of the loop
// does more than a part of it.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;

TEST_P(ScenarioTest, AListingOfAThousandRecipients) {
  std::vector<std::string> all;
  for (int i = 0; i < 900; ++i) all.push_back("a@d" + std::to_string(i) + ".example");
  // A hundred of one destination: two tickets.
  story_.AddDeadRoute("down.example");
  for (int i = 0; i < 100; ++i) all.push_back("b" + std::to_string(i) + "@down.example");
  story_.Start();  // no name server answers
  ASSERT_TRUE(story_.Send(kSender, all).acknowledged);
  story_.RunFor(kNsPerMinute / 10);

  std::set<std::string> shown;
  for (const QueueLine& line : story_.List()) {
    EXPECT_TRUE(shown.insert(line.recipient).second) << line.recipient;
    EXPECT_EQ(line.domain, line.recipient.substr(line.recipient.find('@') + 1));
  }
  EXPECT_EQ(shown, std::set<std::string>(all.begin(), all.end()));
  EXPECT_LE(story_.most_listed_in_a_turn(), 600u);
  EXPECT_GE(story_.most_listed_in_a_turn(), 64u);

  QueueFilter filter;
  filter.domain = "d*.example";
  const CommandCounts removed = story_.Command(QueueOrder::kRemove, filter);
  EXPECT_EQ(removed.found, 1000u);
  EXPECT_EQ(removed.done, 1000u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
