#include "core/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace outbox::core {

// The invariant that everything here rests on: slot s of level l, if it is occupied, has the same
// bits as wheel_tick_ above level l, s is greater than wheel_tick_'s own slot there, and the timers
// in it are due in its time or later. So the lowest
// occupied slot of the lowest occupied level is always the next one, and wheel_tick_ may move up to
// any tick before the start of that slot without touching a timer.
//
// What is moved to a later time stays in its slot and is put where it belongs when that is emptied:
// a session that moves its timer with every line costs one such step in minutes, and touches no
// neighbour in the list.
//
// A slot is emptied in place, over several calls if the budget wants it. Nothing is added to it
// meanwhile: once wheel_tick_ is at the start of a slot, all that lies within goes to finer levels.

TimerWheel::TimerWheel(int64_t now_ns, uint32_t capacity)
    : wheel_tick_(static_cast<uint64_t>(now_ns / kTickNs)),
      now_tick_(wheel_tick_),
      nodes_(capacity) {
  CHECK(now_ns >= 0);
}

uint64_t TimerWheel::TickOf(int64_t deadline_ns) const {
  // Rounded up: never early.
  const int64_t tick = deadline_ns / kTickNs + (deadline_ns % kTickNs > 0 ? 1 : 0);
  return std::max(static_cast<uint64_t>(std::max<int64_t>(tick, 0)), now_tick_ + 1);
}

uint32_t TimerWheel::Add(int64_t deadline_ns, uint8_t kind, uint64_t cookie) {
  Node* node = nodes_.New();
  if (node == nullptr) return kNone;
  const uint32_t index = nodes_.IndexOf(node);
  node->cookie = cookie;
  node->kind = kind;
  node->tick = TickOf(deadline_ns) & kTickMask;
  Insert(index, node);
  return index;
}

void TimerWheel::Cancel(uint32_t timer) {
  Node* node = nodes_.Find(timer);
  CHECK(node != nullptr);
  Remove(node);
  nodes_.Delete(node);
}

void TimerWheel::Move(uint32_t timer, int64_t deadline_ns) {
  Node* node = nodes_.Find(timer);
  CHECK(node != nullptr);
  const uint64_t tick = TickOf(deadline_ns);
  if (tick >= node->tick) {
    node->tick = tick & kTickMask;
    return;
  }
  Remove(node);
  node->tick = tick & kTickMask;
  Insert(timer, node);
}

void TimerWheel::SetNow(int64_t now_ns) {
  CHECK(now_ns >= 0);
  now_tick_ = std::max(now_tick_, static_cast<uint64_t>(now_ns / kTickNs));
}

bool TimerWheel::NextExpired(uint32_t* budget, Expired* expired) {
  while (*budget > 0) {
    if (!SlotsAreTaken() && !TakeNextSlot()) return false;
    --*budget;
    const uint32_t index = lists_[moving_ != kNone ? moving_ : DueList()].first;
    Node* node = &nodes_[index];
    const bool due = moving_ == kNone && node->tick == wheel_tick_;
    Remove(node);
    if (!due) {
      Insert(index, node);
      continue;
    }
    expired->kind = static_cast<uint8_t>(node->kind);
    expired->cookie = node->cookie;
    nodes_.Delete(node);
    return true;
  }
  return false;
}

bool TimerWheel::TakeNextSlot() {
  uint32_t list;
  uint64_t tick;
  if (!FirstSlot(&list, &tick) || tick > now_tick_) {
    wheel_tick_ = now_tick_;
    return false;
  }
  wheel_tick_ = tick;
  occupied_[list / kSlots] &= ~(uint64_t{1} << (list % kSlots));
  if (list >= kSlots) moving_ = list;
  return true;
}

bool TimerWheel::WorkIsLeft() const {
  uint32_t list;
  uint64_t tick;
  return SlotsAreTaken() || (FirstSlot(&list, &tick) && tick <= now_tick_);
}

int64_t TimerWheel::NextDeadline() const {
  uint32_t list;
  uint64_t tick = wheel_tick_;
  if (!SlotsAreTaken() && !FirstSlot(&list, &tick)) return kNever;
  if (tick > static_cast<uint64_t>(kNever / kTickNs)) return kNever - 1;
  return static_cast<int64_t>(tick) * kTickNs;
}

bool TimerWheel::FirstSlot(uint32_t* list, uint64_t* tick) const {
  for (int level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const uint32_t slot = static_cast<uint32_t>(std::countr_zero(occupied_[level]));
    const int shift = level * kBits;
    *list = static_cast<uint32_t>(level) * kSlots + slot;
    *tick = ((wheel_tick_ >> (shift + kBits)) << (shift + kBits)) | (uint64_t{slot} << shift);
    CHECK(*tick > wheel_tick_);
    return true;
  }
  return false;
}

void TimerWheel::Insert(uint32_t index, Node* node) {
  const uint64_t tick = node->tick;
  CHECK(tick >= wheel_tick_);
  uint32_t list = DueList();
  if (tick != wheel_tick_) {
    const uint32_t highest_bit = 63 - static_cast<uint32_t>(std::countl_zero(tick ^ wheel_tick_));
    const uint32_t level = highest_bit / kBits;
    const uint32_t slot = static_cast<uint32_t>(tick >> (level * kBits)) % kSlots;
    occupied_[level] |= uint64_t{1} << slot;
    list = level * kSlots + slot;
  }
  List& target = lists_[list];
  node->list = list & kListMask;
  node->prev = target.last;
  node->next = kNone;
  (target.last == kNone ? target.first : nodes_[target.last].next) = index;
  target.last = index;
}

void TimerWheel::Remove(Node* node) {
  const uint32_t list = static_cast<uint32_t>(node->list);
  List& source = lists_[list];
  (node->prev == kNone ? source.first : nodes_[node->prev].next) = node->next;
  (node->next == kNone ? source.last : nodes_[node->next].prev) = node->prev;
  if (source.first != kNone) return;
  occupied_[list / kSlots] &= ~(uint64_t{1} << (list % kSlots));
  if (list == moving_) moving_ = kNone;
}

}  // namespace outbox::core
