// Hash64: a fast 64-bit hash of a string whose value is the same in every run and on every machine.
//
// For what must be repeatable: which shard owns a destination, which sender takes a turn. Lookup
// tables use absl's own (randomised) hash instead. Not cryptographic: whoever can choose keys can
// make them collide, so a collision may cost time or balance and never correctness.
//
// The string is folded 16 octets at a time by a 64 x 64 -> 128 bit multiplication whose halves are
// xor-ed; the tail is read with overlapping loads.
#ifndef OUTBOX_CORE_HASH_H_
#define OUTBOX_CORE_HASH_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace outbox::core {
namespace hash_internal {

static_assert(std::endian::native == std::endian::little, "hash values assume little endian");

// Digits of pi: odd, and of no pattern.
inline constexpr uint64_t kFirst = 0x243f6a8885a308d3u;
inline constexpr uint64_t kSecond = 0x13198a2e03707345u;
inline constexpr uint64_t kThird = 0xa4093822299f31d1u;

inline uint64_t Fold(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

template <typename Word>
uint64_t Load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace hash_internal

// Mixes two values into one.
inline uint64_t HashCombine(uint64_t a, uint64_t b) {
  return hash_internal::Fold(a ^ hash_internal::kFirst, b ^ hash_internal::kThird);
}

inline uint64_t Hash64(std::string_view text, uint64_t seed = 0) {
  using hash_internal::Fold;
  using hash_internal::Load;
  const char* at = text.data();
  size_t left = text.size();
  uint64_t hash = Fold(seed ^ hash_internal::kFirst, hash_internal::kSecond);
  for (; left > 16; at += 16, left -= 16) {
    hash = Fold(Load<uint64_t>(at) ^ hash_internal::kSecond, Load<uint64_t>(at + 8) ^ hash);
  }
  uint64_t low = 0;
  uint64_t high = 0;
  if (left >= 8) {
    low = Load<uint64_t>(at);
    high = Load<uint64_t>(at + left - 8);
  } else if (left >= 4) {
    low = Load<uint32_t>(at);
    high = Load<uint32_t>(at + left - 4);
  } else if (left > 0) {
    low = (Load<uint8_t>(at) << 16) | (Load<uint8_t>(at + left / 2) << 8) |
          Load<uint8_t>(at + left - 1);
  }
  hash = Fold(low ^ hash_internal::kSecond, high ^ hash);
  return Fold(hash ^ hash_internal::kThird, text.size() ^ hash_internal::kFirst);
}

}  // namespace outbox::core

#endif  // OUTBOX_CORE_HASH_H_
