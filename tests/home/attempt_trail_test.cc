// What a shard remembers of failed attempts.
#include "queue/attempt_trail.h"

#include <gtest/gtest.h>

#include <string>

#include "core/limits.h"

namespace outbox::queue {
namespace {

AttemptFact Fact(int64_t time, uint64_t id, const std::string& recipient) {
  AttemptFact fact;
  fact.wall_ns = time;
  fact.message_id = id;
  fact.destination = "via:10.0.0.1:25";
  fact.recipient = recipient;
  return fact;
}

TEST(AttemptTrail, TellsTheNewestOfAMessageOldestFirst) {
  AttemptTrail trail;
  trail.Add(Fact(1, 7, "a@b.example"));
  trail.Add(Fact(2, 8, "c@d.example"));
  trail.Add(Fact(3, 7, "a@b.example"));
  const auto facts = trail.OfMessage(7);
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[0].wall_ns, 1);
  EXPECT_EQ(facts[1].wall_ns, 3);
  EXPECT_EQ(trail.OfDomain("d.example", "mx:d.example").size(), 1u);
  EXPECT_EQ(trail.OfDomain("x.example", "via:10.0.0.1:25").size(), 3u);
  EXPECT_TRUE(trail.OfMessage(9).empty());
  EXPECT_EQ(trail.forgotten(), 0u);
}

TEST(AttemptTrail, ForgetsTheOldest) {
  AttemptTrail trail;
  const auto count = static_cast<int64_t>(core::kAttemptTrail) + 10;
  for (int64_t i = 0; i < count; ++i) trail.Add(Fact(i, i < 20 ? 1 : 2, "a@b.example"));
  EXPECT_EQ(trail.forgotten(), 10u);
  EXPECT_EQ(trail.OfMessage(1).size(), 10u);
  const auto shown = trail.OfMessage(2);
  ASSERT_EQ(shown.size(), core::kAttemptTrailShown);
  EXPECT_EQ(shown.back().wall_ns, count - 1);
}

}  // namespace
}  // namespace outbox::queue
