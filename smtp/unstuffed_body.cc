#include "smtp/unstuffed_body.h"

#include <algorithm>
#include <cstring>

namespace outbox::smtp {

size_t UnstuffedBody::FindDots(std::string_view bytes, LineMasks* masks) {
  const size_t blocks = std::min(kMaskBlocks, bytes.size() / kMaskBlock);
  size_t size = blocks * kMaskBlock;
  if (blocks > 0) {
    FindLines(bytes.data(), blocks, masks);
  } else {
    char last[kMaskBlock];  // with octets behind it that say nothing
    size = bytes.size();
    std::memset(last, ' ', sizeof(last));
    std::memcpy(last, bytes.data(), size);
    FindLines(last, 1, masks);
  }
  const size_t last_bit = (size - 1) % kMaskBlock;
  for (size_t i = 0; i * kMaskBlock < size; ++i) {
    const uint64_t ends = masks->lf[i] & (masks->cr[i] << 1 | after_cr_);
    masks->dot[i] &= ends << 1 | line_start_;
    after_cr_ = masks->cr[i] >> last_bit & 1;
    line_start_ = ends >> last_bit & 1;
  }
  return size;
}

bool UnstuffedBody::TakeEnd(std::string_view end, bool last) {
  constexpr std::string_view kFinalDot = ".\r\n";
  if (end != kFinalDot.substr(end_, end.size())) return false;
  end_ = static_cast<uint8_t>(end_ + end.size());
  return !last || (left_ == 0 && end_ == kFinalDot.size());
}

}  // namespace outbox::smtp
