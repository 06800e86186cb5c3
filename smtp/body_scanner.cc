#include "smtp/body_scanner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "core/check.h"
#include "smtp/address.h"

namespace outbox::smtp {
namespace {

// Fewer octets are taken one by one.
constexpr size_t kSkipMin = 8;

// Field names that are looked for; no two begin with the same letter.
constexpr char kReceived[] = "received";
constexpr char kDate[] = "date";
constexpr char kMessageId[] = "message-id";

// In small letters; any name that matters for a letter that none begins with.
std::string_view NameThatBeginsWith(char first) {
  if (first == 'r') return kReceived;
  return first == 'd' ? std::string_view(kDate) : kMessageId;
}

}  // namespace

bool BodyScanner::in_text(std::string_view next) {
  if (state_ == State::kLineStart && in_header_ && !name_done_) name_done_ = ReadName(next);
  if (in_header_ && !name_done_) return false;
  return state_ == State::kText || state_ == State::kCr || state_ == State::kLineStart;
}

// Most header lines are none of those that matter, as their first octet tells.
bool BodyScanner::ReadName(std::string_view line) {
  const char first = static_cast<char>(line[0] | 0x20);
  if (first != 'r' && first != 'd' && first != 'm') return line[0] != '.' && line[0] != '\r';
  const std::string_view name = NameThatBeginsWith(first);
  if (line.size() <= name.size()) return false;
  if (!EqualsIgnoringCase(line.substr(0, name.size()), name)) return true;
  const char next = line[name.size()];
  if (next == ' ' || next == '\t') return false;
  if (next == ':') FoundName(name.data());
  return true;
}

void BodyScanner::FoundName(const char* name) {
  if (name == kReceived) ++summary_.received_headers;
  if (name == kDate) summary_.has_date = true;
  if (name == kMessageId) summary_.has_message_id = true;
}

size_t BodyScanner::Consume(std::string_view bytes) {
  CHECK(!summary_.complete);
  size_t pos = 0;
  while (pos < bytes.size() && !summary_.complete) {
    if (plain_ && state_ == State::kLineStart && bytes[pos] == '.') break;
    if (bytes.size() - pos >= kSkipMin && in_text(bytes.substr(pos))) {
      size_t skipped = 0;
      if (!in_header_) skipped = SkipLines(bytes.data() + pos, bytes.size() - pos);
      if (skipped == 0) skipped = SkipText(bytes.data() + pos, bytes.size() - pos);
      pos += skipped;
      if (skipped > 0) continue;
    }
    Step(static_cast<unsigned char>(bytes[pos]));
    ++pos;
  }
  longest_ = std::max(longest_, line_octets_);
  summary_.longest_line = longest_ >= kLongLine ? longest_ : 0;
  return pos;
}

size_t BodyScanner::ConsumePlain(std::string_view bytes) {
  plain_ = true;
  const size_t size = Consume(bytes);
  plain_ = false;
  return size;
}

// Leaves to SkipText what is not clean, a bare CR or LF anywhere in the blocks of one look, and
// what is less than a block; and to Step the dot that may end the message.
size_t BodyScanner::SkipLines(const char* bytes, size_t size) {
  Lines at;
  at.after_cr = state_ == State::kCr ? 1 : 0;
  at.line_start = state_ == State::kLineStart ? 1 : 0;
  at.begin = -static_cast<int64_t>(line_octets_ + at.after_cr);
  at.longest = static_cast<int64_t>(longest_);
  bool more = true;
  while (more && size - at.pos >= kMaskBlock) {
    const size_t blocks = std::min(kMaskBlocks, (size - at.pos) / kMaskBlock);
    more = SkipCleanBlocks(bytes, size, blocks, &at);
  }
  if (at.pos == 0) return 0;
  longest_ = static_cast<uint64_t>(at.longest);
  summary_.wire_bytes += at.pos;
  line_octets_ = static_cast<uint64_t>(static_cast<int64_t>(at.pos) - at.begin) - at.after_cr;
  state_ = at.after_cr != 0 ? State::kCr : State::kText;
  if (at.line_start != 0) StartLine();
  return at.pos;
}

bool BodyScanner::SkipCleanBlocks(const char* bytes, size_t size, size_t blocks, Lines* at) {
  LineMasks masks;
  FindLines(bytes + at->pos, blocks, &masks);
  uint64_t unclean = 0;
  uint64_t ends = 0;  // a dot that begins a line, with a CR behind it
  uint64_t dots = 0;
  uint64_t after_cr = at->after_cr;
  uint64_t line_start = at->line_start;
  uint64_t after_dot = 0;
  for (size_t i = 0; i < blocks; ++i) {
    const uint64_t cr = masks.cr[i];
    const uint64_t dot = masks.dot[i] & (masks.lf[i] << 1 | line_start);
    unclean |= masks.lf[i] ^ (cr << 1 | after_cr);
    ends |= (dot << 1 | after_dot) & cr;
    dots |= dot;
    masks.dot[i] = dot;
    after_cr = cr >> (kMaskBlock - 1);
    line_start = masks.lf[i] >> (kMaskBlock - 1);
    after_dot = dot >> (kMaskBlock - 1);
  }
  if (unclean != 0) return false;
  if ((ends | after_dot) != 0 || (plain_ && dots != 0)) {
    return SkipDots(masks, bytes, size, blocks, at);
  }
  if (dots != 0) {
    for (size_t i = 0; i < blocks; ++i) {
      for (uint64_t rest = masks.dot[i]; rest != 0; rest &= rest - 1) ++summary_.stuffed_dots;
    }
  }
  PassLines(masks, blocks, at);
  at->after_cr = after_cr;
  at->line_start = line_start;
  summary_.has_8bit |= masks.eight_bit;
  summary_.has_nul |= masks.nul;
  return true;
}

// Only the line that ends here first may be a long one: the others begin here as well.
void BodyScanner::PassLines(const LineMasks& masks, size_t blocks, Lines* at) {
  const int64_t pos = static_cast<int64_t>(at->pos);
  at->pos += blocks * kMaskBlock;
  if (at->line_start != 0) at->begin += static_cast<int64_t>(masks.dot[0] & 1);
  size_t i = 0;
  while (i < blocks && masks.lf[i] == 0) ++i;
  if (i == blocks) return;
  const auto place = [pos](size_t block, int bit) {
    return pos + static_cast<int64_t>(block * kMaskBlock) + bit;
  };
  const int64_t first = place(i, std::countr_zero(masks.lf[i])) + 1;
  at->longest = std::max(at->longest, first - at->begin - 2);
  i = blocks - 1;
  while (masks.lf[i] == 0) --i;
  const int last = kMaskBlock - 1 - std::countl_zero(masks.lf[i]);
  at->begin = place(i, last) + 1;
  if (last < static_cast<int>(kMaskBlock) - 1) {
    at->begin += static_cast<int64_t>(masks.dot[i] >> (last + 1) & 1);
  } else if (i + 1 < blocks) {
    at->begin += static_cast<int64_t>(masks.dot[i + 1] & 1);
  }
}

// Clean blocks with dots at the beginning of lines, which alone are left in masks.dot, one of which
// may end the message, or is to be stuffed.
bool BodyScanner::SkipDots(const LineMasks& masks, const char* bytes, size_t size, size_t blocks,
                           Lines* at) {
  const size_t first = at->pos;
  for (size_t i = 0; i < blocks; ++i) {
    const size_t block = first + i * kMaskBlock;
    for (uint64_t rest = masks.lf[i] | masks.dot[i]; rest != 0; rest &= rest - 1) {
      const size_t pos = block + static_cast<size_t>(std::countr_zero(rest));
      const int64_t behind = static_cast<int64_t>(pos) + 1;
      if ((masks.dot[i] & rest & -rest) == 0) {
        at->longest = std::max(at->longest, behind - at->begin - 2);
        at->begin = behind;
        continue;
      }
      if (plain_ || pos + 1 == size || bytes[pos + 1] == '\r') {
        // What is behind the message says nothing about it.
        for (size_t look = first; look < pos; look += kMaskBlock) {
          LookAtSome(bytes + look, std::min(kMaskBlock, pos - look), &summary_.has_8bit,
                     &summary_.has_nul);
        }
        at->pos = pos;
        at->after_cr = 0;
        at->line_start = 1;
        return false;
      }
      ++summary_.stuffed_dots;
      at->begin = behind;  // it is no octet of the line
    }
  }
  at->pos = first + blocks * kMaskBlock;
  at->after_cr = masks.cr[blocks - 1] >> (kMaskBlock - 1);
  at->line_start = masks.lf[blocks - 1] >> (kMaskBlock - 1);
  summary_.has_8bit |= masks.eight_bit;
  summary_.has_nul |= masks.nul;
  return true;
}

// Leaves to Step: bare CR and LF, dots at the beginning of a line, field names of the header
// section.
size_t BodyScanner::SkipText(const char* bytes, size_t size) {
  size_t pos = 0;
  bool after_cr = state_ == State::kCr;
  bool line_start = state_ == State::kLineStart;
  // Octets of the current line, up to `pos`, with a CR at its end.
  uint64_t line = line_octets_ + (after_cr ? 1 : 0);
  uint64_t longest = longest_;
  // Of the first `of_block` octets of a block; false: what comes next is not for us.
  const auto skip = [&](const char* block, auto of_block) __attribute__((always_inline)) {
    LineMasks masks;
    FindLines(block, 1, &masks);
    const uint64_t cr = masks.cr[0];
    const uint64_t lf = masks.lf[0];
    const uint64_t behind_cr = (cr << 1) | uint64_t{after_cr};
    if (lf != (behind_cr & (UINT64_MAX >> (kMaskBlock - of_block)))) return false;
    if (line_start && block[0] == '.') return false;
    size_t begin = 0;  // of the current line in this block
    for (uint64_t rest = lf; rest != 0; rest &= rest - 1) {
      const size_t end = static_cast<size_t>(std::countr_zero(rest)) + 1;
      longest = std::max(longest, line + (end - begin) - 2);
      line = 0;
      begin = end;
      if (in_header_ || (end < of_block && block[end] == '.')) {
        LookAtSome(block, end, &summary_.has_8bit, &summary_.has_nul);
        pos += end;
        after_cr = false;
        line_start = true;
        return false;
      }
    }
    summary_.has_8bit |= masks.eight_bit;
    summary_.has_nul |= masks.nul;
    pos += of_block;
    line += of_block - begin;
    after_cr = (cr >> (of_block - 1)) != 0;
    line_start = (lf >> (of_block - 1)) != 0;
    return true;
  };
  constexpr std::integral_constant<size_t, kMaskBlock> kWhole;
  bool more = true;
  while (more && size - pos >= kMaskBlock) more = skip(bytes + pos, kWhole);
  if (more && pos < size) {
    char last[kMaskBlock];  // with octets behind it that say nothing
    std::memset(last, ' ', sizeof(last));
    std::memcpy(last, bytes + pos, size - pos);
    skip(last, size - pos);
  }
  if (pos == 0) return 0;
  longest_ = longest;
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
  longest_ = std::max(longest_, line_octets_);
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
    if (name_ != nullptr && name_[name_size_] == '\0') FoundName(name_);
    return;
  }
  if (c == ' ' || c == '\t') {
    // Marks the end of the name: what follows can only be more blanks or the colon.
    if (name_size_ == 0) name_done_ = true;
    after_name_ = true;
    return;
  }
  if (name_size_ == 0) name_ = NameThatBeginsWith(static_cast<char>(c)).data();
  name_done_ = after_name_ || c == '\0' || name_[name_size_] != static_cast<char>(c);
  ++name_size_;
}

}  // namespace outbox::smtp
