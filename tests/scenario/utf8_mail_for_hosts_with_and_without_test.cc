// Mail with addresses and headers beyond ASCII: a host that offers SMTPUTF8 gets it as it is, one
// that does not gets what can be written in ASCII, and the senders of the rest are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kPlain[] = "Subject: x\r\n\r\nhello\r\n";
constexpr char kUtf8[] = "Subject: grüße\r\n\r\nhello\r\n";

class Utf8Mail : public ScenarioTest {
 protected:
  ScriptedServer* Host(const std::string& domain, bool offers) {
    ScriptedServer* const server = story_.AddServer(domain);
    if (offers) server->script().extensions.emplace_back("SMTPUTF8");
    return server;
  }
  void Declare(const std::string& from, const std::vector<std::string>& to,
               const std::string& content) {
    story_.DeclareUtf8(true);
    EXPECT_TRUE(story_.Send(from, to, content).acknowledged);
    story_.DeclareUtf8(false);
  }
};

INSTANTIATE_TEST_SUITE_P(Shards, Utf8Mail, ::testing::Values(1u, 2u));

TEST_P(Utf8Mail, GoesAsItIsToAHostThatOffersIt) {
  ScriptedServer* const host = Host("b.example", true);
  story_.Start();
  Declare("björn@größe.example", {"jörg@b.example", "bob@b.example"}, kUtf8);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(host->taken(), SizeIs(1));
  EXPECT_EQ(host->taken()[0].reverse_path, "björn@größe.example");
  EXPECT_THAT(host->taken()[0].recipients, UnorderedElementsAre("jörg@b.example", "bob@b.example"));
  EXPECT_THAT(host->taken()[0].content, EndsWith(kUtf8));
  story_.Finish();
}

TEST_P(Utf8Mail, OfAHostWithoutItIsReturnedWhereItCannotBeWrittenOtherwise) {
  ScriptedServer* const host = Host("b.example", false);
  story_.Start();
  Declare(kSender, {"jörg@b.example", "bob@b.example"}, kPlain);
  Declare(kSender, {"carol@b.example"}, kUtf8);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(host->taken(), SizeIs(1));
  EXPECT_THAT(host->taken()[0].recipients, ElementsAre("bob@b.example"));
  EXPECT_THAT(sender_->taken(), SizeIs(2));
  EXPECT_EQ(Told("Status: 5.6.7"), 2u);
  EXPECT_EQ(Told("Final-Recipient: utf-8; j\\x{F6}rg@b.example"), 1u);
  EXPECT_EQ(Told("Final-Recipient: rfc822; carol@b.example"), 1u);
  story_.Finish();
}

// Nothing of the domain but its form changes, and what is logged and told has the form that came.
TEST_P(Utf8Mail, ADomainIsWrittenInAsciiForAHostWithoutIt) {
  ScriptedServer* const host = Host("xn--bcher-kva.example", false);
  story_.Start();
  Declare("Alice@größe.example", {"Bob@BÜCHER.example", "carol@xn--bcher-kva.example"}, kPlain);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(host->taken(), SizeIs(1));
  EXPECT_EQ(host->taken()[0].reverse_path, "Alice@xn--gre-6ka8i.example");
  EXPECT_THAT(host->taken()[0].recipients,
              UnorderedElementsAre("Bob@xn--bcher-kva.example", "carol@xn--bcher-kva.example"));
  EXPECT_THAT(story_.events(), HasSubstr("Bob@BÜCHER.example"));
  story_.Finish();
}

// The form for one host is not that for the next.
TEST_P(Utf8Mail, TheNextHostGetsItAsItWas) {
  ScriptedServer* const first = Host("xn--bcher-kva.example", false);
  first->script().rules.push_back({.at = ".", .reply = "451 4.3.0 not now"});
  ScriptedServer* const second = story_.AddHost("xn--bcher-kva.example");
  second->script().extensions.emplace_back("SMTPUTF8");
  story_.Start();
  Declare(kSender, {"bob@bücher.example"}, kPlain);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(second->taken(), SizeIs(1));
  EXPECT_THAT(second->taken()[0].recipients, ElementsAre("bob@bücher.example"));
  story_.Finish();
}

// With neither extension: the form of the domain, and a content of seven bits.
TEST_P(Utf8Mail, AVeryOldHostGetsAllThatCanBeWrittenForIt) {
  ScriptedServer* const host = Host("xn--bcher-kva.example", false);
  host->script().extensions = {"PIPELINING"};
  story_.Start();
  Declare(kSender, {"bob@bücher.example"}, "Subject: x\r\n\r\ngrüße\r\n");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(host->taken(), SizeIs(1));
  EXPECT_THAT(host->taken()[0].recipients, ElementsAre("bob@xn--bcher-kva.example"));
  EXPECT_THAT(host->taken()[0].content, EndsWith("gr=C3=BC=C3=9Fe\r\n"));
  story_.Finish();
}

// A header of many megabytes' message is looked at on its way to the disk, and remembered there.
TEST_P(Utf8Mail, IsStillKnownAsSuchAfterARestart) {
  ScriptedServer* const host = Host("b.example", false);
  host->script().rules.push_back({.at = "connect",
                                  .reply = "421 4.3.0 not now",
                                  .then = simulation::ScriptRule::Then::kClose});
  story_.config().delivery.periods.retry_ns = {kNsPerMinute};
  story_.Start();
  std::string large = "Subject: grüße\r\n\r\n";
  while (large.size() < 3'000'000) large += "a line of no interest\r\n";
  Declare(kSender, {"bob@b.example"}, large);
  Declare(kSender, {"carol@b.example"}, kUtf8);
  story_.RunFor(10 * core::kNsPerSecond);
  ASSERT_TRUE(story_.Stop());
  host->script().rules.clear();
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_THAT(host->taken(), SizeIs(0));
  EXPECT_EQ(Told("Status: 5.6.7"), 2u);
  story_.Finish();
}

TEST_P(Utf8Mail, ANoticeToSuchASenderNeedsItAsWell) {
  ScriptedServer* const senders = Host("xn--gre-6ka8i.example", true);
  ScriptedServer* const host = Host("b.example", true);
  host->script().rules.push_back({.at = "RCPT", .reply = "550 5.1.1 no such user"});
  story_.Start();
  Declare("björn@größe.example", {"bob@b.example"}, kPlain);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(senders->taken(), SizeIs(1));
  EXPECT_THAT(senders->taken()[0].recipients, ElementsAre("björn@größe.example"));
  EXPECT_THAT(senders->taken()[0].content, HasSubstr("\r\nTo: björn@größe.example\r\n"));
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
