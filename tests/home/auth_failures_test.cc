// Failed authentications by address: counted, refused, forgiven; from one shard and from several.
#include "queue/auth_failures.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/time.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;

core::AuthConfig FailureLimits() {
  core::AuthConfig config;
  config.max_failures = 3;
  config.failure_period_ns = kNsPerMinute;
  config.refuse_for_ns = 5 * kNsPerMinute;
  return config;
}

core::IpAddress Address(const char* text) { return core::IpAddress::Parse(text).value(); }

constexpr int64_t kStart = 1000 * kNsPerSecond;

TEST(AuthFailures, RefusedAfterSoManyAndTakenAgainLater) {
  const core::AuthConfig config = FailureLimits();
  AuthFailures failures;
  const core::IpAddress client = Address("192.0.2.1");
  for (uint32_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(failures.RefusedUntil(client, config, kStart), 0);
    const auto counted = failures.Count(client, config, kStart);
    EXPECT_EQ(counted.failures, i);
    EXPECT_EQ(counted.refused_now, i == 3);
  }
  const int64_t until_ns = kStart + 5 * kNsPerMinute;
  EXPECT_EQ(failures.RefusedUntil(client, config, kStart), until_ns);
  EXPECT_EQ(failures.RefusedUntil(client, config, until_ns - 1), until_ns);
  // What was under way when it began changes nothing.
  EXPECT_FALSE(failures.Count(client, config, kStart + kNsPerMinute).refused_now);
  EXPECT_EQ(failures.RefusedUntil(client, config, until_ns - 1), until_ns);
  EXPECT_EQ(failures.RefusedUntil(client, config, until_ns), 0);
  EXPECT_EQ(failures.Count(client, config, until_ns).failures, 1u);
  EXPECT_EQ(failures.RefusedUntil(Address("192.0.2.2"), config, kStart), 0);
}

TEST(AuthFailures, OldOnesDoNotCount) {
  const core::AuthConfig config = FailureLimits();
  AuthFailures failures;
  const core::IpAddress client = Address("192.0.2.1");
  EXPECT_EQ(failures.Count(client, config, kStart).failures, 1u);
  EXPECT_EQ(failures.Count(client, config, kStart + 59 * kNsPerSecond).failures, 2u);
  EXPECT_EQ(failures.Count(client, config, kStart + 60 * kNsPerSecond).failures, 1u);
}

TEST(AuthFailures, TheNetworkOfAnIpv6AddressIsOneClient) {
  const core::AuthConfig config = FailureLimits();
  AuthFailures failures;
  failures.Count(Address("2001:db8::1"), config, kStart);
  failures.Count(Address("2001:db8::2"), config, kStart);
  EXPECT_EQ(failures.Count(Address("2001:db8:0:1::1"), config, kStart).failures, 1u);
  EXPECT_TRUE(failures.Count(Address("2001:db8::ffff:1"), config, kStart).refused_now);
  EXPECT_NE(failures.RefusedUntil(Address("2001:db8::9"), config, kStart), 0);
  EXPECT_EQ(failures.RefusedUntil(Address("2001:db8:0:1::1"), config, kStart), 0);
  EXPECT_EQ(failures.Count(Address("192.0.2.1"), config, kStart).failures, 1u);
  EXPECT_EQ(failures.Count(Address("192.0.2.2"), config, kStart).failures, 1u);
}

// More addresses than there are entries: it takes them all, and forgets old ones.
TEST(AuthFailures, TheTableIsBounded) {
  const core::AuthConfig config = FailureLimits();
  AuthFailures failures;
  for (uint32_t i = 0; i < 4 * core::kAuthFailureEntries; ++i) {
    const core::IpAddress client = core::IpAddress::V4(
        10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
    const int64_t now_ns = kStart + i * core::kNsPerMs / 4;
    EXPECT_EQ(failures.Count(client, config, now_ns).failures, 1u);
    EXPECT_EQ(failures.Count(client, config, now_ns).failures, 2u);
  }
}

TEST(AuthFailures, ShardsCountTogether) {
  core::AuthConfig config = FailureLimits();
  config.max_failures = 200;
  AuthFailures failures;
  const core::IpAddress client = Address("192.0.2.1");
  failures.Count(client, config, kStart);
  std::atomic<int> refusals = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 60; ++i) refusals += failures.Count(client, config, kStart).refused_now;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refusals, 1);
  EXPECT_NE(failures.RefusedUntil(client, config, kStart), 0);
}

}  // namespace
}  // namespace outbox::queue
