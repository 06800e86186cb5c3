// AuthFailures: how often clients have failed to authenticate themselves, by address.
//
// An IPv4 address, or the /64 of an IPv6 one, since that much is one customer's. So many failures
// within a time, and the address is refused for another time, right passwords included. A success
// forgives nothing: who guesses may have an account as well.
//
// Shared by all shards, as ClientLimits is: a fixed table of atomics, one word an entry, {part of a
// hash of the address, failures, second}. Not on the mail path. Two addresses that collide in 38
// bits share their failures. Where all places of an address are taken, the entry that is the oldest
// gives way: it cost who fills the table as many failures as there are entries, and a second each.
#ifndef OUTBOX_QUEUE_AUTH_FAILURES_H_
#define OUTBOX_QUEUE_AUTH_FAILURES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/config.h"
#include "core/ip_address.h"
#include "core/limits.h"

namespace outbox::queue {

class AuthFailures {
 public:
  AuthFailures();
  AuthFailures(const AuthFailures&) = delete;
  AuthFailures& operator=(const AuthFailures&) = delete;

  struct Counted {
    uint32_t failures = 0;     // within the period, with this one
    bool refused_now = false;  // this one was one too many: the address is refused from now on
  };
  // Counts one. Times are steady.
  Counted Count(const core::IpAddress& client, const core::AuthConfig& config, int64_t now_ns);
  // Until when it is refused, to the second; 0: it is not.
  int64_t RefusedUntil(const core::IpAddress& client, const core::AuthConfig& config,
                       int64_t now_ns) const;

 private:
  static constexpr size_t kProbes = 8;

  struct Entry {
    uint32_t key = 0;       // 24 bits
    uint32_t failures = 0;  // 8 bits; kRefused: since `second`
    int64_t second = 0;  // of the first failure; 32 bits, none of which a machine lives to see go

    static Entry Unpack(uint64_t word);
    uint64_t Pack() const;
  };
  static constexpr uint32_t kRefused = 255;
  static_assert(core::kAuthFailuresMax < kRefused);

  // It says nothing any more.
  static bool Over(const Entry& entry, const core::AuthConfig& config, int64_t second);

  struct Table {
    std::array<std::atomic<uint64_t>, core::kAuthFailureEntries> words = {};
  };
  const std::unique_ptr<Table> table_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_AUTH_FAILURES_H_
