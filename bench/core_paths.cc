// The paths of core/: timers, mailboxes, slabs and event lines.
#include <memory>

#include "bench/counted_path.h"
#include "core/check.h"
#include "core/limits.h"
#include "core/mailbox.h"
#include "core/slab.h"
#include "core/timer_wheel.h"

namespace outbox::bench {
namespace {

// A wheel as full as that of a busy shard.
constexpr uint32_t kTimersSet = 10'000;

class Timers : public CountedPath {
 public:
  Timers() {
    for (uint32_t i = 0; i < kTimersSet; ++i) {
      wheel_.Add(3000 * core::kNsPerDay + i * core::kNsPerMinute, 0, uint64_t{i});
    }
  }

 protected:
  core::TimerWheel wheel_{0, 2 * kTimersSet};
  int64_t now_ns_ = 0;
};

// What a session does: set, moved once, cancelled.
class TimerCancelled : public Timers {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      const uint32_t timer = wheel_.Add(now_ns_ + 5 * core::kNsPerMinute, 0, uint64_t{1});
      wheel_.Move(timer, now_ns_ + 3 * core::kNsPerMinute);
      wheel_.Cancel(timer);
    }
  }
};

// What a retry does: set, moved down the levels, fired a quarter of an hour later. Sixteen at a
// time.
class TimerFired : public Timers {
 public:
  void Run(uint64_t items) override {
    uint64_t fired = 0;
    for (uint64_t set = 0; set < items;) {
      for (int i = 0; i < 16 && set < items; ++i, ++set) {
        wheel_.Add(now_ns_ + 15 * core::kNsPerMinute + i * core::kNsPerSecond, 0, uint64_t{1});
      }
      while (fired < set) {
        now_ns_ = wheel_.NextDeadline();
        wheel_.Advance(now_ns_, UINT32_MAX, [&](uint8_t, uint64_t) { ++fired; });
      }
    }
    CHECK(fired == items);
  }
};

class MailboxItem : public CountedPath {
 public:
  void Run(uint64_t items) override {
    uint64_t taken = 0;
    for (; items > 0; --items) {
      CHECK(box_->TryPush({1, nullptr}));
      box_->Drain([&](const Item& item) { taken += item.kind; }, core::kMailboxDrainPerTurn);
    }
    CHECK(taken > 0);
  }

 private:
  struct Item {
    uint64_t kind = 0;
    void* pointer = nullptr;
  };
  const std::unique_ptr<core::Mailbox<Item, core::kMailboxCapacity>> box_ =
      std::make_unique<core::Mailbox<Item, core::kMailboxCapacity>>();
};

class SlabObject : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      Object* const object = slab_.New();
      asm volatile("" ::"r"(object) : "memory");
      slab_.Delete(object);
    }
  }

 private:
  struct Object {
    uint64_t words[8] = {};
  };
  core::Slab<Object> slab_{1000};
};

template <typename Path>
std::unique_ptr<CountedPath> Make() {
  return std::make_unique<Path>();
}

constexpr NamedPath kPaths[] = {
    {"timer_cancelled", 2000, &Make<TimerCancelled>},
    {"timer_fired", 320, &Make<TimerFired>},
    {"mailbox_item", 2000, &Make<MailboxItem>},
    {"slab_object", 2000, &Make<SlabObject>},
};

}  // namespace

std::span<const NamedPath> CorePaths() { return kPaths; }

}  // namespace outbox::bench
