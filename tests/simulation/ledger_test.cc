// The ledger: each broken promise is noticed, and what is allowed is not.
#include "tests/simulation/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::simulation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kStart = 1000 * core::kNsPerSecond;

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() { Submit(1, "sender@x", {"a@y", "b@y"}); }

  void Submit(uint64_t id, const std::string& sender, const std::vector<std::string>& recipients) {
    ledger_.Submitted(id, {sender, recipients, Content(id)}, 0);
  }
  static std::string Content(uint64_t id) {
    return Ledger::IdField(id) + "Subject: x\r\n\r\nbody of " + std::to_string(id) + "\r\n";
  }
  void Acknowledge(uint64_t id, size_t recipients) {
    ClientResult result;
    result.recipient_replies.assign(recipients, "250 OK");
    result.dot_sent = result.acknowledged = true;
    ledger_.Answered(id, result);
  }
  static TakenMessage Copy(uint64_t id, const std::vector<std::string>& recipients,
                           int64_t at_ns = kStart, bool clean = true) {
    TakenMessage copy;
    copy.reverse_path = "sender@x";
    copy.recipients = recipients;
    copy.content = "Received: somewhere\r\n" + Content(id);
    copy.taken_ns = at_ns;
    copy.clean = clean;
    return copy;
  }
  static TakenMessage Dsn(const std::string& about, const std::string& action,
                          const std::string& id = "<1@relay>") {
    TakenMessage dsn;
    dsn.recipients = {"sender@x"};
    dsn.content = "Message-ID: " + id +
                  "\r\nContent-Type: multipart/report; boundary=\"q\"\r\n\r\n--q\r\n\r\n"
                  "Reporting-MTA: dns; r\r\n\r\nFinal-Recipient: rfc822; " +
                  about + "\r\nAction: " + action + "\r\n\r\n--q\r\n\r\n" + Ledger::IdField(1) +
                  "\r\n--q--\r\n";
    dsn.taken_ns = kStart;
    dsn.clean = true;
    return dsn;
  }

  void Answer(const std::string& host, const std::string& recipient, const std::string& reply,
              int64_t at_ns, bool clean = true) {
    ledger_.RecipientAnswered(host, {1, recipient, reply, at_ns, clean});
  }

  Ledger ledger_{LedgerOptions{.retry_min_ns = core::kNsPerMinute}};
};

TEST_F(LedgerTest, DeliveredAndBouncedAddUp) {
  Acknowledge(1, 2);
  EXPECT_EQ(ledger_.acknowledged(), 2u);
  ledger_.Taken(Copy(1, {"a@y"}));
  ledger_.Taken(Dsn("b@y", "delayed"));
  ledger_.Taken(Dsn("b@y", "failed", "<2@relay>"));
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
}

TEST_F(LedgerTest, QueuedIsNotLost) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y"}));
  EXPECT_THAT(ledger_.Check({"b@y"}), IsEmpty());
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("b@y: acknowledged and lost")));
  EXPECT_THAT(ledger_.Check({"a@y", "b@y"}), ElementsAre(HasSubstr("delivered and still queued")));
}

TEST_F(LedgerTest, WhatAnOperatorRemovesIsFinal) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y"}));
  ledger_.RemovalOrdered("b@y");
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  EXPECT_THAT(ledger_.Check({"b@y"}), IsEmpty());  // nobody has said that it was done
  ledger_.Removed("b@y", kStart);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  EXPECT_THAT(ledger_.Check({"b@y"}), ElementsAre(HasSubstr("removed and still queued")));
  ledger_.Taken(Copy(1, {"b@y"}, kStart + 1));
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("delivered after it had been removed")));
}

TEST_F(LedgerTest, ARemovalMayBeForgottenByDying) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y"}));
  ledger_.RemovalOrdered("b@y");
  ledger_.Removed("b@y", kStart);
  ledger_.RelayDied(kStart + core::kNsPerSecond);
  ledger_.Taken(Copy(1, {"b@y"}, kStart + 2 * core::kNsPerSecond));
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
}

TEST_F(LedgerTest, AnOperatorMayHurryAnAttempt) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}));
  Answer("h", "a@y", "450 later", kStart);
  ledger_.RetryOrdered(kStart + core::kNsPerSecond);
  Answer("h", "a@y", "250 ok", kStart + 2 * core::kNsPerSecond);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
}

TEST_F(LedgerTest, WhatWasNotAcknowledgedMayComeWhole) {
  ClientResult result;
  result.recipient_replies = {"250 OK", "550 no"};
  result.dot_sent = true;
  ledger_.Answered(1, result);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  ledger_.Taken(Copy(1, {"a@y"}));
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  ledger_.Taken(Copy(1, {"b@y"}));
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("RCPT was refused")));
}

TEST_F(LedgerTest, WhatWasNeverSentWholeMustNotCome) {
  ClientResult result;
  result.recipient_replies = {"250 OK", "250 OK"};
  ledger_.Answered(1, result);
  ledger_.Taken(Copy(1, {"a@y"}));
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("never sent whole")));
}

TEST_F(LedgerTest, DamageIsNoticed) {
  Acknowledge(1, 2);
  TakenMessage cut = Copy(1, {"a@y", "b@y"});
  cut.content.erase(cut.content.size() - 4);
  ledger_.Taken(cut);
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("not arrive intact")));
}

TEST_F(LedgerTest, AddedTextMustBeHeaderFields) {
  Acknowledge(1, 2);
  TakenMessage copy = Copy(1, {"a@y", "b@y"});
  copy.content = "Received: x\r\n\r\nanother body\r\n" + Content(1);
  ledger_.Taken(copy);
  EXPECT_FALSE(ledger_.Check({}).empty());
}

TEST_F(LedgerTest, SomebodyElsesMail) {
  Acknowledge(1, 2);
  Submit(2, "sender@x", {"c@y"});
  Acknowledge(2, 1);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}));
  ledger_.Taken(Copy(1, {"c@y"}));
  EXPECT_THAT(ledger_.Check({"c@y"}), ElementsAre(HasSubstr("for whom it was not meant")));
}

TEST_F(LedgerTest, DuplicatesNeedAnExcuse) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}, kStart, false));  // its 250 may be lost
  ledger_.Taken(Copy(1, {"a@y", "b@y"}, kStart + core::kNsPerMinute));
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  ledger_.Taken(Copy(1, {"a@y"}, kStart + 2 * core::kNsPerMinute));
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("a@y came again")));
  ledger_.RelayDied(kStart + core::kNsPerMinute + core::kNsPerSecond);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
}

TEST_F(LedgerTest, OneFateOnly) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}));
  ledger_.Taken(Dsn("b@y", "failed"));
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("delivered and bounced")));
}

TEST_F(LedgerTest, OneBounceAndOneNotice) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y"}));
  ledger_.Taken(Dsn("b@y", "failed"));
  ledger_.Taken(Dsn("b@y", "failed", "<2@relay>"));
  ledger_.Taken(Dsn("b@y", "delayed", "<3@relay>"));
  ledger_.Taken(Dsn("b@y", "delayed", "<4@relay>"));
  EXPECT_THAT(ledger_.Check({}),
              ElementsAre(HasSubstr("more than one bounce"), HasSubstr("more than one delay")));
}

TEST_F(LedgerTest, NoDsnToTheNullPath) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}));
  Submit(2, "", {"c@y"});
  Acknowledge(2, 1);
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("c@y: acknowledged and lost")));
  Answer("host", "c@y", "550 5.1.1 nobody", kStart);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  ledger_.Taken(Dsn("c@y", "failed"));
  EXPECT_FALSE(ledger_.Check({}).empty());
}

TEST_F(LedgerTest, DsnMustArriveWhole) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y"}));
  TakenMessage dsn = Dsn("b@y", "failed");
  dsn.content.erase(dsn.content.size() - 7);
  ledger_.Taken(dsn);
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("a DSN did not arrive whole")));
}

TEST_F(LedgerTest, NoRetryBeforeItsTime) {
  Acknowledge(1, 2);
  ledger_.Taken(Copy(1, {"a@y", "b@y"}));
  Answer("h1", "a@y", "450 4.2.0 later", kStart);
  Answer("h2", "a@y", "450 4.2.0 later", kStart + core::kNsPerSecond);
  Answer("h1", "a@y", "450 4.2.0 later", kStart + core::kNsPerMinute);
  EXPECT_THAT(ledger_.Check({}), IsEmpty());
  Answer("h1", "a@y", "250 2.1.5 OK", kStart + core::kNsPerMinute + 1);
  EXPECT_THAT(ledger_.Check({}), ElementsAre(HasSubstr("tried again at h1")));
  // A reply that was perhaps never read binds nobody.
  Answer("h1", "b@y", "450 4.2.0 later", kStart, false);
  Answer("h1", "b@y", "250 2.1.5 OK", kStart + 1);
  EXPECT_EQ(ledger_.Check({}).size(), 1u);
}

}  // namespace
}  // namespace outbox::simulation
