// Outgoing mail is copied to an archive: once a message, seen by nobody else, and whatever becomes
// of the copy is no concern of the sender's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::RelayCounters;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kArchive[] = "archive@here.example";
constexpr char kArchiveSocket[] = "/run/lmtp";

// The mailbox of the archive is none that anybody could write to.
class AnArchive : public ScenarioTest {
 protected:
  AnArchive() {
    core::LocalConfig& local = story_.config().local;
    local.domains = {"here.example"};
    local.mailboxes = {"alice"};
    local.periods.retry_ns = {kNsPerMinute};
    local.periods.retry_until_ns = core::kNsPerHour;
    story_.config().archive.to = kArchive;
  }

  void InMaildirs() {
    story_.config().local.maildir = "/mail/{user}";
    story_.world().disk(0).MakeDirectory("/mail");
  }

  ScriptedServer* ByLmtp(std::vector<simulation::ScriptRule> rules) {
    core::ViaHost host;
    host.host = host.path = kArchiveSocket;
    host.lmtp = true;
    story_.config().local.lmtp = {host};
    return story_.AddLmtp(kArchiveSocket, std::move(rules));
  }

  // What [archive] means to the routes, when a file is read.
  void Start() {
    for (core::RouteConfig& route : story_.config().routes) {
      if (route.archive.empty()) route.archive = story_.config().archive.to;
    }
    story_.Start();
  }

  core::RouteConfig& RouteTo(const std::string& domain) {
    auto& routes = story_.config().routes;
    return *std::find_if(routes.begin(), routes.end(), [&](const core::RouteConfig& route) {
      return route.match[0] == domain;
    });
  }

  std::vector<std::string> Copies(const std::string& user) {
    std::vector<std::string> texts;
    const std::string place = "/mail/" + user + "/new";
    for (const std::string& name : story_.world().disk(0).List(place)) {
      texts.push_back(story_.world().disk(0).ReadAll(place + "/" + name));
    }
    return texts;
  }
};

TEST_P(AnArchive, HasOneCopyOfAMessageForManyAndNobodySeesIt) {
  InMaildirs();
  ScriptedServer* b = story_.AddServer("b.example");
  ScriptedServer* c = story_.AddServer("c.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example", "one@c.example"},
                          "Subject: x\r\n\r\n..dots\r\n")
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(b->taken(), SizeIs(1));
  ASSERT_THAT(c->taken(), SizeIs(1));
  EXPECT_THAT(b->taken()[0].recipients, ElementsAre("one@b.example", "two@b.example"));
  EXPECT_THAT(b->taken()[0].content, Not(HasSubstr("archive")));
  ASSERT_THAT(Copies("archive"), SizeIs(1));
  EXPECT_THAT(Copies("archive")[0], HasSubstr("Return-Path: <alice@sender.example>\n"));
  EXPECT_THAT(Copies("archive")[0], HasSubstr("Subject: x\n\n.dots\n"));
  const RelayCounters counters = story_.Counters();
  EXPECT_EQ(counters.accepted, 3u);
  EXPECT_EQ(counters.generated, 1u);
  EXPECT_EQ(counters.delivered, 4u);
  story_.RunFor(core::kNsPerSecond);
  EXPECT_THAT(story_.events(), HasSubstr("\"recipients\":3"));
  EXPECT_THAT(story_.events(), HasSubstr("\"route\":\"archive\",\"destination\":\"maildir:/mail/"
                                         "{user}\",\"recipients\":1,\"to\":[\"archive@here."
                                         "example\"]"));
  story_.Finish();
}

// The trace field names a single recipient (RFC 5321 4.4): the copy makes it no second one.
TEST_P(AnArchive, TheTraceOfASingleRecipientIsWhatItWas) {
  InMaildirs();
  ScriptedServer* b = story_.AddServer("b.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(b->taken(), SizeIs(1));
  EXPECT_THAT(b->taken()[0].content, HasSubstr("for <one@b.example>"));
  ASSERT_THAT(Copies("archive"), SizeIs(1));
  EXPECT_THAT(Copies("archive")[0], HasSubstr("for <one@b.example>"));
  story_.Finish();
}

TEST_P(AnArchive, RoutesHaveTheirOwn) {
  InMaildirs();
  story_.AddServer("b.example");
  story_.AddServer("c.example");
  story_.AddServer("d.example");
  RouteTo("b.example").archive = "other@here.example";
  RouteTo("c.example").archive = "other@here.example";
  Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"1@b.example", "2@d.example", "3@c.example"}).acknowledged);
  // What comes in is no outgoing mail; what goes to the mailbox anyway is there once.
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  story_.config().local.mailboxes.push_back("archive");
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, {kArchive, "4@d.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(Copies("other"), SizeIs(1));
  EXPECT_THAT(Copies("alice"), SizeIs(1));
  EXPECT_THAT(Copies("archive"), SizeIs(2));
  EXPECT_EQ(story_.Counters().generated, 2u);
  story_.Finish();
}

TEST_P(AnArchive, WhatCannotBeKeptIsNotTheSendersTrouble) {
  ByLmtp({{.at = "RCPT TO:<archive@", .reply = "550 5.1.1 no such user here"}});
  ScriptedServer* b = story_.AddServer("b.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(b->taken(), SizeIs(1));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::archive_lost_total), 1);
  story_.RunFor(core::kNsPerSecond);  // the last line is written
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"bounced\""));
  EXPECT_THAT(story_.events(), HasSubstr("\"route\":\"archive\""));
  story_.Finish();
}

// Neither of its delay nor of its end; the power fails in between, and the mail is long delivered.
TEST_P(AnArchive, ThatIsDownForLongIsNotTheSendersTroubleEither) {
  story_.config().delivery.periods.notify_after_ns = 10 * kNsPerMinute;
  story_.config().local.periods.notify_after_ns = 10 * kNsPerMinute;
  ByLmtp({{.at = "RCPT TO:<archive@", .reply = "451 4.3.0 not now"}});
  story_.AddServer("b.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(20 * kNsPerMinute);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].recipient, kArchive);
  EXPECT_EQ(story_.List()[0].route, "archive");
  EXPECT_EQ(story_.List()[0].state, RecipientState::kDeferred);
  EXPECT_THAT(story_.List()[0].last_reply, HasSubstr("not now"));
  story_.Crash();
  story_.Start();
  story_.RunFor(20 * kNsPerMinute);
  ASSERT_THAT(story_.List(), SizeIs(1));
  ASSERT_TRUE(story_.RunUntilEmpty(core::kNsPerHour));
  EXPECT_EQ(story_.Counters().expired, 1u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::archive_lost_total), 1);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

// The message for a host that is down is told of as ever, with its own recipient alone.
TEST_P(AnArchive, NoticesNameOnlyTheRecipients) {
  InMaildirs();
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 who is that"}});
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Told("Final-Recipient: rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told(kArchive), 0u);
  // A notice of ours is no mail of anybody's.
  EXPECT_THAT(Copies("archive"), SizeIs(1));
  story_.Finish();
}

TEST_P(AnArchive, NoticesAreCopiedWhenThatIsAskedFor) {
  InMaildirs();
  story_.config().archive.notices = true;
  story_.AddServer("b.example", {{.at = "RCPT", .reply = "550 5.1.1 who is that"}});
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(core::kNsPerSecond);
  EXPECT_EQ(Told("who is that"), 1u);
  const std::vector<std::string> copies = Copies("archive");
  ASSERT_THAT(copies, SizeIs(2));
  EXPECT_EQ(std::count_if(copies.begin(), copies.end(),
                          [](const std::string& text) {
                            return text.find("Auto-Submitted: auto-replied") != std::string::npos;
                          }),
            1);
  EXPECT_THAT(story_.events(), HasSubstr("\"recipient\":\"alice@sender.example\""));
  const RelayCounters counters = story_.Counters();
  EXPECT_EQ(counters.accepted, 1u);
  EXPECT_EQ(counters.generated, 3u);  // two copies and the notice
  EXPECT_EQ(counters.delivered, 3u);
  EXPECT_EQ(counters.bounced, 1u);
  story_.Finish();
}

// The mailboxes move while the archive was down: its copies go to the new place, not by a route.
TEST_P(AnArchive, ThatMovesTakesItsCopiesAlong) {
  ByLmtp({{.at = "RCPT TO:<archive@", .reply = "451 4.3.0 not now"}});
  story_.AddServer("b.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(5 * core::kNsPerSecond);
  story_.config().local.lmtp.clear();
  InMaildirs();
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(Copies("archive"), SizeIs(1));
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"rerouted\""));
  story_.Finish();
}

// Without [local] there is nowhere else to go, least of all to the hosts of its domain.
TEST_P(AnArchive, ThatIsGoneKeepsItsCopiesWhereTheyWere) {
  ScriptedServer* lmtp =
      ByLmtp({{.at = "RCPT TO:<archive@", .reply = "451 4.3.0 not now", .times = 1}});
  story_.AddServer("b.example");
  ScriptedServer* elsewhere = story_.AddServer("here.example");
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(5 * core::kNsPerSecond);
  story_.config().local = {};
  story_.config().archive = {};
  for (core::RouteConfig& route : story_.config().routes) route.archive.clear();
  story_.Reload();
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(lmtp->taken(), SizeIs(1));
  EXPECT_THAT(lmtp->taken()[0].recipients, ElementsAre(kArchive));
  EXPECT_THAT(elsewhere->taken(), IsEmpty());
  story_.Finish();
}

// Held mail is copied when it comes, and not again when it goes; refused mail is not.
TEST_P(AnArchive, WhatIsHeldIsCopiedOnce) {
  InMaildirs();
  ScriptedServer* b = story_.AddServer("b.example");
  core::RouteConfig hold;
  hold.name = "hold";
  hold.match = {"b.example"};
  hold.action = core::RouteAction::kHold;
  story_.config().routes.insert(story_.config().routes.begin(), hold);
  Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(Copies("archive"), SizeIs(1));
  QueueFilter all;
  EXPECT_EQ(story_.Command(QueueOrder::kRelease, all).done, 1u);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(b->taken(), SizeIs(1));
  EXPECT_THAT(Copies("archive"), SizeIs(1));
  story_.Finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, AnArchive, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace outbox::queue
