// A hundred hosts accept a connection and then let us wait. Mail for the others goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kSlow = 100;
constexpr int kWell = 10;

std::string Slow(int i) { return "slow" + std::to_string(i) + ".example"; }
std::string Well(int i) { return "well" + std::to_string(i) + ".example"; }

// What is queued at a restart is on the disk alone, and is sent from the windows that there are for
// that: fewer than there are slow hosts.
class SlowHostsTest : public ScenarioTest {
 protected:
  // The hosts are slow at this point of the dialogue.
  void Tell(const std::string& at, const std::string& text = "hello\r\n") {
    const ScriptRule slow = {.at = at, .reply = "", .then = ScriptRule::Then::kStall};
    const std::string content = "Subject: x\r\n\r\n" + text;
    std::vector<ScriptedServer*> servers;
    for (int i = 0; i < kSlow; ++i) {
      servers.push_back(story_.AddServer(Slow(i), {{.at = "MAIL", .reply = "451 4.3.0 later"}}));
    }
    for (int i = 0; i < kWell; ++i) story_.AddDeadRoute(Well(i));
    story_.Start();
    for (int i = 0; i < kSlow; ++i) {
      EXPECT_TRUE(story_.Send(kSender, {"bob@" + Slow(i)}, content).acknowledged);
    }
    for (int i = 0; i < kWell; ++i) {
      EXPECT_TRUE(story_.Send(kSender, {"bob@" + Well(i)}, content).acknowledged);
    }
    story_.RunFor(10 * kNsPerSecond);
    ASSERT_TRUE(story_.Stop());
    for (ScriptedServer* server : servers) server->script().rules = {slow};
    story_.Start();
    size_t waiting = 0;
    // All of them have begun to be slow.
    ASSERT_TRUE(story_.RunUntil(
        [&] {
          waiting = 0;
          for (const ScriptedServer* server : servers) waiting += server->open_sessions();
          return waiting >= kSlow;
        },
        10 * kNsPerMinute))
        << waiting;
    story_.RunFor(10 * kNsPerSecond);
    std::vector<ScriptedServer*> well;
    for (int i = 0; i < kWell; ++i) well.push_back(story_.Revive(Well(i)));
    const auto all_have_it = [&] {
      for (const ScriptedServer* server : well) {
        if (server->taken().size() != 1) return false;
      }
      return true;
    };
    EXPECT_TRUE(story_.RunUntil(all_have_it, 100 * kNsPerSecond));
    for (ScriptedServer* server : servers) server->script().rules.clear();
    ASSERT_TRUE(story_.RunUntilEmpty(40 * kNsPerMinute));
    for (const ScriptedServer* server : servers) {
      ASSERT_THAT(server->taken(), Not(IsEmpty()));
      // The relay's own line goes before it.
      EXPECT_TRUE(server->taken()[0].content.ends_with(content));
    }
    story_.Finish();
  }
};

TEST_P(SlowHostsTest, InAnswerToMail) { Tell("MAIL"); }

TEST_P(SlowHostsTest, InAnswerToData) { Tell("DATA"); }

// More than the network holds: what is being sent stalls.
TEST_P(SlowHostsTest, WithinTheMessage) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "A line of some length " + std::string(40, 'x') + "\r\n";
  story_.world().mutable_options().network.window_bytes_max = 16 * 1024;
  Tell("body", text);
}

TEST_P(SlowHostsTest, WithinALargeMessage) {
  std::string text;
  for (int i = 0; i < 9000; ++i) text += "A line of some length " + std::string(40, 'y') + "\r\n";
  story_.world().mutable_options().network.window_bytes_max = 16 * 1024;
  Tell("body", text);
}

TEST_P(SlowHostsTest, BehindTheFinalDot) { Tell("."); }

INSTANTIATE_TEST_SUITE_P(Shards, SlowHostsTest, ::testing::Values(1u, 3u));

}  // namespace
}  // namespace outbox::queue
