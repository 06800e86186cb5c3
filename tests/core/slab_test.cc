// Slab: stable addresses and indexes, the bound, and our own mistakes being caught.
#include "core/slab.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/random.h"

namespace outbox::core {
namespace {

struct Counted {
  explicit Counted(int* live_objects) : live(live_objects) { ++*live; }
  ~Counted() { --*live; }
  int* live;
};

TEST(Slab, StopsAtItsBound) {
  Slab<int> slab(3);
  EXPECT_EQ(slab.memory_bytes(), 0u);
  int* first = slab.New(1);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(slab.New(2), nullptr);
  ASSERT_NE(slab.New(3), nullptr);
  EXPECT_TRUE(slab.full());
  EXPECT_EQ(slab.New(4), nullptr);
  slab.Delete(first);
  EXPECT_EQ(slab.in_use(), 2u);
  EXPECT_EQ(*slab.New(5), 5);
  EXPECT_GT(slab.memory_bytes(), 0u);
}

TEST(Slab, DestroysWhatIsLeft) {
  int live = 0;
  {
    Slab<Counted> slab(10'000);
    for (int i = 0; i < 9000; ++i) ASSERT_NE(slab.New(&live), nullptr);
    for (uint32_t i = 0; i < 9000; i += 3) slab.Delete(&slab[i]);
    EXPECT_EQ(live, 6000);
  }
  EXPECT_EQ(live, 0);
}

TEST(Slab, FindsOnlyWhatIsInUse) {
  Slab<std::string> slab(10);
  std::string* text = slab.New("here");
  const uint32_t index = slab.IndexOf(text);
  EXPECT_EQ(slab.Find(index), text);
  EXPECT_EQ(slab.Find(index + 1), nullptr);
  EXPECT_EQ(slab.Find(Slab<std::string>::kNone), nullptr);
  slab.Delete(text);
  EXPECT_EQ(slab.Find(index), nullptr);
}

// After a burst a slab holds little more than what is in use; indexes and addresses of those that
// stay hold, and the others' indexes are given again.
TEST(Slab, GivesMemoryBack) {
  struct Big {
    explicit Big(uint32_t v) : value(v) {}
    uint32_t value;
    char filler[996] = {};
  };
  constexpr uint32_t kObjects = 10'000;
  Slab<Big> slab(2 * kObjects);
  std::vector<Big*> all;
  for (int round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < kObjects; ++i) all.push_back(slab.New(i));
    EXPECT_GE(slab.memory_bytes(), kObjects * sizeof(Big));
    const uint32_t taken = slab.taken();
    // One in a thousand stays, each in a chunk of its own.
    for (uint32_t i = 0; i < kObjects; ++i) {
      if (i % 1000 != 0) slab.Delete(all[i]);
    }
    EXPECT_LE(slab.memory_bytes(), Slab<Big>::kSpareBytes + 10 * (size_t{32} << 10));
    uint32_t left = 0;
    for (uint32_t index = 0; index < slab.taken(); ++index) {
      const Big* object = slab.Find(index);
      if (object == nullptr) continue;
      EXPECT_EQ(object, all[object->value]);
      EXPECT_EQ(object, &slab[index]);
      ++left;
    }
    EXPECT_EQ(left, 10u);
    for (uint32_t i = 0; i < kObjects; i += 1000) slab.Delete(all[i]);
    EXPECT_LE(slab.memory_bytes(), Slab<Big>::kSpareBytes);
    EXPECT_LE(slab.taken(), taken);
    all.clear();
  }
  EXPECT_EQ(slab.in_use(), 0u);
}

TEST(Slab, AgreesWithAMap) {
  struct Big {
    explicit Big(uint64_t v) : value(v) {}
    uint64_t value;
    char filler[200] = {};
  };
  Slab<Big> slab(5000);
  std::map<uint32_t, std::pair<Big*, uint64_t>> model;
  Random random(7);
  for (int step = 0; step < 100'000; ++step) {
    const bool grow = random.Chance(step < 50'000 ? 6 : 4, 10);
    if (grow) {
      const uint64_t value = random.Next();
      Big* object = slab.New(value);
      ASSERT_EQ(object == nullptr, model.size() == 5000);
      if (object != nullptr) {
        ASSERT_TRUE(model.try_emplace(slab.IndexOf(object), object, value).second);
      }
    } else if (!model.empty()) {
      auto it = model.lower_bound(static_cast<uint32_t>(random.Below(6000)));
      if (it == model.end()) it = model.begin();
      const auto [object, value] = it->second;
      ASSERT_EQ(&slab[it->first], object);
      ASSERT_EQ(object->value, value);
      slab.Delete(object);
      model.erase(it);
    }
    ASSERT_EQ(slab.in_use(), model.size());
  }
}

TEST(SlabDeathTest, CatchesADoubleDelete) {
  Slab<int> slab(4);
  int* object = slab.New(1);
  ASSERT_NE(slab.New(2), nullptr);
  slab.Delete(object);
  EXPECT_DEATH(slab.Delete(object), "CHECK failed");
}

TEST(SlabDeathTest, CatchesAStranger) {
  Slab<int> slab(4);
  Slab<int> other(4);
  int* object = slab.New(1);
  EXPECT_DEATH(other.Delete(object), "CHECK failed");
}

}  // namespace
}  // namespace outbox::core
