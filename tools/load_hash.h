// ContentHash: the 64-bit hash by which the load tools recognise that a message arrived as it was
// sent.
//
// Of its own, and not the checksum that the spool uses, so that a fault in that one cannot hide
// here. Four independent lanes over 32-byte blocks, one multiplication per eight bytes: hashing 4
// KiB costs well under a microsecond, and the tools must stay cheap beside the relay that they
// measure. Not for anything adversarial.
#ifndef OUTBOX_TOOLS_LOAD_HASH_H_
#define OUTBOX_TOOLS_LOAD_HASH_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace outbox::tools {

// A plain value: copying it in the middle forks the computation. How the input is cut into pieces
// makes no difference.
class ContentHash {
 public:
  void Update(std::string_view bytes) {
    total_ += bytes.size();
    if (held_ > 0) {
      const size_t take = std::min(sizeof block_ - held_, bytes.size());
      std::memcpy(block_ + held_, bytes.data(), take);
      held_ += take;
      bytes.remove_prefix(take);
      if (held_ < sizeof block_) return;
      Mix(block_);
      held_ = 0;
    }
    while (bytes.size() >= sizeof block_) {
      Mix(bytes.data());
      bytes.remove_prefix(sizeof block_);
    }
    if (!bytes.empty()) std::memcpy(block_, bytes.data(), bytes.size());
    held_ = bytes.size();
  }

  uint64_t Final() const {
    ContentHash last = *this;
    std::memset(last.block_ + last.held_, 0, sizeof block_ - last.held_);
    last.Mix(last.block_);
    uint64_t hash = total_;
    for (const uint64_t lane : last.lanes_) {
      hash = (hash ^ lane) * kMultiplier;
      hash ^= hash >> 31;
    }
    return hash;
  }

 private:
  static constexpr uint64_t kMultiplier = 0xd6e8feb86659fd93u;

  void Mix(const char* block) {
    for (int i = 0; i < 4; ++i) {
      uint64_t word;
      std::memcpy(&word, block + 8 * i, sizeof word);
      lanes_[i] = (lanes_[i] ^ word) * kMultiplier;
      lanes_[i] ^= lanes_[i] >> 32;
    }
  }

  uint64_t lanes_[4] = {1, 2, 3, 4};
  uint64_t total_ = 0;
  char block_[32];
  size_t held_ = 0;  // bytes in block_
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_HASH_H_
