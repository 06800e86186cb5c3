#include "smtp/reply.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace outbox::smtp {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char Printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }

// Reads 1-3 digits; RFC 3463 forbids leading zeros, which are tolerated. 0: none.
size_t ParseNumber(std::string_view text, uint16_t* out) {
  size_t size = 0;
  uint16_t value = 0;
  while (size < text.size() && size < 3 && IsDigit(text[size])) {
    value = static_cast<uint16_t>(value * 10 + (text[size] - '0'));
    ++size;
  }
  *out = value;
  return size;
}

// Whether each of eight octets is printable ASCII.
bool EightPrintable(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t octets = 0;
  std::memcpy(&octets, text, sizeof(octets));
  const uint64_t below_space = (octets - kOnes * ' ') & ~octets;
  const uint64_t above_tilde = (octets + kOnes * (0x7f - '~')) | octets;
  return ((below_space | above_tilde) & kOnes * 0x80) == 0;
}

// Copies text with "?" for what is not printable; returns its end.
char* CopyPrintable(std::string_view text, char* to) {
  size_t i = 0;
  for (; i + 8 <= text.size() && EightPrintable(text.data() + i); i += 8) {
    std::memcpy(to + i, text.data() + i, 8);
  }
  for (; i < text.size(); ++i) to[i] = Printable(text[i]);
  return to + text.size();
}

// At most five digits; returns their end.
char* PutNumber(uint16_t value, char* to) { return std::to_chars(to, to + 5, value).ptr; }

}  // namespace

size_t ParseEnhancedCode(std::string_view text, EnhancedCode* out) {
  *out = EnhancedCode();
  if (text.size() < 5 || text[1] != '.') return 0;
  if (text[0] != '2' && text[0] != '4' && text[0] != '5') return 0;
  uint16_t subject = 0;
  uint16_t detail = 0;
  size_t pos = 2;
  const size_t subject_size = ParseNumber(text.substr(pos), &subject);
  pos += subject_size;
  if (subject_size == 0 || pos >= text.size() || text[pos] != '.') return 0;
  ++pos;
  const size_t detail_size = ParseNumber(text.substr(pos), &detail);
  pos += detail_size;
  if (detail_size == 0 || (pos < text.size() && text[pos] != ' ')) return 0;
  *out = {static_cast<uint8_t>(text[0] - '0'), subject, detail};
  return pos;
}

void FormatReply(const Reply& reply, OutputBuffer* out) {
  CHECK(out->room() >= kFormattedReplyMax);
  CHECK(reply.code >= 200 && reply.code <= 599);
  char* at = PutNumber(reply.code, out->end());
  *at++ = ' ';
  if (!reply.enhanced.empty()) {
    at = PutNumber(reply.enhanced.status_class, at);
    *at++ = '.';
    at = PutNumber(reply.enhanced.subject, at);
    *at++ = '.';
    at = PutNumber(reply.enhanced.detail, at);
    *at++ = ' ';
  }
  constexpr size_t kAroundText = sizeof("250 255.65535.65535 \r\n");
  at = CopyPrintable(reply.text.substr(0, kFormattedReplyMax - kAroundText), at);
  *at++ = '\r';
  *at++ = '\n';
  out->Extend(static_cast<size_t>(at - out->end()));
}

ReplyParser::Result ReplyParser::Fail(const char* why) {
  state_ = State::kFailed;
  error_ = why;
  return Result::kError;
}

void ReplyParser::StartReply() {
  complete_ = false;
  code_ = 0;
  lines_ = 0;
  text_size_ = 0;
  enhanced_ = EnhancedCode();
}

ReplyParser::Result ReplyParser::Consume(std::string_view* input) {
  if (state_ == State::kFailed) return Result::kError;
  while (!input->empty()) {
    if (complete_) StartReply();
    if (state_ == State::kText) {
      const size_t newline = input->find('\n');
      const size_t size = std::min(newline, input->size());
      if (line_octets_ + size >= core::kReplyLineOctetsMax) return Fail("a reply line is too long");
      line_octets_ = static_cast<uint16_t>(line_octets_ + size);
      TakeText(input->substr(0, size));
      input->remove_prefix(size);
      if (newline == std::string_view::npos) return Result::kNeedMore;
      input->remove_prefix(1);
      return EndLine();
    }
    const char c = input->front();
    if (state_ == State::kSeparator) {
      last_line_ = c != '-';
      state_ = State::kText;
      if (c != ' ' && c != '-' && c != '\r' && c != '\n') {
        return Fail("neither space nor hyphen behind the reply code");
      }
      if (c == '\r' || c == '\n') continue;  // "250" alone: no text
    } else if (!TakeCodeDigit(c)) {
      return Fail("a reply does not begin with a valid code");
    }
    ++line_octets_;
    input->remove_prefix(1);
  }
  return Result::kNeedMore;
}

// RFC 5321 4.2: the first digit is 2-5, the second 0-5.
bool ReplyParser::TakeCodeDigit(char c) {
  if (digits_ == 0) {
    if (c < '2' || c > '5') return false;
    line_code_ = 0;
    line_octets_ = 0;
    join_ = text_size_;
    line_start_ = text_size_;
  } else if (digits_ == 1) {
    if (c < '0' || c > '5') return false;
  } else if (!IsDigit(c)) {
    return false;
  }
  line_code_ = static_cast<uint16_t>(line_code_ * 10 + (c - '0'));
  if (++digits_ < 3) return true;
  digits_ = 0;
  if (lines_ == 0) code_ = line_code_;
  if (line_code_ != code_) return false;
  state_ = State::kSeparator;
  if (text_size_ > 0 && text_size_ < sizeof(text_)) {
    text_[text_size_++] = ' ';
    line_start_ = text_size_;
  }
  return true;
}

// A CR is kept until the next octet shows whether it ends the line.
void ReplyParser::TakeText(std::string_view text) {
  if (text.empty()) return;
  if (text_size_ > line_start_ && text_[text_size_ - 1] == '\r') text_[text_size_ - 1] = '?';
  const size_t size = std::min(text.size(), sizeof(text_) - text_size_);
  CopyPrintable(text.substr(0, size), text_ + text_size_);
  if (size == text.size() && text.back() == '\r') text_[text_size_ + size - 1] = '\r';
  text_size_ = static_cast<uint16_t>(text_size_ + size);
}

ReplyParser::Result ReplyParser::EndLine() {
  state_ = State::kCode;
  if (text_size_ > line_start_ && text_[text_size_ - 1] == '\r') --text_size_;
  TakeEnhancedCode();
  if (text_size_ == line_start_) text_size_ = line_start_ = join_;  // nothing to join
  ++lines_;
  if (lines_ > core::kReplyLinesMax) return Fail("a reply has too many lines");
  if (!last_line_) return Result::kLine;
  complete_ = true;
  return Result::kReply;
}

// RFC 2034 4: the code is repeated in every line; its class is the reply code's.
void ReplyParser::TakeEnhancedCode() {
  EnhancedCode found;
  const size_t size = ParseEnhancedCode(line(), &found);
  if (size == 0 || found.status_class != code_ / 100) return;
  if (enhanced_.empty()) enhanced_ = found;
  if (!(enhanced_ == found)) return;
  const size_t skip = std::min<size_t>(size + 1, line().size());
  std::memmove(text_ + line_start_, text_ + line_start_ + skip, line().size() - skip);
  text_size_ = static_cast<uint16_t>(text_size_ - skip);
}

}  // namespace outbox::smtp
