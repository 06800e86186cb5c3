#include "queue/live_hosts.h"

#include <algorithm>
#include <cstring>

namespace outbox::queue {

LiveHosts::LiveHosts(uint32_t shards) {
  for (uint32_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>());
}

LiveHosts::~LiveHosts() {
  for (const auto& shard : shards_) {
    for (auto& chunk : shard->chunks) delete chunk.load();
  }
}

LiveHosts::Slot* LiveHosts::At(uint32_t place) const {
  const uint32_t slot = place & ((uint32_t{1} << kSlotBits) - 1);
  Chunk* chunk =
      shards_[place >> kSlotBits]->chunks[slot / kChunkSlots].load(std::memory_order_acquire);
  return &(*chunk)[slot % kChunkSlots];
}

uint32_t LiveHosts::Acquire(uint32_t shard) {
  Shard& own = *shards_[shard];
  if (own.free.empty()) {
    if (own.made == kChunks * kChunkSlots) return kNone;
    if (own.made % kChunkSlots == 0) {
      own.chunks[own.made / kChunkSlots].store(new Chunk, std::memory_order_release);
    }
    own.free.push_back(own.made++);
  }
  const uint32_t slot = own.free.back();
  own.free.pop_back();
  return shard << kSlotBits | slot;
}

void LiveHosts::Release(uint32_t place) {
  if (place == kNone) return;
  shards_[place >> kSlotBits]->free.push_back(place & ((uint32_t{1} << kSlotBits) - 1));
}

// Every word is released and acquired, so who reads a new one also reads the new version.
void LiveHosts::Set(uint32_t place, std::string_view name) {
  if (place == kNone) return;
  Slot* slot = At(place);
  const uint32_t version = slot->version.load(std::memory_order_relaxed);
  slot->version.store(version + 1, std::memory_order_relaxed);
  const size_t size = std::min(name.size(), kWords * sizeof(uint64_t));
  slot->size.store(static_cast<uint32_t>(size), std::memory_order_release);
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, name.data() + at, std::min(size - at, sizeof word));
    slot->words[at / sizeof word].store(word, std::memory_order_release);
  }
  slot->version.store(version + 2, std::memory_order_release);
}

std::string LiveHosts::Read(uint32_t place) const {
  if (place == kNone) return {};
  const Slot* slot = At(place);
  const uint32_t version = slot->version.load(std::memory_order_acquire);
  if (version % 2 != 0) return {};
  std::string name(slot->size.load(std::memory_order_acquire), '\0');
  for (size_t at = 0; at < name.size(); at += sizeof(uint64_t)) {
    const uint64_t word = slot->words[at / sizeof word].load(std::memory_order_acquire);
    std::memcpy(name.data() + at, &word, std::min(name.size() - at, sizeof word));
  }
  return slot->version.load(std::memory_order_relaxed) == version ? name : std::string();
}

}  // namespace outbox::queue
