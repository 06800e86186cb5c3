// Every way of finding line ends finds the same ones.
#include "smtp/line_masks.h"

#include <gtest/gtest.h>

#include <string>

#include "core/random.h"

namespace outbox::smtp {
namespace {

// Octet by octet.
LineMasks Slowly(const std::string& text) {
  LineMasks masks = {};
  for (size_t i = 0; i < text.size(); ++i) {
    const uint64_t bit = uint64_t{1} << (i % kMaskBlock);
    if (text[i] == '\r') masks.cr[i / kMaskBlock] |= bit;
    if (text[i] == '\n') masks.lf[i / kMaskBlock] |= bit;
    if (text[i] == '.') masks.dot[i / kMaskBlock] |= bit;
    masks.eight_bit |= static_cast<unsigned char>(text[i]) > 127;
    masks.nul |= text[i] == '\0';
  }
  return masks;
}

void ExpectSame(const LineMasks& found, const LineMasks& wanted, size_t blocks) {
  for (size_t i = 0; i < blocks; ++i) {
    EXPECT_EQ(found.cr[i], wanted.cr[i]) << "block " << i << " of " << blocks;
    EXPECT_EQ(found.lf[i], wanted.lf[i]) << "block " << i << " of " << blocks;
    EXPECT_EQ(found.dot[i], wanted.dot[i]) << "block " << i << " of " << blocks;
  }
  EXPECT_EQ(found.eight_bit, wanted.eight_bit);
  EXPECT_EQ(found.nul, wanted.nul);
}

// Mostly letters, so that one octet of a kind is alone in its text now and then.
std::string SomeText(core::Random* random, size_t size) {
  constexpr char kRare[] = {'\r', '\n', '.', '\0', '\x7f', '\x80', '\xff'};
  std::string text(size, 'x');
  for (uint64_t left = random->Below(6); left > 0; --left) {
    const size_t at = random->Below(size);
    text[at] = kRare[random->Below(sizeof(kRare))];
  }
  return text;
}

TEST(LineMasks, AllWaysFindTheSame) {
  core::Random random(1);
  for (int round = 0; round < 5'000; ++round) {
    const size_t blocks = 1 + random.Below(kMaskBlocks);
    const std::string text = SomeText(&random, blocks * kMaskBlock);
    const LineMasks wanted = Slowly(text);
    LineMasks found;
    FindLines(text.data(), blocks, &found);
    ExpectSame(found, wanted, blocks);
    FindLinesPlain(text.data(), blocks, &found);
    ExpectSame(found, wanted, blocks);
    if (HasAvx2()) {
      FindLinesAvx2(text.data(), blocks, &found);
      ExpectSame(found, wanted, blocks);
    }
    if (HasAvx512()) {
      FindLinesAvx512(text.data(), blocks, &found);
      ExpectSame(found, wanted, blocks);
    }
  }
}

TEST(LineMasks, LooksAtNoMoreThanItIsToldTo) {
  core::Random random(2);
  for (int round = 0; round < 5'000; ++round) {
    const std::string text = SomeText(&random, kMaskBlock);
    const size_t size = 1 + random.Below(kMaskBlock);
    const LineMasks wanted = Slowly(text.substr(0, size));
    bool eight_bit = false;
    bool nul = false;
    LookAtSome(text.data(), size, &eight_bit, &nul);
    EXPECT_EQ(eight_bit, wanted.eight_bit);
    EXPECT_EQ(nul, wanted.nul);
  }
}

}  // namespace
}  // namespace outbox::smtp
