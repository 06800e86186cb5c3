// A megabyte is streamed to the disk and from there to two hosts, octet for octet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/random.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_P(ScenarioTest, ABigMessageArrivesAsItWas) {
  ScriptedServer* server = story_.AddServer("b.example");
  ScriptedServer* other = story_.AddServer("c.example");
  story_.Start();
  std::string content = "Subject: big\r\nDate: now\r\nMessage-ID: <a@b>\r\n\r\n";
  core::Random random(9);
  while (content.size() < 1'000'000) {
    std::string line(random.Below(76), ' ');
    for (char& c : line) c = static_cast<char>('!' + random.Below(90));
    if (line.starts_with('.')) line.insert(0, ".");
    content += line + "\r\n";
  }
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example", "carol@c.example"}, content).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  for (const ScriptedServer* one : {server, other}) {
    ASSERT_THAT(one->taken(), SizeIs(1));
    const std::string& got = one->taken()[0].content;
    ASSERT_GT(got.size(), content.size());
    EXPECT_TRUE(got.ends_with(content));
    EXPECT_THAT(got.substr(0, got.size() - content.size()), StartsWith("Received: "));
  }
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
