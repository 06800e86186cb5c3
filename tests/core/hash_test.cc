// Hash64 is part of what makes runs repeatable, so its values are pinned; and it must spread.
#include "core/hash.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace outbox::core {
namespace {

TEST(Hash64, ValuesNeverChange) {
  EXPECT_EQ(Hash64(""), 0x4e931b8a44c9e5c4u);
  EXPECT_EQ(Hash64("a"), 0x908033fde2b1278au);
  EXPECT_EQ(Hash64("example.com"), 0x2d970e97c3d214e4u);
  EXPECT_EQ(Hash64("a-rather-long-host-name.department.example.com"), 0xfe3790bc47d2100u);
  EXPECT_EQ(Hash64("example.com", 1), 0x69ead8303feb0042u);
}

TEST(Hash64, EveryOctetAndTheLengthCount) {
  std::set<uint64_t> seen;
  size_t inputs = 0;
  for (size_t length = 0; length < 70; ++length) {
    std::string text(length, '\0');
    seen.insert(Hash64(text));
    ++inputs;
    for (size_t i = 0; i < length; ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        text[i] = static_cast<char>(1 << bit);
        seen.insert(Hash64(text));
        ++inputs;
      }
      text[i] = '\0';
    }
  }
  EXPECT_EQ(seen.size(), inputs);
}

TEST(Hash64, SpreadsDomainsOverShards) {
  for (const uint64_t shards : {2u, 3u, 4u, 64u}) {
    constexpr int kDomains = 64'000;
    std::array<int, 64> count = {};
    for (int i = 0; i < kDomains; ++i) {
      ++count[Hash64("d" + std::to_string(i) + ".example") % shards];
    }
    const double mean = kDomains / static_cast<double>(shards);
    for (uint64_t shard = 0; shard < shards; ++shard) {
      EXPECT_NEAR(count[shard], mean, mean * 0.2) << shard << " of " << shards;
    }
  }
}

}  // namespace
}  // namespace outbox::core
