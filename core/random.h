// Random: a small, fast, seeded generator (xoshiro256**).
//
// One per shard, seeded through io::Io, so that a simulation is repeated by its seed. Not for
// secrets; ids and ports that a stranger must not guess come from io::Io::RandomU64().
#ifndef OUTBOX_CORE_RANDOM_H_
#define OUTBOX_CORE_RANDOM_H_

#include <bit>
#include <cstdint>

#include "core/check.h"

namespace outbox::core {

class Random {
 public:
  explicit Random(uint64_t seed) {
    // splitmix64 fills the state, so that seeds 1 and 2 have nothing in common.
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    CHECK(bound > 0);
    return static_cast<uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }
  // Uniform in [low, high], both inclusive. REQUIRES: low <= high.
  int64_t Between(int64_t low, int64_t high) {
    CHECK(low <= high);
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  // True with probability numerator/denominator.
  bool Chance(uint64_t numerator, uint64_t denominator) { return Below(denominator) < numerator; }

 private:
  __extension__ typedef unsigned __int128 Wide;

  uint64_t state_[4];
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_RANDOM_H_
