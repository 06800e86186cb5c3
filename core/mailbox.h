// Mailbox: what one shard sends to another: a bounded, lock-free ring of one producer and one
// consumer.
//
// There is one mailbox for every ordered pair of shards. Items are small plain values (a kind and a
// pointer, say); pushing releases and draining acquires, so that whatever the producer wrote before
// it pushed is the consumer's to read, and may change owner with the item.
//
// Sleeping. The consumer announces that it is about to sleep, then looks at empty() once more, then
// sleeps; the producer pushes, then looks whether the consumer sleeps, and wakes it. Each writes
// one place and reads the other's, so both sides need a sequentially consistent fence between the
// two, or a wake is lost: io::Io::PrepareToSleep ends with one, io::Io::Wake begins with one.
// tests/core/mailbox_model_test.cc goes through all interleavings of that.
#ifndef OUTBOX_CORE_MAILBOX_H_
#define OUTBOX_CORE_MAILBOX_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/check.h"

namespace outbox::core {

template <typename T, size_t kCapacity>
class Mailbox {
  static_assert(std::has_single_bit(kCapacity) && kCapacity <= (size_t{1} << 31));
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 32);

 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Producer. False: full, and the item was not taken; the sender keeps it (never waits).
  bool TryPush(const T& item) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - seen_head_ == kCapacity) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (tail - seen_head_ == kCapacity) return false;
    }
    items_[tail % kCapacity] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer. Calls take(const T&) for the items that are there, at most `max`, in the order of
  // pushing; returns their number. `take` must not drain this mailbox.
  template <typename Take>
  size_t Drain(Take&& take, size_t max) {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    // Looks at the producer's cache line only when the part seen before has been consumed.
    if (seen_tail_ == head) seen_tail_ = tail_.load(std::memory_order_acquire);
    const uint32_t there = seen_tail_ - head;
    const uint32_t count = there < max ? there : static_cast<uint32_t>(max);
    for (uint32_t i = 0; i < count; ++i) take(items_[(head + i) % kCapacity]);
    if (count > 0) head_.store(head + count, std::memory_order_release);
    return count;
  }

  // Consumer. False: Drain will find something.
  bool empty() const {
    return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kCacheLineBytes = 64;

  // Both count up and wrap at 2^32. tail_ - head_ items are in the ring.
  alignas(kCacheLineBytes) std::atomic<uint32_t> tail_ = 0;  // the producer's
  uint32_t seen_head_ = 0;                                   // the producer's, may lag behind
  alignas(kCacheLineBytes) std::atomic<uint32_t> head_ = 0;  // the consumer's
  uint32_t seen_tail_ = 0;                                   // the consumer's, may lag behind
  alignas(kCacheLineBytes) T items_[kCapacity];
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_MAILBOX_H_
