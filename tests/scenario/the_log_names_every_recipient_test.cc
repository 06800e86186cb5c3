// Mail that was read from the disk after a restart, and whose host cannot even be reached: nobody
// has its recipients in memory, and the log names them nevertheless, at every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using ::testing::HasSubstr;

// The lines of an event.
std::string LinesOf(const std::string& events, const std::string& event) {
  std::string lines;
  for (size_t at = 0; at < events.size();) {
    const size_t end = events.find('\n', at);
    const std::string line = events.substr(at, end - at);
    if (line.find("\"event\":\"" + event + "\"") != std::string::npos) lines += line + "\n";
    at = end + 1;
  }
  return lines;
}

TEST_P(ScenarioTest, RecipientsOfColdMailAreNamed) {
  story_.config().delivery.periods = {{kNsPerMinute}, 3 * kNsPerMinute, 6 * kNsPerMinute};
  story_.AddDeadRoute("dead.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@dead.example", "carol@dead.example"}).acknowledged);
  EXPECT_TRUE(story_.Send("", {"dave@dead.example"}).acknowledged);
  story_.RunFor(10 * kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  const size_t before = story_.events().size();
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(20 * kNsPerMinute));
  story_.RunFor(kNsPerSecond);  // the last line is written
  const std::string events = story_.events().substr(before);
  for (const char* const event : {"deferred", "delayed", "expired"}) {
    EXPECT_THAT(LinesOf(events, event),
                HasSubstr("\"to\":[\"bob@dead.example\",\"carol@dead.example\"]"))
        << event;
  }
  for (const char* const event : {"deferred", "expired"}) {
    const std::string lines = LinesOf(events, event);
    EXPECT_THAT(lines, HasSubstr("\"to\":[\"dave@dead.example\"]"));
    for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
      EXPECT_THAT(lines.substr(at, lines.find('\n', at) - at), HasSubstr("\"to\":["));
    }
  }
  story_.Finish();
}

// Who is written to must be found by his address from the beginning, however many there are.
TEST_P(ScenarioTest, RecipientsAreNamedWhenTheMessageIsAccepted) {
  story_.AddServer("a.example");
  story_.AddServer("b.example");
  story_.Start();
  std::vector<std::string> many = Numbered("a.example", 50);
  EXPECT_TRUE(story_.Send(kSender, many).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(kNsPerSecond);
  const std::string accepted = LinesOf(story_.events(), "accepted");
  const std::string routed = LinesOf(story_.events(), "routed");
  EXPECT_THAT(accepted, HasSubstr("\"recipients\":50"));
  EXPECT_THAT(routed, HasSubstr("\"route\":\"a.example\",\"destination\":\"via:10.1.0.2:25\","
                                "\"recipients\":10,"));
  for (const std::string& one : many) {
    const std::string name = "\"" + one + "\"";
    EXPECT_NE(accepted.find(name) == std::string::npos, routed.find(name) == std::string::npos)
        << one;  // once
  }
  // Long names, and two destinations.
  const size_t before = story_.events().size();
  many.clear();
  for (int i = 0; i < 30; ++i) {
    many.push_back(std::string(40, 'x') + std::to_string(i) + "@" + std::string(60, 'y') + "." +
                   std::string(60, 'z') + (i % 2 == 0 ? ".a.example" : ".b.example"));
  }
  for (core::RouteConfig& route : story_.config().routes) route.match = {"*." + route.match[0]};
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, many).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(kNsPerSecond);
  const std::string lines = LinesOf(story_.events().substr(before), "routed");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 4);
  EXPECT_EQ(lines.find("\"cut\""), std::string::npos);
  for (const std::string& one : many) EXPECT_THAT(lines, HasSubstr("\"" + one + "\""));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
