#include "queue/spool/message_table.h"

#include <bit>

namespace outbox::queue {

MessageTable::MessageTable(uint32_t capacity) : slab_(capacity) {
  chunks_.push_back(std::make_unique<std::vector<uint32_t>>(kChunk, kNone));
  buckets_ = 16;
  mask_ = 15;
}

uint64_t MessageTable::Hash(uint64_t id) {
  uint64_t h = id * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 32);
}

// Buckets 0 .. mask_ are there; those that were split this round have a partner above.
uint32_t& MessageTable::Bucket(uint64_t id) {
  const uint64_t hash = Hash(id);
  const uint32_t wide = static_cast<uint32_t>(hash) & (2 * mask_ + 1);
  return BucketAt(wide < buckets_ ? wide : wide & mask_);
}

void MessageTable::Split() {
  if (buckets_ == UINT32_MAX / 4) return;
  const uint32_t fresh = buckets_;
  if (fresh / kChunk >= chunks_.size()) {
    chunks_.push_back(std::make_unique<std::vector<uint32_t>>(kChunk, kNone));
  }
  ++buckets_;
  uint32_t& old = BucketAt(fresh & mask_);
  uint32_t index = old;
  old = kNone;
  while (index != kNone) {
    Message& message = slab_[index];
    const uint32_t next = message.next;
    uint32_t& bucket = Bucket(message.id);
    message.next = bucket;
    bucket = index;
    index = next;
  }
  if (buckets_ == 2 * (mask_ + 1)) mask_ = 2 * mask_ + 1;
}

void MessageTable::Reserve(uint32_t messages) {
  if (slab_.in_use() > 0 || messages <= buckets_) return;
  while (chunks_.size() * kChunk < messages) {
    chunks_.push_back(std::make_unique<std::vector<uint32_t>>(kChunk, kNone));
  }
  buckets_ = messages;
  mask_ = std::bit_floor(messages) - 1;
}

Message* MessageTable::Add(uint64_t id) {
  CHECK(Find(id) == nullptr);
  return AddUnknown(id);
}

Message* MessageTable::AddUnknown(uint64_t id) {
  Message* message = slab_.New();
  if (message == nullptr) return nullptr;
  if (slab_.in_use() > buckets_) Split();
  message->id = id;
  uint32_t& bucket = Bucket(id);
  message->next = bucket;
  bucket = core::Slab<Message>::IndexOf(message);
  return message;
}

Message* MessageTable::Find(uint64_t id) {
  for (uint32_t index = Bucket(id); index != kNone;) {
    Message& message = slab_[index];
    if (message.id == id) return &message;
    index = message.next;
  }
  return nullptr;
}

void MessageTable::Remove(Message* message) {
  const uint32_t index = core::Slab<Message>::IndexOf(message);
  uint32_t* link = &Bucket(message->id);
  while (*link != index) {
    CHECK(*link != kNone);
    link = &slab_[*link].next;
  }
  *link = message->next;
  slab_.Delete(message);
}

bool MessageTable::ForEach(uint32_t* cursor, uint32_t max,
                           const std::function<void(Message*)>& visit) {
  const uint32_t end = slab_.taken();
  for (uint32_t i = 0; i < max && *cursor < end; ++i, ++*cursor) {
    Message* message = slab_.Find(*cursor);
    if (message != nullptr) visit(message);
  }
  return *cursor < end;
}

}  // namespace outbox::queue
