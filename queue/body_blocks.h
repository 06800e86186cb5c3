// BodyBlocks: the memory of messages of middling size while they are received.
//
// A body above a few KiB that may still become part of its record is received straight into a block
// of the longest such body. Blocks are few: who gets none goes into extents as if it were large.
// The one given back last is taken first, while it is in the processor's cache.
//
// One per shard.
#ifndef OUTBOX_QUEUE_BODY_BLOCKS_H_
#define OUTBOX_QUEUE_BODY_BLOCKS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {

class BodyBlocks {
 public:
  static constexpr size_t kBytes = core::kInlineBodyBytesMax;
  using Block = std::unique_ptr<char[]>;

  BodyBlocks() = default;
  BodyBlocks(const BodyBlocks&) = delete;
  BodyBlocks& operator=(const BodyBlocks&) = delete;
  // REQUIRES: none is out.
  ~BodyBlocks() { CHECK(out_ == 0); }

  // Null: all are out.
  Block Take() {
    if (out_ >= core::kBodyBlocksMax) return nullptr;
    ++out_;
    if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBytes);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void Give(Block block) {
    CHECK(block != nullptr && out_ > 0);
    --out_;
    free_.push_back(std::move(block));
  }

 private:
  std::vector<Block> free_;
  uint32_t out_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_BODY_BLOCKS_H_
