#include "tools/load_hash.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace outbox::tools {
namespace {

constexpr uint64_t kMultiplier = 0xd6e8feb86659fd93u;

}  // namespace

void ContentHash::MixPlain(const char* blocks, size_t count, Lanes* lanes) {
  Lanes own = *lanes;  // not in memory that `blocks` might be
  for (; count > 0; --count, blocks += kBlockBytes) {
    for (size_t i = 0; i < kLanes; ++i) {
      uint64_t word;
      std::memcpy(&word, blocks + 8 * i, sizeof word);
      own[i] = (own[i] ^ word) * kMultiplier;
      own[i] ^= own[i] >> 32;
    }
  }
  *lanes = own;
}

#if defined(__x86_64__)

bool ContentHash::HasVectors() { return __builtin_cpu_supports("avx512dq") != 0; }

__attribute__((target("avx512f,avx512dq"))) void ContentHash::MixVectors(const char* blocks,
                                                                         size_t count,
                                                                         Lanes* lanes) {
  using Vector [[gnu::vector_size(64)]] = uint64_t;
  Vector own[2];
  std::memcpy(own, lanes->data(), sizeof own);
  for (; count > 0; --count, blocks += kBlockBytes) {
    Vector words[2];
    std::memcpy(words, blocks, sizeof words);
    for (int i = 0; i < 2; ++i) {
      own[i] = (own[i] ^ words[i]) * kMultiplier;
      own[i] ^= own[i] >> 32;
    }
  }
  std::memcpy(lanes->data(), own, sizeof own);
}

#else

bool ContentHash::HasVectors() { return false; }
void ContentHash::MixVectors(const char*, size_t, Lanes*) { CHECK(HasVectors()); }

#endif

void ContentHash::Mix(const char* blocks, size_t count, Lanes* lanes) {
  static const bool vectors = HasVectors();
  return vectors ? MixVectors(blocks, count, lanes) : MixPlain(blocks, count, lanes);
}

void ContentHash::Update(std::string_view bytes) {
  total_ += bytes.size();
  if (held_ > 0) {
    const size_t take = std::min(kBlockBytes - held_, bytes.size());
    std::memcpy(block_ + held_, bytes.data(), take);
    held_ += take;
    bytes.remove_prefix(take);
    if (held_ < kBlockBytes) return;
    Mix(block_, 1, &lanes_);
    held_ = 0;
  }
  const size_t whole = bytes.size() / kBlockBytes;
  if (whole > 0) Mix(bytes.data(), whole, &lanes_);
  bytes.remove_prefix(whole * kBlockBytes);
  if (!bytes.empty()) std::memcpy(block_, bytes.data(), bytes.size());
  held_ = bytes.size();
}

uint64_t ContentHash::Final() const {
  Lanes lanes = lanes_;
  if (held_ > 0) {
    char last[kBlockBytes] = {};
    std::memcpy(last, block_, held_);
    Mix(last, 1, &lanes);
  }
  uint64_t hash = total_;
  for (const uint64_t lane : lanes) {
    hash = (hash ^ lane) * kMultiplier;
    hash ^= hash >> 31;
  }
  return hash;
}

}  // namespace outbox::tools
