// The host takes three recipients a transaction and says 452, or 552 as of old (RFC 5321
// 4.5.3.1.10), to more: the rest goes in the next transaction, at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TooManyRecipients : public ScenarioTest {
 protected:
  // Eight recipients, three of them in a transaction.
  void TravelByThrees(const std::string& reply) {
    ScriptedServer* server = story_.AddServer("b.example");
    server->script().recipients_max = 3;
    server->script().too_many_reply = reply;
    story_.Start();
    const std::vector<std::string> all = Numbered("b.example", 8);
    EXPECT_TRUE(story_.Send(kSender, all).acknowledged);
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute / 2));
    std::multiset<std::string> arrived;
    for (const simulation::TakenMessage& taken : server->taken()) {
      EXPECT_LE(taken.recipients.size(), 3u);
      arrived.insert(taken.recipients.begin(), taken.recipients.end());
    }
    EXPECT_THAT(server->taken(), SizeIs(3));
    EXPECT_EQ(arrived, std::multiset<std::string>(all.begin(), all.end()));
    EXPECT_THAT(sender_->taken(), IsEmpty());
    story_.Finish();
  }
};

TEST_P(TooManyRecipients, By452) { TravelByThrees("452 4.5.3 too many recipients"); }
TEST_P(TooManyRecipients, By552) { TravelByThrees("552 5.5.3 too many recipients"); }

INSTANTIATE_TEST_SUITE_P(Shards, TooManyRecipients, testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
