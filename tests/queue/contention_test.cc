// What counts as contention: a change of a shared word that another shard came before.
#include "queue/contention.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace outbox::queue {
namespace {

// An atomic word that never fails for no reason, as those of some processors may.
struct Word {
  uint64_t value;
  bool compare_exchange_weak(uint64_t& seen, uint64_t wanted) {
    const bool same = value == seen;
    (same ? value : seen) = same ? wanted : value;
    return same;
  }
};

TEST(ContentionTest, AChangeThatSucceedsIsNotCounted) {
  Word word = {7};
  uint64_t seen = 7;
  const uint64_t before = contention_retries;
  EXPECT_TRUE(TryChange(&word, &seen, uint64_t{8}));
  EXPECT_EQ(word.value, 8u);
  EXPECT_EQ(contention_retries, before);
}

TEST(ContentionTest, AChangeThatCameSecondIsCountedAndSeesTheFirst) {
  Word word = {9};
  uint64_t seen = 7;
  const uint64_t before = contention_retries;
  EXPECT_FALSE(TryChange(&word, &seen, uint64_t{8}));
  EXPECT_EQ(seen, 9u);
  EXPECT_EQ(word.value, 9u);
  EXPECT_EQ(contention_retries, before + 1);
}

}  // namespace
}  // namespace outbox::queue
