// ReadyList: the tickets of one destination that wait for a connection, in the order of their turn.
//
// Priority classes, 0 first; within a class senders take turns, and each sender's tickets are first
// in, first out. So a newsletter of a hundred thousand recipients delays another sender's receipt
// by one ticket. Push, Pop and Remove are O(1) whatever the backlog.
#ifndef OUTBOX_QUEUE_READY_LIST_H_
#define OUTBOX_QUEUE_READY_LIST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/intrusive_list.h"
#include "queue/ticket.h"

namespace outbox::queue {

// Priority classes; a ticket of a higher number counts as the last.
inline constexpr uint8_t kPriorityClasses = 4;

// A sender's tickets in one class of one destination.
struct SenderQueue {
  uint64_t key = 0;  // a hash of both
  core::IntrusiveList<Ticket, &Ticket::link> tickets;
  core::ListLink turn;  // its place in the class, or in the pool
};

// Empty sender queues of a shard, for reuse. Keeps at most as many as were in use at once.
class SenderQueuePool {
 public:
  SenderQueuePool() = default;
  ~SenderQueuePool();
  SenderQueue* Take();
  void Give(SenderQueue* queue);

 private:
  core::IntrusiveList<SenderQueue, &SenderQueue::turn> free_;
};

class ReadyList {
 public:
  explicit ReadyList(SenderQueuePool* pool) : pool_(pool) {}
  // REQUIRES: empty.
  ~ReadyList();
  ReadyList(const ReadyList&) = delete;
  ReadyList& operator=(const ReadyList&) = delete;

  // The ticket's `link` and `place` are the list's until it leaves.
  void Push(Ticket* ticket);
  // The next in turn, or null.
  Ticket* Pop();
  // REQUIRES: ticket is in this list.
  void Remove(Ticket* ticket);

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

 private:
  using Turns = core::IntrusiveList<SenderQueue, &SenderQueue::turn>;

  void Took(SenderQueue* queue);

  SenderQueuePool* const pool_;
  size_t size_ = 0;
  std::array<Turns, kPriorityClasses> classes_;
  absl::flat_hash_map<uint64_t, SenderQueue*> senders_;  // by sender and class
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_READY_LIST_H_
