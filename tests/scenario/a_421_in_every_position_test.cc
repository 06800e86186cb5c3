// The host says 421 and hangs up, at every point of the dialogue: the message comes again and
// arrives once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::ScriptRule;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Position {
  const char* at;
  const char* name;
};

class A421 : public ::testing::TestWithParam<Position> {};

TEST_P(A421, IsRetriedAndDeliveredOnce) {
  ShardStory story(1);
  ScriptedServer* sender = story.AddServer("sender.example");
  ScriptedServer* server = story.AddServer("b.example", {{.at = GetParam().at,
                                                          .reply = "421 4.3.2 going down",
                                                          .then = ScriptRule::Then::kClose,
                                                          .times = 1}});
  story.Start();
  EXPECT_TRUE(story.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  ASSERT_TRUE(story.RunUntilEmpty(20 * kNsPerMinute));
  size_t copies = 0;
  for (const simulation::TakenMessage& taken : server->taken()) copies += taken.recipients.size();
  EXPECT_EQ(copies, 2u);
  EXPECT_THAT(sender->taken(), IsEmpty());
  EXPECT_EQ(story.Counters().delivered, 2u);
  story.Finish();
}

INSTANTIATE_TEST_SUITE_P(Positions, A421,
                         testing::Values(Position{"connect", "Greeting"}, Position{"EHLO", "Ehlo"},
                                         Position{"MAIL", "Mail"}, Position{"RCPT", "Rcpt"},
                                         Position{"RCPT TO:<two", "SecondRcpt"},
                                         Position{"DATA", "Data"}, Position{"body", "Body"},
                                         Position{".", "FinalDot"}, Position{"QUIT", "Quit"}),
                         [](const auto& position) { return position.param.name; });

// A connection that has served one message is used for the next, or would be.
class A421BehindAMessage : public ::testing::Test {
 protected:
  void Serve(std::vector<ScriptRule> rules) {
    ShardStory story(1);
    story.AddServer("sender.example");
    ScriptedServer* server = story.AddServer("b.example", std::move(rules));
    story.Start();
    for (const char* recipient : {"one@b.example", "two@b.example"}) {
      EXPECT_TRUE(story.Send(kSender, {recipient}).acknowledged);
      ASSERT_TRUE(story.RunUntilEmpty(20 * kNsPerMinute));
    }
    EXPECT_THAT(server->taken(), SizeIs(2));
    EXPECT_EQ(story.Counters().delivered, 2u);
    story.Finish();
  }
};

TEST_F(A421BehindAMessage, ToTheNextMail) {
  Serve({{.at = "MAIL", .reply = "", .keep_reply = true, .times = 1},
         {.at = "MAIL",
          .reply = "421 4.3.2 going down",
          .then = ScriptRule::Then::kClose,
          .times = 1}});
}

TEST_F(A421BehindAMessage, WhileNothingIsAsked) {
  Serve({{.at = ".",
          .reply = "250 2.0.0 taken\r\n421 4.3.2 going down",
          .then = ScriptRule::Then::kClose,
          .times = 1}});
}

}  // namespace
}  // namespace outbox::queue
