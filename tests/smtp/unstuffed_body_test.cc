// A body in wire form as the octets of BDAT, however its windows are cut.
#include "smtp/unstuffed_body.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "core/random.h"
#include "tests/smtp/naive_body.h"

namespace outbox::smtp {
namespace {

// Cuts `wire` in windows of `size` octets. Nothing: it was not what it should be.
std::optional<std::string> Unstuffed(std::string_view wire, size_t size, uint64_t octets,
                                     bool dots) {
  UnstuffedBody body(octets, dots);
  std::string content;
  for (size_t at = 0; at < wire.size(); at += size) {
    const std::string_view window = wire.substr(at, size);
    const bool last = at + size >= wire.size();
    const auto take = [&](std::string_view piece) {
      EXPECT_FALSE(piece.empty());
      content += piece;
    };
    if (!body.Cut(window, last, take)) return std::nullopt;
  }
  EXPECT_TRUE(body.complete());
  return content;
}

TEST(UnstuffedBodyTest, WhateverTheWindows) {
  const std::string bodies[] = {
      ".\r\n",
      "\r\n.\r\n",
      "..\r\n.\r\n",
      "...\r\n..\r\n.\r\n",
      "..a\r\n..\r\nb.\r\n..c\r\n\r\n..\r\n.\r\n",
      "a\r\n" + std::string(61, 'x') + "\r\n..y\r\n.\r\n",
      std::string(63, 'x') + "\r\n..y\r\n" + std::string(200, 'z') + "\r\n.\r\n",
      std::string(62, 'x') + "\r\n..y\r\n.\r\n",
      std::string(64, '.') + "\r\n.\r\n",
  };
  for (const std::string& wire : bodies) {
    SCOPED_TRACE(wire);
    const std::string content = NaiveUnstuffed(wire);
    ASSERT_EQ(NaiveStuffed(content), wire);
    const bool dots = content.size() + 3 < wire.size();
    for (size_t size = 1; size <= wire.size(); ++size) {
      ASSERT_EQ(Unstuffed(wire, size, content.size(), dots), content) << size;
      if (!dots) {
        ASSERT_EQ(Unstuffed(wire, size, content.size(), true), content) << size;
      }
    }
  }
}

TEST(UnstuffedBodyTest, RandomBodies) {
  core::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string content;
    while (random.Chance(9, 10)) {
      const char* pieces[] = {".", "..", "x", "xyz", "\r\n", "\r\n.", "\r\n..", "\r\n\r\n"};
      content += pieces[random.Below(8)];
      if (random.Chance(1, 20)) content += std::string(random.Below(100), 'l');
    }
    const std::string wire = NaiveStuffed(content);
    const std::string whole = NaiveUnstuffed(wire);
    ASSERT_EQ(Unstuffed(wire, 1 + random.Below(wire.size()), whole.size(), true), whole);
  }
}

// The octets have been promised: another number must not be completed.
TEST(UnstuffedBodyTest, ABodyThatIsNotWhatItShouldBe) {
  const std::string wire = "..one\r\ntwo\r\n.\r\n";  // 11 octets of content
  for (const bool dots : {false, true}) {
    for (uint64_t octets = 0; octets < 20; ++octets) {
      for (size_t size = 1; size <= wire.size(); ++size) {
        const bool right = octets == (dots ? 11u : 12u);
        EXPECT_EQ(Unstuffed(wire, size, octets, dots).has_value(), right)
            << octets << " in windows of " << size;
      }
    }
  }
  EXPECT_FALSE(Unstuffed("one\r\n.\r\nmore", 100, 5, false).has_value());
  EXPECT_FALSE(Unstuffed("one\r\n", 100, 5, false).has_value());
}

}  // namespace
}  // namespace outbox::smtp
