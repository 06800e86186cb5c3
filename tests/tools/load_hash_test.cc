// The hash by which smtp_sink knows that a message arrived as smtp_source sent it: what it must
// notice, and that no way to compute it notices something else.
#include "tools/load_hash.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/random.h"

namespace outbox::tools {
namespace {

std::string SomeText(size_t bytes) {
  core::Random random(7);
  std::string text;
  while (text.size() < bytes) text.push_back(static_cast<char>('a' + random.Below(26)));
  return text;
}

uint64_t HashOf(std::string_view text) {
  ContentHash hash;
  hash.Update(text);
  return hash.Final();
}

TEST(LoadHashTest, PiecesMakeNoDifference) {
  const std::string text = SomeText(5000);
  core::Random random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string_view part = std::string_view(text).substr(0, random.Below(text.size()));
    ContentHash pieces;
    for (size_t at = 0; at < part.size();) {
      const size_t take = 1 + random.Below(400);
      pieces.Update(part.substr(at, take));
      at += take;
    }
    ASSERT_EQ(pieces.Final(), HashOf(part)) << part.size() << " octets";
  }
}

TEST(LoadHashTest, VectorsGiveWhatThePlainWayGives) {
  if (!ContentHash::HasVectors()) GTEST_SKIP() << "no AVX-512 here: there is one way only";
  const std::string text = SomeText(9 * ContentHash::kBlockBytes + 1);
  for (size_t count = 0; count <= 9; ++count) {
    ContentHash::Lanes plain = {3, 1, 4, 1, 5, 9};
    ContentHash::Lanes vectors = plain;
    ContentHash::MixPlain(text.data() + 1, count, &plain);
    ContentHash::MixVectors(text.data() + 1, count, &vectors);
    ASSERT_EQ(plain, vectors) << count << " blocks";
  }
}

TEST(LoadHashTest, EveryChangedOctetShows) {
  std::string text = SomeText(700);
  const uint64_t right = HashOf(text);
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(text[i] ^ 1);
    ASSERT_NE(HashOf(text), right) << "octet " << i;
    text[i] = static_cast<char>(text[i] ^ 1);
  }
}

TEST(LoadHashTest, WhatIsLostDoubledOrInAnotherOrderShows) {
  const std::string text = SomeText(8 * ContentHash::kBlockBytes);
  const uint64_t right = HashOf(text);
  const std::string_view all = text;
  for (const size_t piece : {size_t{8}, ContentHash::kBlockBytes, 2 * ContentHash::kBlockBytes}) {
    const std::string first(all.substr(0, piece));
    const std::string second(all.substr(piece, piece));
    const std::string rest(all.substr(2 * piece));
    EXPECT_NE(HashOf(second + first + rest), right) << piece;
    EXPECT_NE(HashOf(first + first + rest), right) << piece;
    EXPECT_NE(HashOf(first + rest), right) << piece;
    EXPECT_NE(HashOf(text + first), right) << piece;
  }
  EXPECT_NE(HashOf(text + std::string(1, '\0')), right);
  EXPECT_NE(HashOf(std::string(3, '\0')), HashOf(std::string(4, '\0')));
}

}  // namespace
}  // namespace outbox::tools
