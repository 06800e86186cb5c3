// The state of a message as it is written: what each part may say comes back; damage does not.
#include "queue/message_state.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::queue {
namespace {

StatePart Part(uint8_t flags, int64_t released_wall_ns) {
  StatePart part;
  part.mask = 5;
  part.first = 64;
  part.group = 2;
  part.attempts = 7;
  part.next_attempt_wall_ns = 1234;
  part.released_wall_ns = released_wall_ns;
  part.code = 451;
  part.flags = flags;
  part.enhanced = "4.2.0";
  part.text = "later";
  part.mailhost = "192.0.2.1:25";
  return part;
}

TEST(MessageStateTest, HeldAndReleasedPartsComeBack) {
  StateBuilder builder;
  builder.Start();
  builder.Add(Part(kPartNotified, 0));
  builder.Add(Part(kPartHeld | kPartReleased, 5678));
  builder.Add(Part(kPartReleased, -1));
  StatePart purged = Part(kPartReleased | kPartPurged | kPartPaused, 91);
  purged.purged_wall_ns = 92;
  purged.final_wall_ns = 93;
  purged.paused_ns = 94;
  builder.Add(purged);
  const std::span<const char> bytes = builder.Finish();
  const std::optional<StateView> view = StateView::Parse(bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->part_count(), 4u);
  const struct {
    uint8_t flags;
    int64_t released_wall_ns;
  } kParts[] = {{kPartNotified, 0}, {kPartHeld | kPartReleased, 5678}, {kPartReleased, -1}};
  StatePart part;
  uint32_t at = 0;
  for (const auto& expected : kParts) {
    ASSERT_TRUE(view->Next(&at, &part));
    EXPECT_EQ(part.flags, expected.flags);
    EXPECT_EQ(part.released_wall_ns, expected.released_wall_ns);
    EXPECT_EQ(part.mask, 5u);
    EXPECT_EQ(part.attempts, 7);
    EXPECT_EQ(part.enhanced, "4.2.0");
    EXPECT_EQ(part.text, "later");
    EXPECT_EQ(part.mailhost, "192.0.2.1:25");
  }
  EXPECT_EQ(part.purged_wall_ns, 0);
  EXPECT_EQ(part.paused_ns, 0);
  ASSERT_TRUE(view->Next(&at, &part));
  EXPECT_EQ(part.released_wall_ns, 91);
  EXPECT_EQ(part.purged_wall_ns, 92);
  EXPECT_EQ(part.final_wall_ns, 93);
  EXPECT_EQ(part.paused_ns, 94);
  EXPECT_EQ(part.mailhost, "192.0.2.1:25");
  EXPECT_FALSE(view->Next(&at, &part));
  // Without an end it is none; a part that says it was released has room for when.
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(StateView::Parse(bytes.first(size)).has_value()) << size;
  }
  builder.Start();
  builder.Add(Part(0, 0));
  const std::span<const char> plain = builder.Finish();
  std::string damaged(plain.data(), plain.size());
  ASSERT_TRUE(StateView::Parse(damaged).has_value());
  for (const uint8_t flag : {kPartReleased, kPartPurged, kPartPaused}) {
    damaged[8 + 6] = static_cast<char>(flag);
    EXPECT_FALSE(StateView::Parse(damaged).has_value()) << int{flag};
  }
}

TEST(MessageStateTest, WhoWasRoutedAgainSaysHow) {
  const uint32_t steps[] = {60, 3600};
  StatePart routed = Part(kPartRouted | kPartPinned | kPartReleased, 77);
  routed.routing = {"via:10.0.0.1:25",
                    "(reroute)",
                    {.notify_after_s = 5, .retry_until_s = 9},
                    {reinterpret_cast<const char*>(steps), sizeof(steps)}};
  StateBuilder builder;
  builder.Start();
  builder.Add(routed);
  builder.Add(Part(0, 0));
  const std::span<const char> bytes = builder.Finish();
  const std::optional<StateView> view = StateView::Parse(bytes);
  ASSERT_TRUE(view.has_value());
  StatePart part;
  uint32_t at = 0;
  ASSERT_TRUE(view->Next(&at, &part));
  EXPECT_EQ(part.flags, kPartRouted | kPartPinned | kPartReleased);
  EXPECT_EQ(part.mailhost, "192.0.2.1:25");
  EXPECT_EQ(part.released_wall_ns, 77);
  EXPECT_EQ(part.routing.destination, "via:10.0.0.1:25");
  EXPECT_EQ(part.routing.route, "(reroute)");
  EXPECT_EQ(part.routing.periods.notify_after_s, 5u);
  EXPECT_EQ(part.routing.periods.retry_until_s, 9u);
  ASSERT_EQ(part.routing.retry_count(), 2u);
  EXPECT_EQ(part.routing.retry_s(1), 3600u);
  ASSERT_TRUE(view->Next(&at, &part));
  EXPECT_EQ(part.routing.retry_count(), 0u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(StateView::Parse(bytes.first(size)).has_value()) << size;
  }
  // A part that says so and has no routing is damaged.
  builder.Start();
  builder.Add(Part(0, 0));
  const std::span<const char> plain = builder.Finish();
  std::string damaged(plain.data(), plain.size());
  damaged[8 + 6] = kPartRouted;
  EXPECT_FALSE(StateView::Parse(damaged).has_value());
}

}  // namespace
}  // namespace outbox::queue
