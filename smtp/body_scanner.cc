#include "smtp/body_scanner.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "core/check.h"

namespace outbox::smtp {
namespace {

constexpr size_t kBlock = 64;
// Fewer octets are taken one by one.
constexpr size_t kSkipMin = 8;

// Field names that are looked for; no two begin with the same letter.
constexpr char kReceived[] = "received";
constexpr char kDate[] = "date";
constexpr char kMessageId[] = "message-id";

// Which octets of a block are what: bit i stands for octet i.
struct BlockMasks {
  uint64_t cr = 0;
  uint64_t lf = 0;
};

#if defined(__SSE2__)

struct Block {
  explicit Block(const char* bytes) {
    const __m128i* v = reinterpret_cast<const __m128i*>(bytes);
    a = _mm_loadu_si128(v);
    b = _mm_loadu_si128(v + 1);
    c = _mm_loadu_si128(v + 2);
    d = _mm_loadu_si128(v + 3);
  }
  __m128i a, b, c, d;
};

// The top bit of each octet.
inline uint64_t TopBits(__m128i a, __m128i b, __m128i c, __m128i d) {
  const uint64_t low = static_cast<uint32_t>(_mm_movemask_epi8(a)) |
                       static_cast<uint32_t>(_mm_movemask_epi8(b)) << 16;
  const uint64_t high = static_cast<uint32_t>(_mm_movemask_epi8(c)) |
                        static_cast<uint32_t>(_mm_movemask_epi8(d)) << 16;
  return low | high << 32;
}

inline uint64_t Equal(const Block& block, char octet) {
  const __m128i wanted = _mm_set1_epi8(octet);
  return TopBits(_mm_cmpeq_epi8(block.a, wanted), _mm_cmpeq_epi8(block.b, wanted),
                 _mm_cmpeq_epi8(block.c, wanted), _mm_cmpeq_epi8(block.d, wanted));
}

BlockMasks Masks(const char* bytes) {
  const Block block(bytes);
  return {Equal(block, '\r'), Equal(block, '\n')};
}

// Any octet of the block above 127, any NUL.
void Look(const char* bytes, bool* eight_bit, bool* nul) {
  const Block v(bytes);
  const __m128i any = _mm_or_si128(_mm_or_si128(v.a, v.b), _mm_or_si128(v.c, v.d));
  const __m128i least = _mm_min_epu8(_mm_min_epu8(v.a, v.b), _mm_min_epu8(v.c, v.d));
  *eight_bit |= _mm_movemask_epi8(any) != 0;
  *nul |= _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
}

// The same for the first `size` octets of a block, 1 to 64.
void LookAtSome(const char* bytes, size_t size, bool* eight_bit, bool* nul) {
  const uint64_t mask = UINT64_MAX >> (kBlock - size);
  const Block v(bytes);
  *eight_bit |= (TopBits(v.a, v.b, v.c, v.d) & mask) != 0;
  *nul |= (Equal(v, '\0') & mask) != 0;
}

#else

BlockMasks Masks(const char* bytes) {
  BlockMasks masks;
  for (size_t i = 0; i < kBlock; ++i) {
    masks.cr |= uint64_t{bytes[i] == '\r'} << i;
    masks.lf |= uint64_t{bytes[i] == '\n'} << i;
  }
  return masks;
}

void LookAtSome(const char* bytes, size_t size, bool* eight_bit, bool* nul) {
  for (size_t i = 0; i < size; ++i) {
    *eight_bit |= static_cast<unsigned char>(bytes[i]) > 127;
    *nul |= bytes[i] == '\0';
  }
}

void Look(const char* bytes, bool* eight_bit, bool* nul) {
  LookAtSome(bytes, kBlock, eight_bit, nul);
}

#endif

}  // namespace

bool BodyScanner::in_text(char next) {
  if (state_ == State::kLineStart && in_header_ && !name_done_) {
    // Most header lines are none of those that matter, as their first octet tells.
    const char octet = static_cast<char>(next | 0x20);
    name_done_ = octet != 'r' && octet != 'd' && octet != 'm' && next != '.' && next != '\r';
  }
  if (in_header_ && !name_done_) return false;
  return state_ == State::kText || state_ == State::kCr || state_ == State::kLineStart;
}

size_t BodyScanner::Consume(std::string_view bytes) {
  CHECK(!summary_.complete);
  size_t pos = 0;
  while (pos < bytes.size() && !summary_.complete) {
    if (bytes.size() - pos >= kSkipMin && in_text(bytes[pos])) {
      const size_t skipped = SkipText(bytes.data() + pos, bytes.size() - pos);
      pos += skipped;
      if (skipped > 0) continue;
    }
    Step(static_cast<unsigned char>(bytes[pos]));
    ++pos;
  }
  summary_.longest_line = std::max(summary_.longest_line, line_octets_);
  return pos;
}

// Leaves to Step: bare CR and LF, dots at the beginning of a line, field names of the header
// section.
size_t BodyScanner::SkipText(const char* bytes, size_t size) {
  size_t pos = 0;
  bool after_cr = state_ == State::kCr;
  bool line_start = state_ == State::kLineStart;
  // Octets of the current line, up to `pos`, with a CR at its end.
  uint64_t line = line_octets_ + (after_cr ? 1 : 0);
  uint64_t longest = summary_.longest_line;
  bool eight_bit = summary_.has_8bit;
  bool nul = summary_.has_nul;
  // Of the first `of_block` octets of a block; false: what comes next is not for us.
  const auto skip = [&](const char* block, auto of_block) __attribute__((always_inline)) {
    const BlockMasks masks = Masks(block);
    const uint64_t behind_cr = (masks.cr << 1) | uint64_t{after_cr};
    if (masks.lf != (behind_cr & (UINT64_MAX >> (kBlock - of_block)))) return false;
    if (line_start && block[0] == '.') return false;
    size_t begin = 0;  // of the current line in this block
    for (uint64_t rest = masks.lf; rest != 0; rest &= rest - 1) {
      const size_t end = static_cast<size_t>(std::countr_zero(rest)) + 1;
      longest = std::max(longest, line + (end - begin) - 2);
      line = 0;
      begin = end;
      if (in_header_ || (end < of_block && block[end] == '.')) {
        LookAtSome(block, end, &eight_bit, &nul);
        pos += end;
        after_cr = false;
        line_start = true;
        return false;
      }
    }
    Look(block, &eight_bit, &nul);
    pos += of_block;
    line += of_block - begin;
    after_cr = (masks.cr >> (of_block - 1)) != 0;
    line_start = (masks.lf >> (of_block - 1)) != 0;
    return true;
  };
  constexpr std::integral_constant<size_t, kBlock> kWhole;
  bool more = true;
  while (more && size - pos >= kBlock) more = skip(bytes + pos, kWhole);
  if (more && pos < size) {
    char last[kBlock];  // with octets behind it that say nothing
    std::memset(last, ' ', sizeof(last));
    std::memcpy(last, bytes + pos, size - pos);
    skip(last, size - pos);
  }
  if (pos == 0) return 0;
  summary_.has_8bit = eight_bit;
  summary_.has_nul = nul;
  summary_.longest_line = longest;
  summary_.wire_bytes += pos;
  line_octets_ = line - (after_cr ? 1 : 0);
  state_ = after_cr ? State::kCr : State::kText;
  if (line_start) StartLine();
  return pos;
}

void BodyScanner::Step(unsigned char c) {
  ++summary_.wire_bytes;
  switch (state_) {
    case State::kLineStart:
      if (c == '.') {
        state_ = State::kDot;
        return;
      }
      break;
    case State::kText:
      break;
    case State::kCr:
      if (c == '\n') return EndLine();
      BareCr();
      break;
    case State::kDot:
      if (c == '\r') {
        state_ = State::kDotCr;
        return;
      }
      ++summary_.stuffed_dots;
      break;
    case State::kDotCr:
      if (c == '\n') {
        summary_.complete = true;
        if (in_header_) summary_.header_bytes = summary_.wire_bytes - 3;
        return;
      }
      ++summary_.stuffed_dots;
      BareCr();
      break;
  }
  TextOctet(c);
}

void BodyScanner::TextOctet(unsigned char c) {
  if (c == '\r') {
    state_ = State::kCr;
    return;
  }
  state_ = State::kText;
  if (c == '\n') summary_.has_bare_lf = true;
  Octet(c);
}

void BodyScanner::BareCr() {
  summary_.has_bare_cr = true;
  Octet('\r');
}

void BodyScanner::Octet(unsigned char c) {
  ++line_octets_;
  summary_.has_8bit |= c > 127;
  summary_.has_nul |= c == 0;
  if (in_header_ && !name_done_) HeaderOctet(c);
}

void BodyScanner::EndLine() {
  summary_.longest_line = std::max(summary_.longest_line, line_octets_);
  if (in_header_ && line_octets_ == 0) {
    in_header_ = false;
    summary_.header_bytes = summary_.wire_bytes - 2;
  }
  StartLine();
}

void BodyScanner::StartLine() {
  state_ = State::kLineStart;
  line_octets_ = 0;
  name_size_ = 0;
  name_ = nullptr;
  name_done_ = false;
  after_name_ = false;
}

// Field names that matter are "Received", "Date" and "Message-ID" (RFC 5322 3.6), in any case, with
// blanks before the colon as the obsolete syntax has them. Other lines are left at the first octet
// that is different.
void BodyScanner::HeaderOctet(unsigned char c) {
  if (c >= 'A' && c <= 'Z') c = static_cast<unsigned char>(c | 0x20);
  if (c == ':') {
    name_done_ = true;
    if (name_ == nullptr || name_[name_size_] != '\0') return;
    if (name_ == kReceived) ++summary_.received_headers;
    if (name_ == kDate) summary_.has_date = true;
    if (name_ == kMessageId) summary_.has_message_id = true;
    return;
  }
  if (c == ' ' || c == '\t') {
    // Marks the end of the name: what follows can only be more blanks or the colon.
    if (name_size_ == 0) name_done_ = true;
    after_name_ = true;
    return;
  }
  if (name_size_ == 0) name_ = c == 'r' ? kReceived : c == 'd' ? kDate : kMessageId;
  name_done_ = after_name_ || c == '\0' || name_[name_size_] != static_cast<char>(c);
  ++name_size_;
}

}  // namespace outbox::smtp
