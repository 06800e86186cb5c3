// VERP: a route by which each recipient's mail has a return path of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using simulation::TakenMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::string> ReturnPaths(const ScriptedServer& server) {
  std::vector<std::string> paths;
  for (const TakenMessage& taken : server.taken()) {
    EXPECT_THAT(taken.recipients, SizeIs(1));
    paths.push_back(taken.reverse_path + " " + taken.recipients[0]);
  }
  return paths;
}

TEST_P(ScenarioTest, EachRecipientHasAReturnPath) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.config().routes.back().verp = "+=";
  story_.Start();
  const std::string long_name(50, 'l');
  EXPECT_TRUE(story_.Send(kSender, {"anna@b.example", "Bob+x@b.example", long_name + "@b.example"})
                  .acknowledged);
  EXPECT_TRUE(story_.Send("", {"anna@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(ReturnPaths(*server),
              UnorderedElementsAre("alice+anna=b.example@sender.example anna@b.example",
                                   "alice+Bob+x=b.example@sender.example Bob+x@b.example",
                                   // Too long an address: the plain return path, and a line.
                                   std::string(kSender) + " " + long_name + "@b.example",
                                   " anna@b.example"));
  story_.RunFor(core::kNsPerSecond);  // lines of the log wait for company
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"no_verp\""));
  EXPECT_THAT(story_.events(), HasSubstr("\"why\":\"the address would be too long, or none\""));
  story_.Finish();
}

// What fails is reported as a host would: to the address that says whose failure it is.
TEST_P(ScenarioTest, AFailureComesBackToTheReturnPathOfTheRecipient) {
  story_.config().delivery.periods.notify_after_ns = 3 * kNsPerMinute;
  story_.config().delivery.periods.retry_until_ns = 10 * kNsPerMinute;
  story_.AddServer("b.example", {{.at = "RCPT TO:<no", .reply = "550 5.1.1 no"},
                                 {.at = "RCPT TO:<late", .reply = "451 4.2.0 later"}});
  story_.config().routes.back().verp = "-=";
  story_.Start();
  EXPECT_TRUE(story_
                  .Send({kSender,
                         {"no1@b.example", "no2@b.example", "late@b.example", "yes@b.example"},
                         "Subject: x\r\n\r\nhello\r\n",
                         "",
                         {"", "", "", " NOTIFY=SUCCESS"}})
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(60 * kNsPerMinute));
  std::multiset<std::string> told;
  for (const TakenMessage& taken : sender_->taken()) {
    EXPECT_EQ(taken.reverse_path, "");
    ASSERT_THAT(taken.recipients, SizeIs(1));
    for (const std::string action : {"failed", "delayed", "relayed"}) {
      if (taken.content.find("Action: " + action) != std::string::npos) {
        told.insert(action + " " + taken.recipients[0]);
      }
    }
    EXPECT_THAT(taken.content, HasSubstr("To: " + taken.recipients[0] + "\r\n"));
  }
  EXPECT_THAT(
      told,
      ElementsAre("delayed alice@sender.example", "failed alice-late=b.example@sender.example",
                  "failed alice-no1=b.example@sender.example",
                  "failed alice-no2=b.example@sender.example", "relayed alice@sender.example"));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
