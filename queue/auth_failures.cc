#include "queue/auth_failures.h"

#include <string_view>

#include "core/hash.h"
#include "core/time.h"

namespace outbox::queue {
namespace {

constexpr size_t kPrefixOctets = 8;  // of an IPv6 address

uint64_t HashOfPrefix(const core::IpAddress& client) {
  const auto& octets = client.octets();
  return core::Hash64(std::string_view(reinterpret_cast<const char*>(octets.data()),
                                       client.is_v4() ? octets.size() : kPrefixOctets));
}

uint32_t KeyOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 40); }

}  // namespace

AuthFailures::AuthFailures() : table_(std::make_unique<Table>()) {}

AuthFailures::Entry AuthFailures::Entry::Unpack(uint64_t word) {
  return {static_cast<uint32_t>(word >> 40), static_cast<uint32_t>(word >> 32) & 255,
          static_cast<int64_t>(word & UINT32_MAX)};
}

uint64_t AuthFailures::Entry::Pack() const {
  return uint64_t{key} << 40 | uint64_t{failures} << 32 |
         (static_cast<uint64_t>(second) & UINT32_MAX);
}

bool AuthFailures::Over(const Entry& entry, const core::AuthConfig& config, int64_t second) {
  const int64_t lasts_ns =
      entry.failures == kRefused ? config.refuse_for_ns : config.failure_period_ns;
  return entry.failures == 0 || second - entry.second >= lasts_ns / core::kNsPerSecond;
}

// The entry of the address, or else one that is over, or else the oldest. Two shards that put the
// same address into the table at the same moment may make two entries of it: it has some more tries
// then, as the first one alone is counted on.
AuthFailures::Counted AuthFailures::Count(const core::IpAddress& client,
                                          const core::AuthConfig& config, int64_t now_ns) {
  const int64_t second = now_ns / core::kNsPerSecond;
  const uint64_t hash = HashOfPrefix(client);
  while (true) {
    std::atomic<uint64_t>* place = nullptr;
    uint64_t seen = 0;
    for (size_t probe = 0; probe < kProbes; ++probe) {
      std::atomic<uint64_t>& word = table_->words[(hash + probe) % core::kAuthFailureEntries];
      const uint64_t value = word.load(std::memory_order_relaxed);
      const Entry entry = Entry::Unpack(value);
      const bool mine = entry.failures > 0 && entry.key == KeyOf(hash);
      const Entry best = Entry::Unpack(seen);
      const bool better =
          place == nullptr || (!Over(best, config, second) &&
                               (Over(entry, config, second) || entry.second < best.second));
      if (!mine && !better) continue;
      place = &word;
      seen = value;
      if (mine) break;
    }
    Entry next = Entry::Unpack(seen);
    const bool known = next.failures > 0 && next.key == KeyOf(hash);
    if (!known || Over(next, config, second)) next = {KeyOf(hash), 0, second};
    if (next.failures == kRefused) return {config.max_failures, false};
    Counted counted;
    counted.failures = ++next.failures;
    counted.refused_now = counted.failures >= config.max_failures;
    if (counted.refused_now) next = {next.key, kRefused, second};
    if (place->compare_exchange_strong(seen, next.Pack(), std::memory_order_relaxed)) {
      return counted;
    }
  }
}

int64_t AuthFailures::RefusedUntil(const core::IpAddress& client, const core::AuthConfig& config,
                                   int64_t now_ns) const {
  const int64_t second = now_ns / core::kNsPerSecond;
  const uint64_t hash = HashOfPrefix(client);
  for (size_t probe = 0; probe < kProbes; ++probe) {
    const Entry entry = Entry::Unpack(
        table_->words[(hash + probe) % core::kAuthFailureEntries].load(std::memory_order_relaxed));
    if (entry.key != KeyOf(hash) || entry.failures != kRefused) continue;
    if (!Over(entry, config, second)) {
      return entry.second * core::kNsPerSecond + config.refuse_for_ns;
    }
  }
  return 0;
}

}  // namespace outbox::queue
