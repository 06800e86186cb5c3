// Connection limits in all and by client, from one shard and from several at once.
#include "queue/client_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace outbox::queue {
namespace {

using Admission = ClientLimits::Admission;

core::IpAddress Client(int i) {
  return core::IpAddress::V4(10, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
}

TEST(ClientLimits, OneClientStopsAtItsLimitOthersGoOn) {
  ClientLimits limits;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits.Admit(Client(1), 100, 3), Admission::kAdmitted);
  EXPECT_EQ(limits.Admit(Client(1), 100, 3), Admission::kTooManyOfClient);
  EXPECT_EQ(limits.Admit(Client(2), 100, 3), Admission::kAdmitted);
  EXPECT_EQ(limits.total(), 4u);
  limits.Release(Client(1));
  EXPECT_EQ(limits.Admit(Client(1), 100, 3), Admission::kAdmitted);
  EXPECT_EQ(limits.CountOf(Client(1)), 3u);
}

TEST(ClientLimits, TotalStopsEverybody) {
  ClientLimits limits;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limits.Admit(Client(i), 5, 3), Admission::kAdmitted);
  EXPECT_EQ(limits.Admit(Client(9), 5, 3), Admission::kTooManyInAll);
  EXPECT_EQ(limits.total(), 5u);
}

TEST(ClientLimits, ThousandsOfClientsComeAndGo) {
  ClientLimits limits;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5'000; ++i) {
      ASSERT_EQ(limits.Admit(Client(i), 100'000, 1), Admission::kAdmitted) << i;
    }
    for (int i = 0; i < 5'000; ++i) {
      EXPECT_EQ(limits.CountOf(Client(i)), 1u);
      limits.Release(Client(i));
    }
    EXPECT_EQ(limits.total(), 0u);
  }
}

TEST(ClientLimits, ShardsAtOnceNeverPassTheLimitAndEndAtZero) {
  ClientLimits limits;
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (limits.Admit(Client(7), 100, 3) != Admission::kAdmitted) continue;
        const int now = ++inside;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --inside;
        limits.Release(Client(7));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(limits.total(), 0u);
  EXPECT_EQ(limits.CountOf(Client(7)), 0u);
}

}  // namespace
}  // namespace outbox::queue
