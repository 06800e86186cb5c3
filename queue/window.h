// Window: memory that a message's home lends to whoever sends the message.
//
// Home alone counts leases (queue/store.h); the borrower may live on another shard, where it reads
// the bytes and nothing else. Every window that was lent goes back to home exactly once, by
// mailbox.
#ifndef OUTBOX_QUEUE_WINDOW_H_
#define OUTBOX_QUEUE_WINDOW_H_

#include <cstdint>
#include <span>

namespace outbox::queue {

struct Window {
  const char* data = nullptr;  // null: nothing is lent
  uint32_t size = 0;           // bytes
  uint32_t buffer = 0;         // home's name for what the lease counts on

  explicit operator bool() const { return data != nullptr; }
  std::span<const char> bytes() const { return {data, size}; }
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_WINDOW_H_
