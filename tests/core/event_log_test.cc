// Lines of the event log: valid JSON whatever the values, a bound, and a word about what was
// dropped.
#include "core/event_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"

namespace outbox::core {
namespace {

using nlohmann::json;

constexpr int64_t kNow = 1'764'000'000 * kNsPerSecond + 17 * kNsPerMs;

std::vector<std::string> TakeLines(EventLog* log) {
  std::vector<std::string> lines;
  std::string_view text = log->Take();
  if (text.empty()) return lines;
  EXPECT_EQ(text.back(), '\n');
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  log->Release();
  return lines;
}

TEST(EventLog, ListsOfNames) {
  EventLog log(LogLevel::kInfo);
  log.Write(LogLevel::kInfo, kNow, "e").BeginList("to").EndList().Field("a", 1);
  log.Write(LogLevel::kInfo, kNow, "e").BeginList("to").Item("x@y").Item("q\"\n").EndList();
  {
    EventLog::Event line = log.Write(LogLevel::kInfo, kNow, "e");
    line.BeginList("to");
    for (int i = 0; i < 1000; ++i) line.Item("recipient" + std::to_string(i) + "@example.net");
    line.EndList();
  }
  const std::vector<std::string> lines = TakeLines(&log);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(json::parse(lines[0])["to"], json::array());
  EXPECT_EQ(json::parse(lines[0])["a"], 1);
  EXPECT_EQ(json::parse(lines[1])["to"], (json{"x@y", "q\"\n"}));
  // What does not fit is left out whole.
  const json cut = json::parse(lines[2]);
  EXPECT_LE(lines[2].size(), kEventLogLineBytes);
  EXPECT_TRUE(cut["cut"]);
  EXPECT_GT(cut["to"].size(), 50u);
  for (const json& one : cut["to"]) EXPECT_TRUE(one.get<std::string>().ends_with("@example.net"));
}

TEST(EventLog, OneLineAnEvent) {
  EventLog log(LogLevel::kInfo);
  log.Write(LogLevel::kInfo, kNow, "delivered", "3-17a")
      .Field("recipient", "joe@example.net")
      .Field("attempts", 2)
      .Field("size", uint64_t{UINT64_MAX})
      .Field("left", int64_t{INT64_MIN})
      .Field("tls", false);
  log.Write(LogLevel::kError, kNow, "stopped");
  const std::vector<std::string> lines = TakeLines(&log);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], R"({"time":"2025-11-24T16:00:00.017Z","event":"delivered","id":"3-17a",)"
                      R"("recipient":"joe@example.net","attempts":2,"size":18446744073709551615,)"
                      R"("left":-9223372036854775808,"tls":false})");
  EXPECT_EQ(lines[1], R"({"time":"2025-11-24T16:00:00.017Z","event":"stopped"})");
}

TEST(EventLog, LevelsBelowTheMinimumAreNotWritten) {
  EventLog log(LogLevel::kWarning);
  log.Write(LogLevel::kInfo, kNow, "delivered").Field("n", 1);
  log.Write(LogLevel::kWarning, kNow, "slow");
  EXPECT_EQ(TakeLines(&log).size(), 1u);
  EXPECT_EQ(log.dropped_total(), 0u);
}

TEST(EventLog, EscapesWhatJsonWants) {
  struct Case {
    std::string value;
    std::string escaped;
  };
  const Case cases[] = {
      {"say \"\\\"", R"(say \"\\\")"},
      {"a\r\n\tb", R"(a\r\n\tb)"},
      {std::string("\0\x01\x1f\x7f", 4), R"(\u0000\u0001\u001f\u007f)"},
      {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xae",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac "
       "\xf0\x9f\x93\xae"},
      {"\xff", R"(\ufffd)"},
      {"\xc3", R"(\ufffd)"},                                // ends too early
      {"\xc3(", R"(\ufffd()"},                              // no continuation
      {"\xc0\xaf", R"(\ufffd\ufffd)"},                      // overlong
      {"\xe0\x80\xaf", R"(\ufffd\ufffd\ufffd)"},            // overlong
      {"\xed\xa0\x80", R"(\ufffd\ufffd\ufffd)"},            // surrogate
      {"\xf4\x90\x80\x80", R"(\ufffd\ufffd\ufffd\ufffd)"},  // above U+10FFFF
      {"\xf0\x82\x82\xac", R"(\ufffd\ufffd\ufffd\ufffd)"},  // overlong
  };
  for (const Case& c : cases) {
    EventLog log(LogLevel::kInfo);
    log.Write(LogLevel::kInfo, kNow, "e").Field("v", c.value);
    EXPECT_EQ(TakeLines(&log).at(0),
              R"({"time":"2025-11-24T16:00:00.017Z","event":"e","v":")" + c.escaped + "\"}");
  }
}

TEST(EventLog, AnyBytesGiveValidJson) {
  Random random(11);
  EventLog log(LogLevel::kInfo);
  for (int i = 0; i < 2000; ++i) {
    std::string value;
    const size_t length = random.Below(i % 50 == 0 ? 9000 : 60);
    while (value.size() < length) {
      // Enough of the octets from which UTF-8 is made to meet its edges.
      static constexpr char kEdges[] = "\xc2\xe0\xed\xf0\xf4\x80\x8f\x90\x9f\xa0\xbf\"\\\n";
      value.push_back(random.Chance(2, 3) ? kEdges[random.Below(sizeof(kEdges) - 1)]
                                          : static_cast<char>(random.Next()));
    }
    log.Write(LogLevel::kInfo, kNow, "e").Field("v", value).Field("after", i);
    const std::vector<std::string> lines = TakeLines(&log);
    ASSERT_EQ(lines.size(), 1u);
    ASSERT_LT(lines[0].size(), kEventLogLineBytes);
    const json parsed = json::parse(lines[0], nullptr, false);
    ASSERT_FALSE(parsed.is_discarded()) << lines[0];
    ASSERT_TRUE(parsed.contains("cut") || parsed["after"] == i);
  }
}

// Plain text is taken eight octets at a time.
TEST(EventLog, AnyOctetAtAnyPlace) {
  EventLog log(LogLevel::kInfo);
  for (int octet = 0; octet < 256; ++octet) {
    for (size_t place = 0; place < 18; ++place) {
      std::string text(18, 'x');
      text[place] = static_cast<char>(octet);
      log.Write(LogLevel::kInfo, kNow, "e").Field("text", text);
      const std::vector<std::string> lines = TakeLines(&log);
      ASSERT_EQ(lines.size(), 1u);
      if (octet >= 0x80) text.replace(place, 1, "\xef\xbf\xbd");  // U+FFFD
      ASSERT_EQ(json::parse(lines[0])["text"], text) << octet << " at " << place;
      for (const char c : lines[0]) ASSERT_TRUE(c >= ' ' && c < 0x7f) << octet << " at " << place;
    }
  }
}

TEST(EventLog, CutsWhatDoesNotFitALine) {
  EventLog log(LogLevel::kInfo);
  log.Write(LogLevel::kInfo, kNow, "e")
      .Field("first", std::string(10'000, 'x'))
      .Field("second", "left out")
      .Field("third", 3);
  const std::vector<std::string> lines = TakeLines(&log);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LE(lines[0].size() + 1, kEventLogLineBytes);
  EXPECT_GT(lines[0].size(), kEventLogLineBytes - 50);
  const json parsed = json::parse(lines[0]);
  EXPECT_TRUE(parsed["cut"].get<bool>());
  EXPECT_FALSE(parsed.contains("second"));
}

TEST(EventLog, SaysHowManyWereDropped) {
  EventLog log(LogLevel::kInfo, 3 * kEventLogLineBytes);
  const std::string value(kEventLogLineBytes / 2, 'x');
  uint64_t written = 0;
  while (log.dropped_total() == 0) {
    log.Write(LogLevel::kInfo, kNow, "e").Field("v", value);
    ++written;
    ASSERT_LT(written, 100u);
  }
  log.Write(LogLevel::kInfo, kNow, "short");  // would fit, but nothing overtakes
  EXPECT_EQ(log.dropped_total(), 2u);
  EXPECT_EQ(TakeLines(&log).size(), written - 1);
  log.Write(LogLevel::kInfo, kNow, "after");
  const std::vector<std::string> lines = TakeLines(&log);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[0])["event"], "log_dropped");
  EXPECT_EQ(json::parse(lines[0])["events"], 2);
  EXPECT_EQ(json::parse(lines[1])["event"], "after");
  EXPECT_EQ(log.dropped_total(), 2u);
}

TEST(EventLog, TakenLinesStayWhileOthersCome) {
  EventLog log(LogLevel::kInfo);
  int calls = 0;
  log.SetReadyHook([](void* context) { ++*static_cast<int*>(context); }, &calls);
  EXPECT_TRUE(log.Take().empty());
  log.Write(LogLevel::kInfo, kNow, "first");
  log.Write(LogLevel::kInfo, kNow, "second");
  EXPECT_EQ(calls, 1);
  const std::string_view taken = log.Take();
  const std::string copy(taken);
  log.Write(LogLevel::kInfo, kNow, "third");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(taken, copy);
  log.Release();
  EXPECT_EQ(TakeLines(&log).size(), 1u);
}

}  // namespace
}  // namespace outbox::core
