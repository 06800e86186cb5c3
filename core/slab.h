// Slab: storage for many objects of one type, addressed by pointer or by a 32-bit index.
//
// For the things that come and go with the mail: timer nodes, tickets, connections. An object stays
// at its address and keeps its index until it is deleted. New and Delete are O(1); memory is taken
// in chunks and kept for reuse until the slab goes. The number of objects is bounded by whoever
// makes the slab. Not thread-safe: a slab belongs to one shard.
//
// A chunk is a power of two in size and aligned to it, so that an object finds its chunk by masking
// its address:
//
//     | first index | bit per slot: in use | slot 0 | slot 1 | ...
//
// A free slot holds the next free one.
#ifndef OUTBOX_CORE_SLAB_H_
#define OUTBOX_CORE_SLAB_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "core/check.h"

namespace outbox::core {

template <typename T>
class Slab {
 public:
  // The index of no object.
  static constexpr uint32_t kNone = UINT32_MAX;

  // Takes no memory until the first New. REQUIRES: capacity < kNone.
  explicit Slab(uint32_t capacity) : capacity_(capacity) { CHECK(capacity < kNone); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  // Destroys what is still in use.
  ~Slab() {
    for (Chunk* chunk : chunks_) {
      for (uint32_t slot = 0; in_use_ > 0 && slot < kSlotsPerChunk; ++slot) {
        if (chunk->InUse(slot)) Delete(&chunk->slots[slot].object);
      }
      std::free(chunk);
    }
  }

  // Returns a new object, or nullptr when `capacity` are in use or the system has no memory.
  template <typename... Args>
  T* New(Args&&... args) {
    if (free_ == nullptr && !TakeSlot()) return nullptr;
    Slot* slot = free_;
    Chunk* chunk = ChunkOf(slot);
    free_ = slot->next_free;
    chunk->Flip(SlotNumber(chunk, slot));
    ++in_use_;
    return new (&slot->object) T(std::forward<Args>(args)...);
  }

  // REQUIRES: object came from New of this slab and was not deleted since.
  void Delete(T* object) {
    Slot* slot = reinterpret_cast<Slot*>(object);
    Chunk* chunk = ChunkOf(slot);
    const uint32_t number = SlotNumber(chunk, slot);
    CHECK(chunk->owner == this && chunk->InUse(number));
    object->~T();
    chunk->Flip(number);
    slot->next_free = free_;
    free_ = slot;
    --in_use_;
  }

  // REQUIRES: object is in use in this slab.
  static uint32_t IndexOf(const T* object) {
    const Slot* slot = reinterpret_cast<const Slot*>(object);
    const Chunk* chunk = ChunkOf(slot);
    return chunk->first_index + SlotNumber(chunk, slot);
  }

  // REQUIRES: index is in use. Checks only that it could be.
  T& operator[](uint32_t index) {
    CHECK(index < taken_);
    return chunks_[index / kSlotsPerChunk]->slots[index % kSlotsPerChunk].object;
  }

  // The object, or nullptr when the index is not in use: for indexes that may be stale.
  T* Find(uint32_t index) {
    if (index >= taken_) return nullptr;
    Chunk* chunk = chunks_[index / kSlotsPerChunk];
    const uint32_t number = index % kSlotsPerChunk;
    return chunk->InUse(number) ? &chunk->slots[number].object : nullptr;
  }

  uint32_t in_use() const { return in_use_; }
  // All indexes that were ever used are below this: for a walk with Find.
  uint32_t taken() const { return taken_; }
  uint32_t capacity() const { return capacity_; }
  bool full() const { return in_use_ == capacity_; }
  // What the slab has taken from the system, in use or not.
  size_t memory_bytes() const { return chunks_.size() * kChunkBytes; }

 private:
  union Slot {
    Slot() : next_free(nullptr) {}
    ~Slot() {}
    T object;
    Slot* next_free;
  };

  static constexpr size_t kChunkBytes =
      std::bit_ceil(std::max<size_t>(size_t{32} << 10, 16 * sizeof(Slot)));
  static constexpr size_t kBitmapWords = (kChunkBytes / sizeof(Slot) + 63) / 64;
  static constexpr size_t kHeaderBytes =
      (16 + 8 * kBitmapWords + alignof(Slot) - 1) / alignof(Slot) * alignof(Slot);
  static constexpr uint32_t kSlotsPerChunk =
      static_cast<uint32_t>((kChunkBytes - kHeaderBytes) / sizeof(Slot));

  struct Chunk {
    bool InUse(uint32_t slot) const { return ((used[slot / 64] >> (slot % 64)) & 1) != 0; }
    void Flip(uint32_t slot) { used[slot / 64] ^= uint64_t{1} << (slot % 64); }

    Slab* owner;
    uint32_t first_index;
    uint64_t used[kBitmapWords];
    Slot slots[kSlotsPerChunk];
  };
  static_assert(sizeof(Chunk) <= kChunkBytes);

  static Chunk* ChunkOf(Slot* slot) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<uintptr_t>(slot) & ~(kChunkBytes - 1));
  }
  static const Chunk* ChunkOf(const Slot* slot) {
    return reinterpret_cast<const Chunk*>(reinterpret_cast<uintptr_t>(slot) & ~(kChunkBytes - 1));
  }
  static uint32_t SlotNumber(const Chunk* chunk, const Slot* slot) {
    return static_cast<uint32_t>(slot - chunk->slots);
  }

  // Puts the first slot that was never used on the free list; false at the bound.
  bool TakeSlot() {
    if (taken_ == capacity_) return false;
    const uint32_t number = taken_ % kSlotsPerChunk;
    if (number == 0) {
      void* memory = std::aligned_alloc(kChunkBytes, kChunkBytes);
      if (memory == nullptr) return false;
      // The slots stay untouched, so that memory becomes resident only when it is used.
      Chunk* chunk = static_cast<Chunk*>(memory);
      chunk->owner = this;
      chunk->first_index = taken_;
      std::fill_n(chunk->used, kBitmapWords, uint64_t{0});
      chunks_.push_back(chunk);
    }
    free_ = new (&chunks_.back()->slots[number]) Slot();
    ++taken_;
    return true;
  }

  const uint32_t capacity_;
  uint32_t in_use_ = 0;
  uint32_t taken_ = 0;  // slots [0, taken_) have been used
  Slot* free_ = nullptr;
  std::vector<Chunk*> chunks_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_SLAB_H_
