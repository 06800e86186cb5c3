// Where the CRs, LFs and dots of a stretch of text are, 64 octets to a word: the first step of
// scanning a body (smtp/body_scanner.h), which looks at most octets only here.
//
// Uses what the processor has, decided once, at the first call; all ways find the same.
#ifndef OUTBOX_SMTP_LINE_MASKS_H_
#define OUTBOX_SMTP_LINE_MASKS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace outbox::smtp {

// Octets to a block.
inline constexpr size_t kMaskBlock = 64;
// Blocks to a call.
inline constexpr size_t kMaskBlocks = 16;

struct LineMasks {
  // Bit i of word b stands for octet i of block b.
  std::array<uint64_t, kMaskBlocks> cr;
  std::array<uint64_t, kMaskBlocks> lf;
  std::array<uint64_t, kMaskBlocks> dot;
  bool eight_bit;  // one of all these octets is above 127
  bool nul;        // one is 0
};

// Sets what belongs to the `blocks` first ones. REQUIRES: 1 <= blocks <= kMaskBlocks.
void FindLines(const char* bytes, size_t blocks, LineMasks* masks);

// Any octet above 127, any NUL, among the first `size` of a block. REQUIRES: 1 <= size <=
// kMaskBlock; the whole block can be read.
void LookAtSome(const char* block, size_t size, bool* eight_bit, bool* nul);

// The ways of FindLines, for tests. FindLinesAvx2 REQUIRES HasAvx2(), FindLinesAvx512 HasAvx512().
bool HasAvx512();
void FindLinesAvx512(const char* bytes, size_t blocks, LineMasks* masks);
bool HasAvx2();
void FindLinesAvx2(const char* bytes, size_t blocks, LineMasks* masks);
void FindLinesPlain(const char* bytes, size_t blocks, LineMasks* masks);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_LINE_MASKS_H_
