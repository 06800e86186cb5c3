// ClientLimits: how many connections are open, in all and by client address.
//
// Shared by all shards, since a client's connections land on any of them: a fixed table of atomics,
// one word an entry, {hash of the address, count}. Not on the mail path: two atomic operations a
// connection. A hash of 44 bits names the client: two clients that collide share a limit.
#ifndef OUTBOX_QUEUE_CLIENT_LIMITS_H_
#define OUTBOX_QUEUE_CLIENT_LIMITS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "core/ip_address.h"

namespace outbox::queue {

class ClientLimits {
 public:
  enum class Admission : uint8_t {
    kAdmitted,
    kTooManyInAll,
    kTooManyOfClient,
    kTableFull,  // too many different clients whose entries collide
  };

  ClientLimits();

  // Whatever a listener allows, no more than this in all. Before the first Admit.
  void SetBound(uint32_t bound) { bound_ = bound; }
  // Counts one more connection of `client`, or says why not. Every admitted one is released once.
  Admission Admit(const core::IpAddress& client, uint32_t total_max, uint32_t client_max);
  void Release(const core::IpAddress& client);

  uint32_t total() const { return total_.load(std::memory_order_relaxed); }
  // Connections of one client, as counted now.
  uint32_t CountOf(const core::IpAddress& client) const;

 private:
  static constexpr size_t kEntries = 1 << 16;
  static constexpr size_t kProbesMax = 16;
  static constexpr uint64_t kCountBits = 20;
  static constexpr uint64_t kCountMask = (uint64_t{1} << kCountBits) - 1;

  struct Table {
    std::array<std::atomic<uint64_t>, kEntries> words = {};
  };

  std::unique_ptr<Table> table_;
  uint32_t bound_ = UINT32_MAX;
  alignas(64) std::atomic<uint32_t> total_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CLIENT_LIMITS_H_
