// A route requires TLS, and the host of the domain does not offer it. Its mail waits, and the host
// is asked again, ever more seldom, whether it has become better.
#include <gtest/gtest.h>

#include <string>

#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::ScriptedServer;

TEST_P(ScenarioTest, OneSessionAtATimeFindsOutWhetherTlsIsThere) {
  story_.config().delivery.periods.retry_ns = {30 * kNsPerMinute};
  ScriptedServer* plain = story_.AddServer("plain.example");
  story_.config().routes.back().tls = core::TlsMode::kRequired;
  story_.Start();
  for (int i = 0; i < 50; ++i) {
    story_.SendLater(kSender, {"r" + std::to_string(i) + "@plain.example"});
  }
  story_.RunFor(50 * kNsPerSecond);
  EXPECT_EQ(plain->sessions_total(), 1u);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(plain->sessions_total(), 2u);
  story_.RunFor(kNsPerMinute);  // the second pause takes two
  EXPECT_EQ(plain->sessions_total(), 2u);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(plain->sessions_total(), 3u);
  EXPECT_TRUE(plain->taken().empty());
  story_.Finish(50);
}

}  // namespace
}  // namespace outbox::queue
