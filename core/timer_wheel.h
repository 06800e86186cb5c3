// TimerWheel: all timers of one shard.
//
// A hierarchical wheel in ticks of 100 ms. Level 0 has a slot for each of the next 64 ticks, level
// 1 a slot for each of the next 64 spans of 64 ticks, and so on; seven levels reach past the end of
// int64_t, so that every deadline has its slot. A timer's level is given by the highest group of
// six bits in which its tick differs from the wheel's; when the wheel reaches a slot of a higher
// level, its timers move to finer ones. A bit per slot says whether it is occupied, so that a jump
// of time (a suspended machine) costs nothing for the empty slots between.
//
// A timer never fires early, and at the first Advance of the tick after its deadline unless the
// budget of that call is used up. Timers of one tick fire in no promised order, but always in the
// same one for the same calls.
//
// Time is whatever the caller passes: steady nanoseconds (core/time.h), never negative. Not
// thread-safe; a wheel belongs to one shard.
#ifndef OUTBOX_CORE_TIMER_WHEEL_H_
#define OUTBOX_CORE_TIMER_WHEEL_H_

#include <cstdint>

#include "core/slab.h"
#include "core/time.h"

namespace outbox::core {

class TimerWheel {
 public:
  static constexpr int64_t kTickNs = 100 * kNsPerMs;
  // The handle of no timer.
  static constexpr uint32_t kNone = UINT32_MAX;

  // `capacity` bounds the timers that are set at once.
  TimerWheel(int64_t now_ns, uint32_t capacity);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // Timers that are still set are dropped.
  ~TimerWheel() = default;

  // Sets a timer; `kind` and `cookie` come back when it fires. A deadline that has passed fires at
  // the next tick, so that a callback that sets such a timer does not keep Advance busy for ever.
  // Returns its handle, which is good until it fires or is cancelled, or kNone at the capacity.
  // O(1).
  uint32_t Add(int64_t deadline_ns, uint8_t kind, uint64_t cookie);
  uint32_t Add(int64_t deadline_ns, uint8_t kind, void* owner) {
    return Add(deadline_ns, kind, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(owner)));
  }
  // REQUIRES: timer is set. O(1).
  void Cancel(uint32_t timer);
  // Gives a set timer another deadline; the handle stays. O(1).
  void Move(uint32_t timer, int64_t deadline_ns);

  // Moves the wheel to now_ns and calls fire(uint8_t kind, uint64_t cookie) for each timer that is
  // due. Fires and moves at most `budget` timers; true: that was not enough, and the next call goes
  // on. `fire` may add, cancel and move any timer; the one that fires is no longer set.
  template <typename Fire>
  bool Advance(int64_t now_ns, uint32_t budget, Fire&& fire) {
    SetNow(now_ns);
    Expired expired;
    while (NextExpired(&budget, &expired)) fire(expired.kind, expired.cookie);
    return WorkIsLeft();
  }

  // The time until which the owner may sleep: a lower bound of when Advance has something to do,
  // which is not later than any deadline by more than a tick. At most now when Advance left work;
  // kNever when no timer is set.
  int64_t NextDeadline() const;

  uint32_t size() const { return nodes_.in_use(); }
  size_t memory_bytes() const { return nodes_.memory_bytes(); }

 private:
  static constexpr int kLevels = 7;
  static constexpr int kBits = 6;
  static constexpr uint32_t kSlots = 1u << kBits;
  static constexpr uint32_t kLists = kLevels * kSlots;  // number level * kSlots + slot
  static constexpr uint32_t kListMask = (1u << 10) - 1;
  static constexpr uint64_t kTickMask = (uint64_t{1} << 46) - 1;

  // 24 bytes: there is one for every ticket.
  struct Node {
    uint64_t cookie;
    uint64_t tick : 46;  // fires when the wheel reaches it; 2^63 ns are less than 2^37 ticks
    uint64_t list : 10;  // the slot that it is in: its own, or an earlier one
    uint64_t kind : 8;
    uint32_t prev;
    uint32_t next;
  };
  static_assert(sizeof(Node) == 24);

  struct List {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };

  struct Expired {
    uint64_t cookie = 0;
    uint8_t kind = 0;
  };

  void SetNow(int64_t now_ns);
  // Takes the next due timer off the wheel, moving others meanwhile; false: none is due, or the
  // budget is used up.
  bool NextExpired(uint32_t* budget, Expired* expired);
  // Brings the wheel to the next occupied slot that has been reached and starts to empty it; false:
  // there is none.
  bool TakeNextSlot();
  bool WorkIsLeft() const;
  // The first occupied list and the tick at which its slot begins; false when all are empty.
  bool FirstSlot(uint32_t* list, uint64_t* tick) const;
  uint64_t TickOf(int64_t deadline_ns) const;

  // Puts the node where its tick belongs. REQUIRES: the node is in no list.
  void Insert(uint32_t index, Node* node);
  void Remove(Node* node);
  // The slot of wheel_tick_ itself: its timers are due.
  uint32_t DueList() const { return static_cast<uint32_t>(wheel_tick_ % kSlots); }
  bool SlotsAreTaken() const { return moving_ != kNone || lists_[DueList()].first != kNone; }

  uint64_t wheel_tick_;              // every slot up to here is empty or being emptied
  uint64_t now_tick_;                // the tick of the last Advance, >= wheel_tick_
  uint32_t moving_ = kNone;          // the slot of a higher level that is being emptied
  uint64_t occupied_[kLevels] = {};  // a bit per slot; not of the slots that are being emptied
  List lists_[kLists];
  Slab<Node> nodes_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_TIMER_WHEEL_H_
