// Slab: storage for many objects of one type, addressed by pointer or by a 32-bit index.
//
// For the things that come and go with the mail: timer nodes, tickets, connections. An object stays
// at its address and keeps its index until it is deleted. New and Delete are O(1); memory is taken
// in chunks, and goes back to the system when they become empty and enough is free. The number of
// objects is bounded by whoever makes the slab. Not thread-safe: a slab belongs to one shard.
//
// A chunk is a power of two in size and aligned to it, so that an object finds its chunk by masking
// its address:
//
//     | its list of free slots, its number | bit per slot: in use | slot 0 | slot 1 | ...
//
// A free slot holds the next free one. Chunks with free slots are in a list.
#ifndef OUTBOX_CORE_SLAB_H_
#define OUTBOX_CORE_SLAB_H_

#include <sys/mman.h>

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

  // Of free slots: as long as there are more, a chunk that becomes empty goes back.
  static constexpr size_t kSpareBytes = size_t{256} << 10;

  // Takes no memory until the first New. REQUIRES: capacity < kNone.
  explicit Slab(uint32_t capacity) : capacity_(capacity) { CHECK(capacity < kNone); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  // Destroys what is still in use.
  ~Slab() {
    for (Chunk* chunk : chunks_) {
      if (chunk == nullptr) continue;
      for (uint32_t slot = 0; slot < kSlotsPerChunk; ++slot) {
        if (chunk->InUse(slot)) chunk->slots[slot].object.~T();
      }
      std::free(chunk);
    }
  }

  // Returns a new object, or nullptr when `capacity` are in use or the system has no memory.
  template <typename... Args>
  T* New(Args&&... args) {
    Chunk* chunk = open_;
    if (chunk == nullptr && (chunk = MoreRoom()) == nullptr) return nullptr;
    Slot* slot = chunk->free;
    if (slot != nullptr) {
      chunk->free = slot->next_free;
    } else {
      slot = new (&chunk->slots[chunk->fresh++]) Slot();
    }
    chunk->Flip(SlotNumber(chunk, slot));
    ++in_use_;
    if (++chunk->in_use == kSlotsPerChunk) Unlink(chunk);
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
    slot->next_free = chunk->free;
    chunk->free = slot;
    --in_use_;
    const uint32_t left = --chunk->in_use;
    if (left == kSlotsPerChunk - 1) LinkFirst(chunk);
    if (left == 0 && in_use_ < much_below_) GiveBack(chunk);
  }

  // REQUIRES: object is in use in this slab.
  static uint32_t IndexOf(const T* object) {
    const Slot* slot = reinterpret_cast<const Slot*>(object);
    const Chunk* chunk = ChunkOf(slot);
    return chunk->first_index + SlotNumber(chunk, slot);
  }

  // REQUIRES: index is in use. Checks only that it could be.
  T& operator[](uint32_t index) const {
    CHECK(index < taken_);
    return chunks_[index / kSlotsPerChunk]->slots[index % kSlotsPerChunk].object;
  }

  // The object, or nullptr when the index is not in use: for indexes that may be stale.
  T* Find(uint32_t index) const {
    if (index >= taken_) return nullptr;
    Chunk* chunk = chunks_[index / kSlotsPerChunk];
    if (chunk == nullptr) return nullptr;
    const uint32_t number = index % kSlotsPerChunk;
    return chunk->InUse(number) ? &chunk->slots[number].object : nullptr;
  }

  uint32_t in_use() const { return in_use_; }
  // All indexes in use are below this: for a walk with Find.
  uint32_t taken() const { return taken_; }
  uint32_t capacity() const { return capacity_; }
  bool full() const { return in_use_ == capacity_; }
  // What the slab has of the system's memory, in use or not.
  size_t memory_bytes() const { return (chunks_.size() - free_numbers_.size()) * kChunkBytes; }

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
      (48 + 8 * kBitmapWords + alignof(Slot) - 1) / alignof(Slot) * alignof(Slot);
  static constexpr uint32_t kSlotsPerChunk =
      static_cast<uint32_t>((kChunkBytes - kHeaderBytes) / sizeof(Slot));
  static constexpr uint32_t kSpareSlots =
      static_cast<uint32_t>(std::max<size_t>(1, kSpareBytes / kChunkBytes)) * kSlotsPerChunk;

  struct Chunk {
    bool InUse(uint32_t slot) const { return ((used[slot / 64] >> (slot % 64)) & 1) != 0; }
    void Flip(uint32_t slot) { used[slot / 64] ^= uint64_t{1} << (slot % 64); }

    Slab* owner;
    Chunk* prev;  // in the list of those with free slots
    Chunk* next;
    Slot* free;  // that have been used
    uint32_t first_index;
    uint32_t fresh;  // slots from here on were never used
    uint32_t in_use;  // and those that the bound forbids
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

  // Another chunk; nullptr at the bound.
  Chunk* MoreRoom() {
    const uint32_t usable = std::min(kSlotsPerChunk, capacity_ - slots_);
    if (usable == 0) return nullptr;
    void* memory = std::aligned_alloc(kChunkBytes, kChunkBytes);
    if (memory == nullptr) return nullptr;
    if (free_numbers_.empty()) {
      free_numbers_.push_back(static_cast<uint32_t>(chunks_.size()));
      chunks_.push_back(nullptr);
      taken_ += kSlotsPerChunk;
    }
    const uint32_t number = free_numbers_.back();
    free_numbers_.pop_back();
    // The slots stay untouched, so that memory becomes resident only when it is used.
    Chunk* chunk = static_cast<Chunk*>(memory);
    chunk->owner = this;
    chunk->free = nullptr;
    chunk->first_index = number * kSlotsPerChunk;
    chunk->fresh = 0;
    chunk->in_use = kSlotsPerChunk - usable;
    std::fill_n(chunk->used, kBitmapWords, uint64_t{0});
    chunks_[number] = chunk;
    LinkFirst(chunk);
    SetSlots(slots_ + usable);
    return chunk;
  }

  void SetSlots(uint32_t slots) {
    slots_ = slots;
    much_below_ = slots_ - std::min(slots_, kSpareSlots);
  }

  // An empty one, when enough is free without it.
  void GiveBack(Chunk* chunk) {
    Unlink(chunk);
    SetSlots(slots_ - kSlotsPerChunk);
    const uint32_t number = chunk->first_index / kSlotsPerChunk;
    chunks_[number] = nullptr;
    free_numbers_.push_back(number);
    // The allocator would keep it as it is for seconds, or for as long as nothing else is freed.
    madvise(chunk, kChunkBytes, MADV_DONTNEED);
    std::free(chunk);
  }

  void LinkFirst(Chunk* chunk) {
    chunk->prev = nullptr;
    chunk->next = open_;
    if (open_ != nullptr) open_->prev = chunk;
    open_ = chunk;
  }
  void Unlink(Chunk* chunk) {
    (chunk->prev == nullptr ? open_ : chunk->prev->next) = chunk->next;
    if (chunk->next != nullptr) chunk->next->prev = chunk->prev;
  }

  const uint32_t capacity_;
  uint32_t in_use_ = 0;
  uint32_t slots_ = 0;       // that may be used, of the chunks that are there
  uint32_t much_below_ = 0;  // with fewer in use an empty chunk goes back
  uint32_t taken_ = 0;       // slots of all chunks that there have been
  Chunk* open_ = nullptr;  // the list of those with free slots
  std::vector<Chunk*> chunks_;          // by number; nullptr: given back
  std::vector<uint32_t> free_numbers_;  // of those
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_SLAB_H_
