// The meta of a message that took the place of another one: the original envelope comes back, and a
// meta without one is as it always was.
#include "queue/message_meta.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::queue {
namespace {

std::string Meta(bool with_original, std::span<const Extent> extents) {
  MetaBuilder builder;
  builder.Start(77, 1234, kFlagEightBit | kFlagUtf8Header, "ops@client.example", "192.0.2.7");
  const uint32_t retry[] = {60};
  builder.AddGroup("mx:b.example", "mx", retry, {.retry_until_s = 600});
  builder.AddRecipient("new@b.example");
  builder.SetPrefix("Received: x\r\n");
  if (extents.empty()) {
    builder.SetBody(5, 1);
  } else {
    builder.SetExtents(5, 1, extents);
  }
  if (with_original) {
    const std::string_view recipients[] = {"a@b.example", "", "c@d.example"};
    builder.SetOriginal(42, EncodeOriginal("alice@client.example", recipients));
  }
  const std::span<const char> bytes = builder.Finish();
  return {bytes.data(), bytes.size()};
}

TEST(MessageMetaTest, TheOriginalEnvelopeComesBack) {
  const Extent extents[] = {{.generation = 9, .offset = 8192, .length = 5, .crc = 3}};
  for (const bool big : {false, true}) {
    const std::string bytes =
        Meta(true, big ? std::span<const Extent>(extents) : std::span<const Extent>());
    const std::optional<MetaView> view = MetaView::Parse(bytes + "body.");
    ASSERT_TRUE(view.has_value());
  }
  const std::string bytes = Meta(true, extents) + "body.";
  const std::optional<MetaView> view = MetaView::Parse(bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_TRUE(view->eight_bit() && view->utf8_header());
  EXPECT_TRUE(view->has_original());
  EXPECT_EQ(view->original_id(), 42u);
  EXPECT_EQ(view->original_reverse_path(), "alice@client.example");
  std::vector<std::string> recipients;
  view->ForEachOriginal([&](std::string_view address) { recipients.emplace_back(address); });
  EXPECT_EQ(recipients, (std::vector<std::string>{"a@b.example", "", "c@d.example"}));
  EXPECT_EQ(view->original_count(), 3u);
  // All else is where it was.
  EXPECT_EQ(view->reverse_path(), "ops@client.example");
  EXPECT_EQ(view->Recipient(0), "new@b.example");
  EXPECT_EQ(view->prefix(), "Received: x\r\n");
  EXPECT_EQ(view->extent(0), extents[0]);
  EXPECT_EQ(std::string_view(view->body().data(), view->body().size()), "body.");
  // What reclaim does to it leaves the envelopes alone.
  std::string moved = Meta(true, extents);
  const Extent other[] = {{.generation = 10, .offset = 4096, .length = 5, .crc = 3}};
  ReplaceExtents(moved, other);
  const std::optional<MetaView> after = MetaView::Parse(moved);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->extent(0), other[0]);
  EXPECT_EQ(after->original(), view->original());
}

TEST(MessageMetaTest, WithoutOneItIsAsItAlwaysWas) {
  const std::string bytes = Meta(false, {});
  EXPECT_EQ(bytes[4], 1);   // version
  EXPECT_EQ(bytes[6], 64);  // bytes of the fixed part
  const std::optional<MetaView> view = MetaView::Parse(bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_FALSE(view->has_original());
  EXPECT_EQ(view->original_count(), 0u);
  EXPECT_EQ(view->original_id(), 0u);
  view->ForEachOriginal([](std::string_view) { ADD_FAILURE(); });
}

// RFC 3461: a part of its own, which most mail does not have.
TEST(MessageMetaTest, WhatTheSenderAskedForComesBack) {
  for (const bool rerouted : {false, true}) {
    MetaBuilder builder;
    builder.Start(77, 1234, 0, "ops@client.example", "192.0.2.7");
    builder.SetDsn(smtp::DsnReturn::kFull, "QQ+3D1");
    const uint32_t retry[] = {60};
    builder.AddGroup("mx:a.example", "mx", retry, {.retry_until_s = 600});
    builder.AddRecipient("plain@a.example");
    builder.AddRecipient("asks@a.example", {smtp::kNotifySuccess, "rfc822;was@a.example"});
    builder.AddGroup("mx:b.example", "mx", retry, {.retry_until_s = 600});
    builder.AddRecipient("never@b.example", {smtp::kNotifyNever, ""});
    builder.SetPrefix("Received: x\r\n");
    builder.SetBody(5, 0);
    const std::string_view original[] = {"a@b.example"};
    if (rerouted) builder.SetOriginal(42, EncodeOriginal("alice@client.example", original));
    const std::span<const char> finished = builder.Finish();
    const std::string bytes = std::string(finished.data(), finished.size()) + "body.";
    EXPECT_EQ(bytes[4], 3);   // version
    EXPECT_EQ(bytes[6], 88);  // bytes of the fixed part
    const std::optional<MetaView> view = MetaView::Parse(bytes);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->dsn().ret(), smtp::DsnReturn::kFull);
    EXPECT_EQ(view->dsn().envid(), "QQ+3D1");
    EXPECT_TRUE(view->dsn().Of(0).empty());
    EXPECT_EQ(view->dsn().Of(1).notify, smtp::kNotifySuccess);
    EXPECT_EQ(view->dsn().Of(1).orcpt, "rfc822;was@a.example");
    EXPECT_EQ(view->dsn().Of(2).notify, smtp::kNotifyNever);
    EXPECT_NE(view->flags() & kFlagWantsSuccess, 0);
    EXPECT_EQ(view->has_original(), rerouted);
    EXPECT_EQ(view->original_count(), rerouted ? 1u : 0u);
    EXPECT_EQ(view->prefix(), "Received: x\r\n");
    EXPECT_EQ(view->Recipient(2), "never@b.example");
    EXPECT_EQ(std::string_view(view->body().data(), view->body().size()), "body.");
    for (size_t size = 0; size < bytes.size() - 5; ++size) {
      EXPECT_FALSE(MetaView::Parse(std::span<const char>(bytes).first(size)).has_value()) << size;
    }
    // Whatever a damaged disk says there, a command cannot be broken by it.
    std::string broken = bytes;
    broken.replace(broken.find("QQ+3D1"), 2, "\r\n");
    EXPECT_FALSE(MetaView::Parse(broken).has_value());
  }
}

TEST(MessageMetaTest, DamageIsSeen) {
  const std::string good = Meta(true, {});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(MetaView::Parse(std::string_view(good).substr(0, size)).has_value()) << size;
  }
  // No single byte leads out of the bytes, whatever it says.
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int value : {0, 1, 127, 255}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(value);
      const std::optional<MetaView> view = MetaView::Parse(damaged);
      if (!view.has_value()) continue;
      size_t bytes = view->original_reverse_path().size();
      view->ForEachOriginal([&](std::string_view address) { bytes += address.size(); });
      EXPECT_LE(bytes, good.size());
    }
  }
}

}  // namespace
}  // namespace outbox::queue
