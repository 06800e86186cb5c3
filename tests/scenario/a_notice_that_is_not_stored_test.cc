// A refusal whose notice cannot be written stays queued; both are written once, later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ScenarioTest, ANoticeThatIsNotStoredIsTriedAgain) {
  story_.AddServer("b.example",
                   {{.at = "RCPT", .reply = "550 5.1.1 no", .delay_ns = kNsPerSecond}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"one@b.example", "two@b.example"}).acknowledged);
  story_.world().mutable_options().disk.write_error_ppm = 1'000'000;
  story_.RunFor(kNsPerMinute);
  EXPECT_THAT(sender_->taken(), IsEmpty());
  EXPECT_EQ(story_.Counters().queued, 2u);
  EXPECT_EQ(story_.Counters().generated, 0u);
  EXPECT_THAT(story_.List(), SizeIs(2));
  story_.world().mutable_options().disk.write_error_ppm = 0;
  ASSERT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  EXPECT_EQ(Told("rfc822; two@b.example"), 1u);
  EXPECT_EQ(story_.Counters().bounced, 2u);
  // It was written once: nothing comes again.
  ASSERT_TRUE(story_.Stop());
  story_.Start();
  story_.RunFor(kNsPerHour);
  EXPECT_EQ(Told("rfc822; one@b.example"), 1u);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
