// The mailbox on one thread, and under two (run it with the tsan preset as well).
#include "core/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace outbox::core {
namespace {

struct Item {
  uint64_t number = 0;
  const uint64_t* payload = nullptr;
};

TEST(Mailbox, KeepsOrderAndItsBound) {
  Mailbox<uint64_t, 8> mailbox;
  std::vector<uint64_t> seen;
  const auto take = [&](uint64_t item) { seen.push_back(item); };
  EXPECT_TRUE(mailbox.empty());
  EXPECT_EQ(mailbox.Drain(take, 100), 0u);
  for (uint64_t i = 0; i < 8; ++i) EXPECT_TRUE(mailbox.TryPush(i));
  EXPECT_FALSE(mailbox.TryPush(8));
  EXPECT_FALSE(mailbox.empty());
  EXPECT_EQ(mailbox.Drain(take, 3), 3u);
  for (uint64_t i = 8; i < 11; ++i) EXPECT_TRUE(mailbox.TryPush(i));
  EXPECT_FALSE(mailbox.TryPush(11));
  // The first call may see only what it saw before; the second sees the rest.
  while (mailbox.Drain(take, 100) > 0) {
  }
  EXPECT_TRUE(mailbox.empty());
  ASSERT_EQ(seen.size(), 11u);
  for (uint64_t i = 0; i < 11; ++i) EXPECT_EQ(seen[i], i);
}

TEST(Mailbox, AConsumerMayAnswerIntoAnotherMailbox) {
  Mailbox<int, 4> there;
  Mailbox<int, 4> back;
  EXPECT_TRUE(there.TryPush(20));
  there.Drain([&](int item) { EXPECT_TRUE(back.TryPush(item + 1)); }, 1);
  int answer = 0;
  back.Drain([&](int item) { answer = item; }, 1);
  EXPECT_EQ(answer, 21);
}

// What the producer wrote before it pushed must be there for the consumer, in order, once each.
TEST(Mailbox, TwoThreads) {
  constexpr uint64_t kManyItems = 300'000;
  auto mailbox = std::make_unique<Mailbox<Item, 64>>();
  std::vector<uint64_t> payloads(kManyItems);  // plain memory: the mailbox orders it
  std::thread producer([&] {
    for (uint64_t i = 0; i < kManyItems; ++i) {
      payloads[i] = i * 3;
      while (!mailbox->TryPush({i, &payloads[i]})) std::this_thread::yield();
    }
  });
  uint64_t received = 0;
  uint64_t wrong = 0;
  while (received < kManyItems) {
    const size_t count = mailbox->Drain(
        [&](const Item& item) {
          if (item.number != received || *item.payload != received * 3) ++wrong;
          payloads[received] = 0;  // ours now
          ++received;
        },
        1 + received % 17);
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(mailbox->empty());
}

}  // namespace
}  // namespace outbox::core
