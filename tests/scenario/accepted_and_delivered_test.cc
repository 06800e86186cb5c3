// A message comes in, is acknowledged, and arrives as it was, below the line that we add.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ClientResult;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_P(ScenarioTest, AcceptedAndDelivered) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const ClientResult result =
      story_.Send(kSender, {"bob@b.example"}, "Subject: x\r\n\r\n..dots\r\n");
  EXPECT_TRUE(result.acknowledged);
  EXPECT_THAT(result.last_reply, StartsWith("250 2.0.0"));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  const TakenMessage& taken = server->taken()[0];
  EXPECT_EQ(taken.reverse_path, kSender);
  EXPECT_THAT(taken.recipients, ElementsAre("bob@b.example"));
  EXPECT_THAT(taken.content, StartsWith("Received: from client.example"));
  EXPECT_THAT(taken.content, HasSubstr("for <bob@b.example>;"));
  EXPECT_TRUE(taken.content.ends_with("Subject: x\r\n\r\n..dots\r\n"));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.Finish();
}

// Every step has its line, in order; what concerns the message has its id.
TEST_P(ScenarioTest, TheLogTellsEveryStep) {
  for (const bool debug : {false, true}) {
    ShardStory story(GetParam());
    if (debug) story.config().log.level = core::LogLevel::kDebug;
    story.AddServer("b.example");
    story.Start();
    EXPECT_TRUE(story.Send(kSender, {"bob@b.example"}).acknowledged);
    ASSERT_TRUE(story.RunUntilEmpty(core::kNsPerMinute));
    story.RunFor(core::kNsPerMinute);
    story.Finish();
    std::vector<std::string> steps;
    std::set<std::string> ids;
    const std::string& events = story.events();
    for (size_t at = 0; at < events.size(); at = events.find('\n', at) + 1) {
      const std::string line = events.substr(at, events.find('\n', at) - at);
      const auto value = [&line](const std::string& name) {
        const size_t begin = line.find("\"" + name + "\":\"");
        if (begin == std::string::npos) return std::string();
        const size_t from = begin + name.size() + 4;
        return line.substr(from, line.find('"', from) - from);
      };
      if (value("event") == "recovered") continue;
      steps.push_back(value("event"));
      if (!value("id").empty()) ids.insert(value("id"));
    }
    if (debug) {
      EXPECT_THAT(steps, testing::IsSupersetOf({"accepted", "connected", "sending", "delivered",
                                                "finished", "disconnected"}));
    } else {
      EXPECT_THAT(steps, testing::ElementsAre("accepted", "delivered"));
    }
    EXPECT_THAT(ids, testing::SizeIs(1));
  }
}

}  // namespace
}  // namespace outbox::queue
