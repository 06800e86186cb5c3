#include "tests/scenario/scenario_test.h"

#include <gmock/gmock.h>

namespace outbox::queue {

size_t ScenarioTest::Told(const std::string& what) const {
  size_t count = 0;
  for (const simulation::TakenMessage& taken : sender_->taken()) {
    EXPECT_EQ(taken.reverse_path, "");
    EXPECT_THAT(taken.recipients, ::testing::ElementsAre(kSender));
    if (taken.content.find(what) != std::string::npos) ++count;
  }
  return count;
}

std::vector<std::string> ScenarioTest::Numbered(const std::string& domain, int count) {
  std::vector<std::string> addresses;
  for (int i = 0; i < count; ++i) addresses.push_back("u" + std::to_string(i) + "@" + domain);
  return addresses;
}

INSTANTIATE_TEST_SUITE_P(Shards, ScenarioTest, testing::Values(1, 2));

}  // namespace outbox::queue
