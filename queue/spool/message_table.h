// MessageTable: the live messages of a log, by pointer, by id and by walking.
//
// A slab of Messages and a hash table linked through them by slab index. The table grows by linear
// hashing, one bucket at a time, so that no insertion stops the shard for a rehash of a million
// entries.
#ifndef OUTBOX_QUEUE_SPOOL_MESSAGE_TABLE_H_
#define OUTBOX_QUEUE_SPOOL_MESSAGE_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/slab.h"
#include "queue/store.h"

namespace outbox::queue {

class MessageTable {
 public:
  explicit MessageTable(uint32_t capacity);

  // Buckets for so many, at once instead of one by one. No effect when there is a message.
  void Reserve(uint32_t messages);
  // Null at the capacity. REQUIRES: no message with this id.
  Message* Add(uint64_t id);
  // The same for who has just looked (Find): that is half of the work among a million.
  Message* AddUnknown(uint64_t id);
  Message* Find(uint64_t id);
  // REQUIRES: index is that of a message that is there.
  Message* At(uint32_t index) { return &slab_[index]; }
  void Remove(Message* message);
  bool ForEach(uint32_t* cursor, uint32_t max, const std::function<void(Message*)>& visit);
  uint32_t size() const { return slab_.in_use(); }
  bool full() const { return slab_.full(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kChunk = 4096;  // buckets taken at a time

  static uint64_t Hash(uint64_t id);
  uint32_t& Bucket(uint64_t id);
  uint32_t& BucketAt(uint32_t bucket) { return (*chunks_[bucket / kChunk])[bucket % kChunk]; }
  void Split();

  core::Slab<Message> slab_;
  std::vector<std::unique_ptr<std::vector<uint32_t>>> chunks_;
  uint32_t buckets_ = 0;  // in use
  uint32_t mask_ = 0;     // of the round: buckets below buckets_ - (mask_ + 1) use twice the mask
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_MESSAGE_TABLE_H_
