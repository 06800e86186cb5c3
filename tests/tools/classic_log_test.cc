// The event log in the classic form, and read back for the report.
#include "tools/classic_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/event_log.h"
#include "core/time.h"
#include "tools/log_fact.h"

namespace outbox::tools {
namespace {

constexpr int64_t kNow = 1'764'000'000 * core::kNsPerSecond + 17 * core::kNsPerMs;
constexpr char kHead[] = "2025-11-24T16:00:00.017000+00:00 relay.example.net outbox/";

// What becomes of the events that `write` makes.
template <typename F>
std::string Classic(F&& write) {
  core::EventLog log(core::LogLevel::kDebug);
  write(&log);
  std::string out;
  ClassicLog("relay.example.net", "outbox", 4711).Translate(log.Take(), &out);
  log.Release();
  return out;
}

core::EventLog::Event Write(core::EventLog* log, const char* event, const char* id = "") {
  return log->Write(core::LogLevel::kInfo, kNow, event, id);
}

// Both halves of a re-route come back: who left, and what took their place.
TEST(ClassicLog, AMessageThatGotAnotherEnvelope) {
  const std::string left = Classic([](core::EventLog* log) {
    Write(log, "rerouted", "1K0WCJNDQSZ00")
        .Field("destination", "via:192.0.2.25:25")
        .Field("by", "reroute")
        .Field("into", "1K0WCJNDQT000")
        .Field("recipients", 1)
        .BeginList("to")
        .Item("bob@a.test")
        .EndList();
  });
  LogFact fact;
  ASSERT_TRUE(ParseLogFact(left.substr(0, left.size() - 1), &fact)) << left;
  EXPECT_EQ(fact.event, "rerouted");
  EXPECT_EQ(fact.into, "1K0WCJNDQT000");
  EXPECT_EQ(fact.to, std::vector<std::string>{"bob@a.test"});
  const std::string came = Classic([](core::EventLog* log) {
    Write(log, "resubmitted", "1K0WCJNDQT000")
        .Field("about", "1K0WCJNDQSZ00")
        .Field("sender", "ops@client.test")
        .Field("recipients", 1)
        .Field("size", 244);
  });
  const size_t end = came.find('\n');
  ASSERT_TRUE(ParseLogFact(came.substr(0, end), &fact)) << came;
  EXPECT_EQ(fact.event, "resubmitted");
  EXPECT_EQ(fact.id, "1K0WCJNDQT000");
  EXPECT_EQ(fact.about, "1K0WCJNDQSZ00");
  ASSERT_TRUE(ParseLogFact(came.substr(end + 1, came.size() - end - 2), &fact)) << came;
  EXPECT_EQ(fact.sender, "ops@client.test");
}

TEST(ClassicLog, AMessageFromItsBeginningToItsEnd) {
  const std::string text = Classic([](core::EventLog* log) {
    Write(log, "accepted", "1K0WCJNDQSZ00")
        .Field("client", "192.0.2.7")
        .Field("sender", "alice@client.test")
        .Field("recipients", 2)
        .Field("size", 244)
        .Field("route", "out")
        .Field("destination", "via:192.0.2.25:25")
        .BeginList("to")
        .Item("bob@a.test")
        .Item("carol@a.test")
        .EndList();
    Write(log, "delivered", "1K0WCJNDQSZ00")
        .Field("sender", "alice@client.test")
        .Field("recipient", "bob@a.test")
        .Field("mailhost", "192.0.2.25:25")
        .Field("code", 250)
        .Field("status", "2.0.0")
        .Field("reply", "Ok")
        .Field("delay_ms", 1234)
        .Field("took_ms", 34);
    Write(log, "deferred", "1K0WCJNDQSZ00")
        .Field("destination", "via:192.0.2.25:25")
        .Field("recipients", 1)
        .Field("mailhost", "mx.a.test[192.0.2.25]:25")
        .Field("code", 450)
        .Field("status", "4.2.1")
        .Field("reply", "busy")
        .Field("delay_ms", 20)
        .BeginList("to")
        .Item("carol@a.test")
        .EndList();
    Write(log, "finished", "1K0WCJNDQSZ00");
  });
  const std::string head(kHead);
  EXPECT_EQ(text,
            head + "smtpd[4711]: 1K0WCJNDQSZ00: client=unknown[192.0.2.7]\n" + head +
                "qmgr[4711]: 1K0WCJNDQSZ00: from=<alice@client.test>, size=244, nrcpt=2 "
                "(queue active)\n" +
                head +
                "qmgr[4711]: 1K0WCJNDQSZ00: route=out, destination=via:192.0.2.25:25, "
                "to=<bob@a.test>, to=<carol@a.test>\n" +
                head +
                "smtp[4711]: 1K0WCJNDQSZ00: to=<bob@a.test>, relay=192.0.2.25[192.0.2.25]:25, "
                "delay=1.23, delays=0/1.20/0/0.03, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n" +
                head +
                "smtp[4711]: 1K0WCJNDQSZ00: to=<carol@a.test>, relay=mx.a.test[192.0.2.25]:25, "
                "delay=0.02, delays=0/0.02/0/0, dsn=4.2.1, status=deferred (host "
                "mx.a.test[192.0.2.25]:25 said: 450 4.2.1 busy)\n" +
                head + "qmgr[4711]: 1K0WCJNDQSZ00: removed\n");
}

TEST(ClassicLog, EveryRecipientCountsNamedOrNot) {
  const std::string text = Classic([](core::EventLog* log) {
    Write(log, "bounced", "1K0WCJNDQSZ00")
        .Field("recipients", 3)
        .Field("reply", "no such domain")
        .BeginList("to")
        .Item("x@a.test")
        .EndList();
  });
  EXPECT_NE(text.find("to=<x@a.test>, relay=none, delay=0, delays=0/0/0/0, dsn=5.0.0, "
                      "status=bounced (no such domain)\n"),
            std::string::npos)
      << text;
  size_t unknown = 0;
  for (size_t at = 0; (at = text.find("to=<unknown>", at)) != std::string::npos; ++at) ++unknown;
  EXPECT_EQ(unknown, 2u);
}

// A host that wants to be counted as another's delivery, and a sender with odd characters.
TEST(ClassicLog, WordsOfOthersPassForNothing) {
  const std::string text = Classic([](core::EventLog* log) {
    Write(log, "attempt_failed", "1K0WCJNDQSZ00")
        .Field("recipient", "b,\"ob>\n@a.test")
        .Field("mailhost", "192.0.2.25:25")
        .Field("code", 450)
        .Field("reply",
               "to=<x@y>, relay=z, delay=1, status=sent (ok)\n2025-11-24T16:00:00Z r s: t");
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.find("to=<"), std::string::npos) << text;
}

TEST(ClassicLog, Rejections) {
  EXPECT_EQ(Classic([](core::EventLog* log) {
              Write(log, "rejected")
                  .Field("client", "192.0.2.7")
                  .Field("what", "x@y.test")
                  .Field("why", "relaying not permitted");
              Write(log, "rejected")
                  .Field("client", "192.0.2.7")
                  .Field("what", "connection")
                  .Field("why", "Too many connections");
            }),
            std::string(kHead) +
                "smtpd[4711]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.7.1 "
                "<x@y.test>: relaying not permitted; from=<> to=<x@y.test> proto=ESMTP\n" +
                kHead +
                "smtpd[4711]: NOQUEUE: reject: CONNECT from unknown[192.0.2.7]: 421 4.7.0 Too many "
                "connections; proto=SMTP\n");
}

TEST(ClassicLog, WhatIsNoEventOfOursIsPassedOver) {
  std::string out;
  ClassicLog("r", "outbox", 1).Translate("\n{\n{}\n{\"a\"}\nhello\n{\"time\":\"", &out);
  EXPECT_EQ(out, "");
}

// --- The report reads both forms ---

TEST(LogFact, BothFormsSayTheSame) {
  core::EventLog log(core::LogLevel::kInfo);
  Write(&log, "delivered", "1K0WCJNDQSZ00")
      .Field("recipient", "bob@a.test")
      .Field("mailhost", "[2001:db8::1]:25")
      .Field("code", 250)
      .Field("reply", "2.0.0 \"Ok\"")
      .Field("delay_ms", 1230);
  const std::string line(log.Take());
  std::string classic;
  ClassicLog("r", "outbox", 1).Translate(line, &classic);
  for (const std::string& form : {line, classic}) {
    LogFact fact;
    ASSERT_TRUE(ParseLogFact(std::string_view(form).substr(0, form.size() - 1), &fact)) << form;
    EXPECT_EQ(fact.time_ns, kNow);
    EXPECT_EQ(fact.event, "delivered");
    EXPECT_EQ(fact.id, "1K0WCJNDQSZ00");
    EXPECT_EQ(fact.to, std::vector<std::string>{"bob@a.test"});
    EXPECT_EQ(fact.mailhost, "[2001:db8::1]:25");
    EXPECT_EQ(fact.reply, "250 2.0.0 \"Ok\"");
    EXPECT_EQ(fact.delay_ms, 1230);
  }
  log.Release();
}

TEST(LogFact, WhatWasThrownAwayHasItsNameInBothForms) {
  core::EventLog log(core::LogLevel::kInfo);
  Write(&log, "discarded", "1K0WCJNDQSZ00")
      .Field("destination", "discard:")
      .Field("recipients", 1)
      .Field("attempts", 0)
      .Field("delay_ms", 0)
      .BeginList("to")
      .Item("bob@a.test")
      .EndList();
  const std::string line(log.Take());
  std::string classic;
  ClassicLog("r", "outbox", 1).Translate(line, &classic);
  for (const std::string& form : {line, classic}) {
    LogFact fact;
    ASSERT_TRUE(ParseLogFact(std::string_view(form).substr(0, form.size() - 1), &fact)) << form;
    EXPECT_EQ(fact.event, "discarded");
    EXPECT_EQ(fact.to, std::vector<std::string>{"bob@a.test"});
  }
  log.Release();
}

// It may be the last word of a recipient: the owner of his destination writes on another shard.
TEST(LogFact, BothFormsSayTheSameOfAnAttempt) {
  core::EventLog log(core::LogLevel::kInfo);
  Write(&log, "attempt_failed", "1K0WCJNDQSZ00")
      .Field("recipient", "bob@a.test")
      .Field("mailhost", "192.0.2.25:25")
      .Field("code", 450)
      .Field("status", "4.2.1")
      .Field("reply", "busy (for now)");
  const std::string line(log.Take());
  std::string classic;
  ClassicLog("r", "outbox", 1).Translate(line, &classic);
  for (const std::string& form : {line, classic}) {
    LogFact fact;
    ASSERT_TRUE(ParseLogFact(std::string_view(form).substr(0, form.size() - 1), &fact)) << form;
    EXPECT_EQ(fact.event, "attempt_failed");
    EXPECT_EQ(fact.to, std::vector<std::string>{"bob@a.test"});
    EXPECT_EQ(fact.mailhost, "192.0.2.25:25");
    EXPECT_EQ(fact.reply, "450 4.2.1 busy (for now)");
  }
  log.Release();
}

TEST(LogFact, OtherLinesAreNone) {
  LogFact fact;
  for (const char* const line :
       {"", "{", "{\"time\":\"2025-11-24T16:00:00.017Z\",\"event\":\"stopping\"}", "hello",
        "2025-11-24T16:00:00.017000+00:00 r outbox/outboxd[1]: reloaded: x",
        "2025-11-24T16:00:00.017000+00:00 r outbox/smtpd[1]: NOQUEUE: reject: RCPT from x"}) {
    EXPECT_FALSE(ParseLogFact(line, &fact)) << line;
  }
}

}  // namespace
}  // namespace outbox::tools
