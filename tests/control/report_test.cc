// What the lines of the log come to.
#include "tools/report.h"

#include <gtest/gtest.h>

#include <string>

#include "tools/log_fact.h"

namespace outbox::tools {
namespace {

LogFact Fact(const char* event, const char* id, std::vector<std::string> to, int64_t second = 1) {
  LogFact fact;
  fact.event = event;
  fact.id = id;
  fact.time_ns = second * 1'000'000'000;
  fact.recipients = static_cast<int64_t>(to.size());
  fact.to = std::move(to);
  return fact;
}

LogFact Accepted(const char* id, std::vector<std::string> to, const char* route = "out") {
  LogFact fact = Fact("accepted", id, std::move(to));
  fact.has_sender = true;
  fact.sender = "alice@client.test";
  fact.route = route;
  fact.destination = "mx:a.test";
  return fact;
}

TEST(Report, ARecipientsWay) {
  MailReport report({});
  report.Add(Accepted("ONE", {"bob@a.test", "carol@A.test"}));
  LogFact deferred = Fact("deferred", "ONE", {"bob@a.test"}, 2);
  deferred.reply = "450 busy";
  report.Add(deferred);
  LogFact delivered = Fact("delivered", "ONE", {"bob@a.test"}, 9);
  delivered.delay_ms = 8000;
  report.Add(delivered);
  ASSERT_EQ(report.messages().size(), 1u);
  const MessageReport& message = report.messages()[0];
  EXPECT_EQ(message.sender, "alice@client.test");
  ASSERT_EQ(message.recipients.size(), 2u);
  EXPECT_EQ(message.recipients[0].state, "delivered");
  EXPECT_EQ(message.recipients[0].failures, 1);
  EXPECT_EQ(message.recipients[0].route, "out");
  EXPECT_FALSE(message.recipients[0].failed());
  EXPECT_EQ(message.recipients[1].state, "waiting");
  const auto domains = report.Domains();
  ASSERT_EQ(domains.size(), 1u);
  EXPECT_EQ(domains.at("a.test").delivered, 1);
  EXPECT_EQ(domains.at("a.test").waiting, 1);
  EXPECT_EQ(domains.at("a.test").delay_max_ms, 8000);
}

TEST(Report, PurgedTakenBackAndPurgedForGood) {
  MailReport report({});
  report.Add(Accepted("ONE", {"bob@a.test", "carol@a.test"}));
  report.Add(Fact("purged", "ONE", {"bob@a.test", "carol@a.test"}, 2));
  const std::deque<MessageReport>& messages = report.messages();
  EXPECT_EQ(messages[0].recipients[0].state, "purged");
  EXPECT_EQ(report.Domains().at("a.test").waiting, 2);
  report.Add(Fact("undone", "ONE", {"carol@a.test"}, 3));
  EXPECT_EQ(messages[0].recipients[1].state, "waiting");
  // The end of the purge does not name anybody.
  LogFact removed = Fact("removed", "ONE", {}, 4);
  removed.recipients = 1;
  report.Add(removed);
  EXPECT_EQ(messages[0].recipients[0].state, "removed");
  EXPECT_EQ(messages[0].recipients[1].state, "waiting");
  EXPECT_EQ(report.Domains().at("a.test").removed, 1);
}

// The owner of a destination and home write on different shards.
TEST(Report, LinesOfTwoShardsMayCross) {
  MailReport report({});
  report.Add(Fact("delivered", "ONE", {"bob@a.test"}));
  report.Add(Accepted("ONE", {"bob@a.test"}));
  report.Add(Fact("attempt_failed", "ONE", {"bob@a.test"}));
  ASSERT_EQ(report.messages().size(), 1u);
  EXPECT_EQ(report.messages()[0].recipients[0].state, "delivered");
  EXPECT_EQ(report.messages()[0].recipients[0].route, "out");
}

TEST(Report, WhoWasRoutedOtherwiseIsSeen) {
  MailReport report({});
  report.Add(Accepted("ONE", {"bob@a.test"}));
  LogFact rerouted = Fact("rerouted", "ONE", {"bob@a.test"});
  rerouted.route = "new";
  rerouted.destination = "via:192.0.2.1:25";
  rerouted.was = "mx:a.test";
  report.Add(rerouted);
  const RecipientReport& bob = report.messages()[0].recipients[0];
  EXPECT_EQ(bob.route, "new");
  EXPECT_EQ(bob.destination, "via:192.0.2.1:25");
  EXPECT_EQ(bob.was, "mx:a.test");
}

TEST(Report, WhatARouteHoldsIsHeld) {
  MailReport report({});
  LogFact accepted = Accepted("ONE", {"bob@a.test"});
  accepted.destination = "hold:";
  report.Add(accepted);
  const RecipientReport& bob = report.messages()[0].recipients[0];
  EXPECT_EQ(bob.state, "held");
  EXPECT_FALSE(bob.final());
  report.Add(Fact("purged", "ONE", {"bob@a.test"}, 2));
  report.Add(Fact("undone", "ONE", {"bob@a.test"}, 3));
  EXPECT_EQ(bob.state, "held");
  EXPECT_EQ(report.Domains().at("a.test").waiting, 1);
  LogFact released = Fact("rerouted", "ONE", {"bob@a.test"}, 4);
  released.route = "out";
  released.destination = "mx:a.test";
  report.Add(released);
  EXPECT_EQ(bob.state, "waiting");
}

TEST(Report, WhoGotAnotherEnvelopeIsFollowed) {
  ReportFilter address;
  address.recipient = "BOB@*";
  address.sender = "alice@client.test";
  MailReport of_bob(address);
  of_bob.Add(Accepted("ONE", {"bob@a.test", "eve@b.test"}));
  of_bob.Add(Accepted("TWO", {"eve@b.test"}));
  LogFact notice_to_bob = Fact("generated", "THREE", {"bob@a.test"});
  notice_to_bob.has_sender = true;
  of_bob.Add(notice_to_bob);
  of_bob.Add(Fact("delivered", "ONE", {"bob@a.test"}, 2));
  ASSERT_EQ(of_bob.messages().size(), 1u);
  const MessageReport& ours = of_bob.messages()[0];
  EXPECT_TRUE(of_bob.Wants(ours, ours.recipients[0]));
  EXPECT_EQ(ours.recipients[0].state, "delivered");
  EXPECT_FALSE(of_bob.Wants(ours, ours.recipients[1]));

  // An arrival does not name them when they go several ways, nor all of many.
  MailReport of_many(address);
  LogFact many = Accepted("MANY", {});
  many.route.clear();
  many.recipients = 2;
  of_many.Add(many);
  of_many.Add(Fact("delivered", "MANY", {"eve@b.test"}, 2));
  of_many.Add(Fact("delivered", "MANY", {"bob@a.test"}, 3));
  LogFact other = Accepted("OTHER", {});
  other.recipients = 2;
  other.sender = "mallory@client.test";
  of_many.Add(other);
  ASSERT_EQ(of_many.messages().size(), 1u);
  ASSERT_EQ(of_many.messages()[0].recipients.size(), 2u);
  EXPECT_FALSE(of_many.Wants(of_many.messages()[0], of_many.messages()[0].recipients[0]));
  EXPECT_TRUE(of_many.Wants(of_many.messages()[0], of_many.messages()[0].recipients[1]));

  ReportFilter one;
  one.id = "ONE";
  MailReport report(one);
  report.Add(Accepted("ONE", {"bob@a.test"}));
  LogFact rerouted = Fact("rerouted", "ONE", {"bob@a.test"});
  rerouted.into = "TWO";
  report.Add(rerouted);
  LogFact resubmitted = Fact("resubmitted", "TWO", {"carol@b.test"});
  resubmitted.about = "ONE";
  report.Add(resubmitted);
  LogFact back = Fact("rerouted", "TWO", {"carol@b.test"});
  back.into = "THREE";
  report.Add(back);
  LogFact again = Fact("resubmitted", "THREE", {"bob@a.test"});
  again.about = "TWO";
  report.Add(again);
  report.Add(Fact("delivered", "THREE", {"bob@a.test"}));
  report.Add(Accepted("FOUR", {"bob@a.test"}));
  ASSERT_EQ(report.messages().size(), 3u);
  const RecipientReport& bob = report.messages()[0].recipients[0];
  EXPECT_EQ(bob.state, "rerouted");
  EXPECT_EQ(bob.into, "TWO");
  EXPECT_TRUE(bob.final());
  EXPECT_EQ(report.messages()[1].recipients[0].into, "THREE");
  EXPECT_EQ(report.messages()[2].recipients[0].state, "delivered");
}

TEST(Report, Filters) {
  ReportFilter failed;
  failed.failed = true;
  failed.domain = "a.test";
  MailReport report(failed);
  report.Add(Accepted("ONE", {"bob@a.test", "eve@b.test"}));
  report.Add(Fact("bounced", "ONE", {"bob@a.test", "eve@b.test"}));
  report.Add(Accepted("TWO", {"bob@a.test"}));
  EXPECT_EQ(report.Domains().size(), 1u);
  EXPECT_EQ(report.Domains().at("a.test").recipients, 1);

  ReportFilter one;
  one.id = "ONE";
  MailReport story(one);
  story.Add(Accepted("ONE", {"bob@a.test"}));
  story.Add(Accepted("TWO", {"bob@a.test"}));
  LogFact notice = Fact("generated", "THREE", {"alice@client.test"});
  notice.about = "ONE";
  story.Add(notice);
  story.Add(Fact("delivered", "THREE", {"alice@client.test"}));
  EXPECT_EQ(story.messages().size(), 2u);
  EXPECT_EQ(story.lines().size(), 3u);

  ReportFilter later;
  later.since_ns = 5'000'000'000;
  MailReport recent(later);
  recent.Add(Accepted("ONE", {"bob@a.test"}));
  recent.Add(Fact("delivered", "ONE", {"bob@a.test"}, 6));
  EXPECT_FALSE(recent.messages()[0].sender_known);
}

// Neither waits for anything.
TEST(Report, RemovedAndDiscardedMailIsOver) {
  MailReport report({});
  report.Add(Accepted("ONE", {"bob@a.test", "carol@a.test", "dave@a.test"}));
  report.Add(Fact("removed", "ONE", {"bob@a.test"}));
  report.Add(Fact("discarded", "ONE", {"carol@a.test"}));
  const DomainReport domain = report.Domains().at("a.test");
  EXPECT_EQ(domain.recipients, 3);
  EXPECT_EQ(domain.removed, 1);
  EXPECT_EQ(domain.discarded, 1);
  EXPECT_EQ(domain.waiting, 1);
}

TEST(Report, OldMessagesStillCountForTheirDomains) {
  MailReport report({});
  const size_t messages = kReportMessages + 1000;
  for (size_t i = 0; i < messages; ++i) {
    const std::string id = std::to_string(i);
    report.Add(Accepted(id.c_str(), {"bob@a.test"}));
    report.Add(Fact("delivered", id.c_str(), {"bob@a.test"}));
  }
  EXPECT_EQ(report.messages().size(), kReportMessages);
  EXPECT_EQ(report.Domains().at("a.test").delivered, static_cast<int64_t>(messages));
}

}  // namespace
}  // namespace outbox::tools
