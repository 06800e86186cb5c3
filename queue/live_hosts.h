// LiveHosts: the names of the hosts that mail is being sent to, for whoever lists it.
//
// The owner of a destination knows the host; home, on another shard, lists the ticket. A connection
// writes its host's name here once, and the tickets that go over it carry the place, one word. A
// slot has one writer, its shard; anybody reads, without a lock: what changed meanwhile is read
// again, or not shown. Shared by all shards; as large as there are connections at once.
#ifndef OUTBOX_QUEUE_LIVE_HOSTS_H_
#define OUTBOX_QUEUE_LIVE_HOSTS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::queue {

class LiveHosts {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit LiveHosts(uint32_t shards);
  LiveHosts(const LiveHosts&) = delete;
  LiveHosts& operator=(const LiveHosts&) = delete;
  ~LiveHosts();

  // A place of this shard for a name, or kNone when there are too many (such a host is not shown).
  // On the shard's thread, as Set and Release.
  uint32_t Acquire(uint32_t shard);
  // A longer name is cut. No effect on kNone.
  void Set(uint32_t place, std::string_view name);
  void Release(uint32_t place);

  // The name at a place; empty for kNone and when it is just being changed. From any thread.
  std::string Read(uint32_t place) const;

 private:
  static constexpr uint32_t kSlotBits = 20;
  static constexpr uint32_t kChunkSlots = 256;
  static constexpr uint32_t kChunks = 256;
  static constexpr size_t kWords = 15;

  // Odd while it is written.
  struct Slot {
    std::atomic<uint32_t> version = 0;
    std::atomic<uint32_t> size = 0;
    std::array<std::atomic<uint64_t>, kWords> words = {};
  };
  using Chunk = std::array<Slot, kChunkSlots>;

  struct Shard {
    // Made when they are needed, kept to the end.
    std::array<std::atomic<Chunk*>, kChunks> chunks = {};
    uint32_t made = 0;  // slots
    std::vector<uint32_t> free;
  };

  Slot* At(uint32_t place) const;

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_LIVE_HOSTS_H_
