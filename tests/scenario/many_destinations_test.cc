// One message for twenty domains, some of which refuse: each recipient has a fate of its own.
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
using simulation::TakenMessage;
using ::testing::SizeIs;

TEST_P(ScenarioTest, ManyDestinations) {
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

}  // namespace
}  // namespace outbox::queue
