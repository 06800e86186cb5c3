#include "queue/ready_list.h"

#include <algorithm>

#include "core/check.h"

namespace outbox::queue {
namespace {

uint8_t ClassOf(const Ticket& ticket) {
  return std::min<uint8_t>(ticket.priority, kPriorityClasses - 1);
}

uint64_t KeyOf(const Ticket& ticket) {
  return ticket.sender_hash * kPriorityClasses + ClassOf(ticket);
}

}  // namespace

SenderQueuePool::~SenderQueuePool() {
  while (SenderQueue* queue = free_.PopFront()) delete queue;
}

SenderQueue* SenderQueuePool::Take() {
  SenderQueue* queue = free_.PopFront();
  return queue != nullptr ? queue : new SenderQueue;
}

void SenderQueuePool::Give(SenderQueue* queue) {
  CHECK(queue->tickets.empty());
  free_.PushFront(queue);
}

ReadyList::~ReadyList() { CHECK(size_ == 0); }

void ReadyList::Push(Ticket* ticket) {
  const uint8_t priority = ClassOf(*ticket);
  const uint64_t key = KeyOf(*ticket);
  SenderQueue*& queue = senders_[key];
  if (queue == nullptr) {
    queue = pool_->Take();
    queue->key = key;
    classes_[priority].PushBack(queue);
  }
  queue->tickets.PushBack(ticket);
  ticket->place = queue;
  ++size_;
}

Ticket* ReadyList::Pop() {
  if (size_ == 0) return nullptr;
  for (uint8_t priority = 0; priority < kPriorityClasses; ++priority) {
    SenderQueue* queue = classes_[priority].PopFront();
    if (queue == nullptr) continue;
    classes_[priority].PushBack(queue);
    Ticket* ticket = queue->tickets.PopFront();
    ticket->place = nullptr;
    Took(queue);
    return ticket;
  }
  return nullptr;
}

void ReadyList::Remove(Ticket* ticket) {
  SenderQueue* queue = static_cast<SenderQueue*>(ticket->place);
  CHECK(queue != nullptr);
  queue->tickets.Remove(ticket);
  ticket->place = nullptr;
  Took(queue);
}

void ReadyList::Took(SenderQueue* queue) {
  CHECK(size_ > 0);
  --size_;
  if (!queue->tickets.empty()) return;
  queue->turn.Unlink();
  senders_.erase(queue->key);
  pool_->Give(queue);
}

}  // namespace outbox::queue
