// The DNS says that nobody takes the mail, for good: the sender learns it at once, and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;

class TheDomain : public ScenarioTest {
 protected:
  void IsNotSentTo(const char* status) {
    story_.Start();
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
    EXPECT_EQ(Told(std::string("Status: ") + status), 1u);
    EXPECT_EQ(story_.Metric(&core::ShardMetrics::bounced_total), 1);
    story_.Finish();
  }
};

TEST_P(TheDomain, DoesNotExist) {
  story_.names();
  IsNotSentTo("5.1.2");
}

TEST_P(TheDomain, SaysThatItTakesNone) {
  story_.names().AddMx("b.example", 0, ".");
  IsNotSentTo("5.1.10");
}

TEST_P(TheDomain, HasNoHost) {
  story_.names().AddName("b.example");
  IsNotSentTo("5.4.4");
}

TEST_P(TheDomain, NamesUsAsItsBestHost) {
  story_.names().AddMx("b.example", 10, "relay.example");
  story_.AddMx("b.example", 20, "backup.example");
  IsNotSentTo("5.4.6");
}

TEST_P(TheDomain, NamesOurAddressUnderAnotherName) {
  story_.names().AddMx("b.example", 10, "mx.b.example");
  story_.names().AddAddress("mx.b.example", core::IpAddress::V4(10, 0, 0, 1));
  IsNotSentTo("5.4.6");
}

INSTANTIATE_TEST_SUITE_P(Shards, TheDomain, ::testing::Values(1, 2));

}  // namespace
}  // namespace outbox::queue
