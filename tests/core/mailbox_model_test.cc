// The mailbox and the way to sleep, in all interleavings of a small model.
//
// The model runs the steps of core/mailbox.h and of the sleeping protocol that its header
// describes, one memory access at a time, for one producer and one consumer. Every plain or release
// store goes to the thread's store buffer first, from where it reaches memory at any later moment,
// in order (x86's TSO): the one reordering that the protocol has to withstand. A fence waits for
// the buffer to drain. A search goes through every reachable state. It must never find an item
// lost, doubled or out of order, nor the consumer asleep for good with an item in the ring. So that
// the search is known to be able to find that, the fences can be left out: then it must.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace outbox::core {
namespace {

constexpr uint8_t kCapacity = 2;
constexpr uint8_t kItems = 4;

// The places in memory that the two sides share.
enum Place : uint8_t { kTail, kHead, kSleeping, kWake, kSlot0, kSlot1, kPlaces };
enum Thread : uint8_t { kProducer, kConsumer };

struct Fences {
  bool producer = true;
  bool consumer = true;
};

enum Step : uint8_t {
  // Producer: TryPush, then Wake.
  kCheckRoom,
  kReloadHead,
  kWriteSlot,
  kPublishTail,
  kProducerFence,
  kReadSleeping,
  kSendWake,
  kProducerDone,
  // Consumer: Drain, PrepareToSleep, empty(), sleep.
  kCheckTail,
  kReadSlot,
  kPublishHead,
  kAnnounce,
  kConsumerFence,
  kLookOnce,
  kAsleep,
  kAwake,
  kConsumerDone,
};

struct Store {
  Place place;
  uint8_t value;
  auto operator<=>(const Store&) const = default;
};

struct State {
  std::array<uint8_t, kPlaces> memory = {};
  std::array<std::vector<Store>, 2> buffer;
  std::array<Step, 2> step = {kCheckRoom, kCheckTail};
  uint8_t pushed = 0;     // the producer's tail
  uint8_t seen_head = 0;  // the producer's
  uint8_t consumed = 0;   // the consumer's head
  uint8_t seen_tail = 0;  // the consumer's
  auto operator<=>(const State&) const = default;
};

class Search {
 public:
  explicit Search(Fences fences) : fences_(fences) {}

  // Returns what went wrong first, or "".
  std::string Run() {
    std::vector<State> open = {State()};
    seen_.insert(open.back());
    while (!open.empty() && trouble_.empty()) {
      const State state = open.back();
      open.pop_back();
      bool moved = false;
      for (const Thread thread : {kProducer, kConsumer}) {
        for (const bool drain : {false, true}) {
          State next = state;
          if (!(drain ? DrainOne(&next, thread) : Advance(&next, thread))) continue;
          moved = true;
          if (seen_.insert(next).second) open.push_back(next);
        }
      }
      if (!moved) CheckEnd(state);
    }
    return trouble_;
  }
  size_t states() const { return seen_.size(); }

 private:
  // A load sees the thread's own buffered stores first.
  static uint8_t Load(const State& state, Thread thread, Place place) {
    const auto& buffer = state.buffer[thread];
    for (size_t i = buffer.size(); i > 0; --i) {
      if (buffer[i - 1].place == place) return buffer[i - 1].value;
    }
    return state.memory[place];
  }
  static void Write(State* state, Thread thread, Place place, uint8_t value) {
    state->buffer[thread].push_back({place, value});
  }
  static bool DrainOne(State* state, Thread thread) {
    auto& buffer = state->buffer[thread];
    if (buffer.empty()) return false;
    state->memory[buffer.front().place] = buffer.front().value;
    buffer.erase(buffer.begin());
    return true;
  }
  static Place SlotOf(uint8_t count) { return count % kCapacity == 0 ? kSlot0 : kSlot1; }

  // One step of a thread; false: it cannot move now.
  bool Advance(State* state, Thread thread) {
    return thread == kProducer ? Produce(state) : Consume(state);
  }

  bool Produce(State* s) {
    Step& step = s->step[kProducer];
    switch (step) {
      case kCheckRoom:
        step = s->pushed - s->seen_head == kCapacity ? kReloadHead : kWriteSlot;
        return true;
      case kReloadHead: {
        const uint8_t head = Load(*s, kProducer, kHead);
        if (head == s->seen_head) return false;  // full: tries again when that has changed
        s->seen_head = head;
        step = kWriteSlot;
        return true;
      }
      case kWriteSlot:
        Write(s, kProducer, SlotOf(s->pushed), static_cast<uint8_t>(100 + s->pushed));
        step = kPublishTail;
        return true;
      case kPublishTail:
        Write(s, kProducer, kTail, ++s->pushed);
        step = kProducerFence;
        return true;
      case kProducerFence:
        if (fences_.producer && !s->buffer[kProducer].empty()) return false;
        step = kReadSleeping;
        return true;
      case kReadSleeping:
        step = Load(*s, kProducer, kSleeping) != 0 ? kSendWake : NextPush(*s);
        return true;
      case kSendWake:  // by the kernel, not by memory
        s->memory[kWake] = 1;
        step = NextPush(*s);
        return true;
      default:
        return false;
    }
  }
  static Step NextPush(const State& s) { return s.pushed == kItems ? kProducerDone : kCheckRoom; }

  bool Consume(State* s) {
    Step& step = s->step[kConsumer];
    switch (step) {
      case kCheckTail:
        if (s->seen_tail == s->consumed) s->seen_tail = Load(*s, kConsumer, kTail);
        step = s->seen_tail == s->consumed ? kAnnounce : kReadSlot;
        return true;
      case kReadSlot:
        if (Load(*s, kConsumer, SlotOf(s->consumed)) != 100 + s->consumed) {
          trouble_ = "item " + std::to_string(s->consumed) + " was not what was pushed";
        }
        step = kPublishHead;
        return true;
      case kPublishHead:
        Write(s, kConsumer, kHead, ++s->consumed);
        step = s->consumed == kItems ? kConsumerDone : kCheckTail;
        return true;
      case kAnnounce:
        Write(s, kConsumer, kSleeping, 1);
        step = kConsumerFence;
        return true;
      case kConsumerFence:
        if (fences_.consumer && !s->buffer[kConsumer].empty()) return false;
        step = kLookOnce;
        return true;
      case kLookOnce:
        step = Load(*s, kConsumer, kTail) == s->consumed ? kAsleep : kAwake;
        return true;
      case kAsleep:
        if (s->memory[kWake] == 0) return false;
        s->memory[kWake] = 0;
        step = kAwake;
        return true;
      case kAwake:
        Write(s, kConsumer, kSleeping, 0);
        step = kCheckTail;
        return true;
      default:
        return false;
    }
  }

  void CheckEnd(const State& s) {
    if (s.step[kConsumer] == kAsleep && s.memory[kTail] != s.consumed) {
      trouble_ = "asleep with an item in the ring";
    } else if (s.step[kProducer] != kProducerDone || s.step[kConsumer] != kConsumerDone) {
      trouble_ = "stuck";
    }
  }

  const Fences fences_;
  std::set<State> seen_;
  std::string trouble_;
};

TEST(MailboxModel, NoInterleavingLosesAnItemOrAWake) {
  Search search(Fences{});
  EXPECT_EQ(search.Run(), "");
  // The search did go through something: fewer states would mean that the model moves in lockstep.
  EXPECT_GT(search.states(), 1000u);
}

TEST(MailboxModel, BothFencesAreNeeded) {
  EXPECT_EQ(Search(Fences{.producer = false}).Run(), "asleep with an item in the ring");
  EXPECT_EQ(Search(Fences{.consumer = false}).Run(), "asleep with an item in the ring");
}

}  // namespace
}  // namespace outbox::core
