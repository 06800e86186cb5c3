// BlockCache: blocks of memory for what connections have to say at the moment.
//
// A connection holds a block only while it has unsent bytes, so idle ones cost none. One cache per
// shard, shared by its connections, which outlive no block: the number of blocks out is bounded by
// the number of connections (two each at most).
#ifndef OUTBOX_SMTP_BLOCK_CACHE_H_
#define OUTBOX_SMTP_BLOCK_CACHE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::smtp {

class BlockCache {
 public:
  using Block = std::unique_ptr<char[]>;
  static constexpr size_t kBytes = core::kSmtpOutputBytes;

  Block Take() {
    ++out_;
    if (free_.empty()) return Block(new char[kBytes]);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  // REQUIRES: block came from Take.
  void Give(Block block) {
    CHECK(block != nullptr && out_ > 0);
    --out_;
    if (free_.size() < core::kSmtpBlocksKept) free_.push_back(std::move(block));
  }
  static std::span<char> Memory(const Block& block) { return {block.get(), kBytes}; }
  size_t out() const { return out_; }

  // Room for `bytes` of messages that were lent to us and that a peer does not read; false: there
  // is none. Given back by the same number.
  bool Reserve(size_t bytes) {
    if (bytes > core::kSmtpStalledBytes - stalled_) return false;
    stalled_ += bytes;
    return true;
  }
  void Unreserve(size_t bytes) {
    CHECK(bytes <= stalled_);
    stalled_ -= bytes;
  }

 private:
  std::vector<Block> free_;
  size_t out_ = 0;
  size_t stalled_ = 0;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_BLOCK_CACHE_H_
