// Sleep and wake between threads: no wake is lost. Built with ThreadSanitizer as well.
//
// A lost wake leaves a thread asleep for ever: the test then ends by its time limit.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/time.h"
#include "gtest/gtest.h"
#include "io/uring_io.h"

namespace outbox::io {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr uint64_t kRounds = 10'000;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr uint64_t kRounds = 10'000;
#else
constexpr uint64_t kRounds = 100'000;
#endif
#else
constexpr uint64_t kRounds = 100'000;
#endif

std::unique_ptr<UringIo> Make(const std::vector<std::string>& disable) {
  UringOptions options;
  options.disable = disable;
  options.buffer_count = 1;
  auto made = UringIo::Create(options);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return std::move(*made);
}

struct alignas(64) Mailbox {
  std::atomic<uint64_t> sent{0};
};

// Waits until `box` holds `value`, asleep in between.
void AwaitMail(UringIo* io, const Mailbox& box, uint64_t value) {
  while (box.sent.load(std::memory_order_acquire) < value) {
    io->PrepareToSleep();
    const bool there = box.sent.load(std::memory_order_acquire) >= value;
    io->Turn(there ? 0 : core::kNever);
  }
}

class WakeTest : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(WakeTest, PingPongBetweenTwoThreads) {
  const std::unique_ptr<UringIo> left = Make(GetParam());
  const std::unique_ptr<UringIo> right = Make(GetParam());
  Mailbox to_left;
  Mailbox to_right;
  std::thread other([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      AwaitMail(right.get(), to_right, round);
      to_left.sent.store(round, std::memory_order_release);
      right->Wake(left.get());
    }
    right->Turn(0);  // the last wake goes out with it
  });
  left->Start();
  for (uint64_t round = 1; round <= kRounds; ++round) {
    to_right.sent.store(round, std::memory_order_release);
    left->Wake(right.get());
    AwaitMail(left.get(), to_left, round);
  }
  other.join();
  const uint64_t wakes = left->counters().wakes_by_ring + left->counters().wakes_by_eventfd;
  EXPECT_LE(wakes, kRounds + 1);  // at most one for a ball, and one that failed at the ring's start
  if (GetParam().empty()) {
    EXPECT_GT(left->counters().wakes_by_ring, 0u);
  }
}

// One side only sends, in bursts, and never waits for an answer: the sleeper is met in every phase
// of its falling asleep.
TEST_P(WakeTest, AStreamOfMailFindsTheSleeperAtAnyMoment) {
  const std::unique_ptr<UringIo> sender = Make(GetParam());
  const std::unique_ptr<UringIo> receiver = Make(GetParam());
  Mailbox box;
  std::thread sleeper([&] {
    for (uint64_t seen = 0; seen < kRounds; seen = box.sent.load(std::memory_order_acquire)) {
      AwaitMail(receiver.get(), box, seen + 1);
    }
  });
  for (uint64_t round = 1; round <= kRounds; ++round) {
    box.sent.store(round, std::memory_order_release);
    sender->Wake(receiver.get());
    if (round % 7 == 0 || round == kRounds) sender->Turn(0);
  }
  sleeper.join();
  sender->Turn(0);
}

TEST_P(WakeTest, FromOutside) {
  const std::unique_ptr<UringIo> io = Make(GetParam());
  Mailbox box;
  std::thread outside([&] {
    for (uint64_t round = 1; round <= kRounds / 10; ++round) {
      box.sent.store(round, std::memory_order_release);
      io->WakeFromOutside();
    }
  });
  AwaitMail(io.get(), box, kRounds / 10);
  outside.join();
}

// The helper's results interrupt a sleep, though nobody announced it.
TEST_P(WakeTest, FromTheHelper) {
  struct Chain {
    void OnDone(const OpResult& result) {
      EXPECT_EQ(result.result, done);
      if (++done < 2000) Next();
    }
    void Next() {
      io->RunOnHelper(&op, [value = done] { return value; });
    }
    UringIo* io;
    int32_t done = 0;
    Op op;
  };
  const std::unique_ptr<UringIo> io = Make(GetParam());
  Chain chain{.io = io.get(), .done = 0, .op = {}};
  chain.op.Bind<&Chain::OnDone>(&chain);
  chain.Next();
  while (chain.op.in_flight) io->Turn(core::kNever);
  EXPECT_EQ(chain.done, 2000);
}

INSTANTIATE_TEST_SUITE_P(Uring, WakeTest,
                         testing::Values(std::vector<std::string>{},
                                         std::vector<std::string>{"defer_taskrun"},
                                         std::vector<std::string>{"msg_ring"}));

}  // namespace
}  // namespace outbox::io
