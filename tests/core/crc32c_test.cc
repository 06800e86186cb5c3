// The check values of RFC 3720 B.4, and the implementations against each other.
#include "core/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/random.h"

namespace outbox::core {
namespace {

TEST(Crc32c, KnownValues) {
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  const std::pair<std::string, uint32_t> known[] = {
      {"", 0},
      {"123456789", 0xe3069283},
      {std::string(32, '\0'), 0x8a9136aa},
      {std::string(32, '\xff'), 0x62a8ab43},
      {ascending, 0x46dd794e},
  };
  for (const auto& [bytes, crc] : known) {
    EXPECT_EQ(Crc32c(bytes), crc);
    EXPECT_EQ(Crc32cExtendTables(0, bytes), crc);
  }
}

TEST(Crc32c, ExtendContinues) {
  const std::string_view text = "250 2.0.0 queued as 17, and some more to pass a word";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(Crc32cExtend(Crc32c(text.substr(0, cut)), text.substr(cut)), Crc32c(text));
  }
}

TEST(Crc32c, TablesAndHardwareAgree) {
  if (!Crc32cHasHardware()) GTEST_SKIP() << "this processor has no CRC-32C instruction";
  Random random(1);
  std::string bytes(16'384, '\0');  // several times the longest stretch that is taken at once
  for (char& c : bytes) c = static_cast<char>(random.Next());
  for (int i = 0; i < 1000; ++i) {
    const size_t from = random.Below(bytes.size());
    const std::string_view part =
        std::string_view(bytes).substr(from, random.Below(bytes.size() - from + 1));
    const uint32_t crc = static_cast<uint32_t>(random.Next());
    ASSERT_EQ(Crc32cExtendTables(crc, part), Crc32cExtendHardware(crc, part));
  }
}

TEST(Crc32c, TablesAndTheWideWayAgree) {
  if (!Crc32cHasWide()) GTEST_SKIP() << "this processor has no wide carry-less multiplication";
  Random random(2);
  std::string bytes(16'384, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  for (int i = 0; i < 1000; ++i) {
    const size_t from = random.Below(600);
    // Every length modulo a round, and every number of rounds.
    const size_t size = random.Below(bytes.size() - from + 1);
    const std::string_view part = std::string_view(bytes).substr(from, size);
    const uint32_t crc = static_cast<uint32_t>(random.Next());
    ASSERT_EQ(Crc32cExtendTables(crc, part), Crc32cExtendWide(crc, part)) << size << " octets";
  }
}

}  // namespace
}  // namespace outbox::core
