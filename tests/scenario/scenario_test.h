// ScenarioTest: the fixture of the stories in this folder; each is told to one shard and to two.
#ifndef OUTBOX_TESTS_SCENARIO_SCENARIO_TEST_H_
#define OUTBOX_TESTS_SCENARIO_SCENARIO_TEST_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/time.h"
#include "tests/scenario/shard_story.h"

namespace outbox::queue {

class ScenarioTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  // Every story needs somebody to tell; `sender_` gets the notifications.
  ScenarioTest() : sender_(story_.AddServer("sender.example")) {}

  // Notifications that came to the sender and say this.
  size_t Told(const std::string& what) const;

  static std::vector<std::string> Numbered(const std::string& domain, int count);

  ShardStory story_{GetParam()};
  simulation::ScriptedServer* sender_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SCENARIO_SCENARIO_TEST_H_
