// Message ids as people see them.
#include "queue/message_id.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/random.h"

namespace outbox::queue {
namespace {

TEST(MessageIdTest, KnownOnes) {
  EXPECT_EQ(FormatMessageId(0), "0000000000000");
  EXPECT_EQ(FormatMessageId(31), "000000000000Z");
  EXPECT_EQ(FormatMessageId(32), "0000000000010");
  EXPECT_EQ(FormatMessageId(UINT64_MAX), "FZZZZZZZZZZZZ");
}

TEST(MessageIdTest, RoundTrip) {
  core::Random random(7);
  uint64_t last = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t id = random.Next() >> random.Below(64);
    std::string text = FormatMessageId(id);
    ASSERT_EQ(text.size(), kMessageIdChars);
    EXPECT_EQ(text.find_first_of("ILOUilou"), std::string::npos);
    EXPECT_EQ(ParseMessageId(text), id);
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    EXPECT_EQ(ParseMessageId(text), id);
    // The text sorts as the number does.
    EXPECT_EQ(FormatMessageId(id) < FormatMessageId(last), id < last);
    last = id;
  }
}

TEST(MessageIdTest, NotAnId) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {
           ""sv,
           "000000000000"sv,    // 12
           "00000000000000"sv,  // 14
           "G000000000000"sv,   // 2^64 and above
           "ZZZZZZZZZZZZZ"sv,
           "000000000000I"sv,
           "00000000000L0"sv,
           "O000000000000"sv,
           "U000000000000"sv,
           "-000000000000"sv,
           " 000000000000"sv,
           "000000000000\0"sv,
           "00000\xff"
           "0000000"sv,
       }) {
    EXPECT_EQ(ParseMessageId(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseMessageId("FZZZZZZZZZZZZ"), UINT64_MAX);
}

}  // namespace
}  // namespace outbox::queue
