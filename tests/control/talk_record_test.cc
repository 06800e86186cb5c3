// Dialogues as `outbox talk` finds and chooses them, and the times that operators type.
#include "tools/talk_record.h"

#include <gtest/gtest.h>

#include <string>

#include "core/time.h"
#include "tools/moment.h"
#include "tools/outbox_commands.h"

namespace outbox::tools {
namespace {

constexpr char kLine[] =
    R"({"time":"2026-11-22T20:16:01.500Z","event":"talk","id":"1K0WCJNDQSZ00","session_ms":1500,)"
    R"("destination":"via:192.0.2.25:25","mailhost":"192.0.2.25:25","outcome":"450 4.2.1 Busy",)"
    R"("lines":"500 S 220 mx.a.test\n510 C RCPT TO:<bob@A.test>\n1500 S 450 4.2.1 Busy"})";

TEST(TalkRecord, OfTheDisk) {
  const std::optional<TalkRecord> record = TalkFromDisk(kLine);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->id, "1K0WCJNDQSZ00");
  EXPECT_TRUE(record->failed);
  ASSERT_EQ(record->lines.size(), 3u);
  EXPECT_EQ(record->lines[0].ms, 0);
  EXPECT_EQ(record->lines[2].ms, 1000);
  EXPECT_EQ(record->end_ms - record->begin_ms, 1000);
  EXPECT_EQ(FormatTalk(nlohmann::json::parse(TalkToJson(*record).dump())).substr(23),
            "  1K0WCJNDQSZ00  192.0.2.25:25  failed: 450 4.2.1 Busy, after 1.000 s\n"
            "    0.000  S: 220 mx.a.test\n"
            "    0.010  C: RCPT TO:<bob@A.test>\n"
            "    1.000  S: 450 4.2.1 Busy\n");
  for (const char* const bad : {"", "{}", "{\"id\":1}", "[1]", "{\"time\":\"x\",\"id\":\"a\"}"}) {
    EXPECT_FALSE(TalkFromDisk(bad).has_value()) << bad;
  }
}

TEST(TalkFilter, ChoosesByEverything) {
  const TalkRecord record = *TalkFromDisk(kLine);
  EXPECT_TRUE(TalkFilter().Wants(record));
  TalkFilter filter;
  filter.domain = "a.test";
  EXPECT_TRUE(filter.Wants(record));
  filter.domain = "test";
  EXPECT_FALSE(filter.Wants(record));
  filter = {};
  filter.host = "192.0.2";
  filter.reply = "busy";
  filter.failed = true;
  EXPECT_TRUE(filter.Wants(record));
  filter.reply = "rcpt to";  // a reply is what the host says
  EXPECT_FALSE(filter.Wants(record));
  filter = {};
  filter.since_ms = record.end_ms + 1;
  EXPECT_FALSE(filter.Wants(record));
  filter = {};
  filter.until_ms = record.begin_ms;
  EXPECT_TRUE(filter.Wants(record));
}

TEST(TalkRecord, TheNextEnvelopeIsMarked) {
  const nlohmann::json talk = {
      {"time", "2026-11-22T20:16:01.500Z"},
      {"lines",
       {{{"ms", 0}, {"who", "C"}, {"text", "(a message of 5 bytes)"}},
        {{"ms", 0}, {"who", "C"}, {"text", "MAIL FROM:<x@y.test>"}},
        {{"ms", 1}, {"who", "S"}, {"text", "250 \x1b[2Jok"}}}}};
  const std::string text = FormatTalk(talk);
  EXPECT_NE(text.find("MAIL FROM:<x@y.test>    (for the next message)\n"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Moment, IsADurationAgoOrATime) {
  constexpr int64_t kNow = 1'764'000'000 * core::kNsPerSecond;
  EXPECT_EQ(*ParseMoment("2h", kNow), kNow - 2 * core::kNsPerHour);
  EXPECT_EQ(*ParseMoment("2025-11-24T16:00:00.017Z", 0), kNow + 17 * core::kNsPerMs);
  EXPECT_EQ(*ParseMoment("2025-11-24 16:00Z", 0), kNow);
  EXPECT_TRUE(ParseMoment("2025-11-24", 0).ok());
  EXPECT_TRUE(ParseMoment("2025-11-24 16:00:01", 0).ok());
  for (const char* const bad : {"", "yesterday", "2025-13-01", "2025-11-24 25:00", "2025-11-24T",
                                "2025-11-24 16:00 x", "16:00"}) {
    EXPECT_FALSE(ParseMoment(bad, kNow).ok()) << bad;
  }
  EXPECT_EQ(ParseLogTime("2025-11-24T16:00:00.017Z"), kNow + 17 * core::kNsPerMs);
  EXPECT_EQ(ParseLogTime("2025-11-24T16:00:00.017000+00:00"), kNow + 17 * core::kNsPerMs);
  EXPECT_EQ(ParseLogTime("2025-11-24 16:00"), 0);
}

}  // namespace
}  // namespace outbox::tools
