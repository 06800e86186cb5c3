#include "core/event_log.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/time_format.h"
#include "core/utf8.h"

namespace outbox::core {
namespace {

constexpr std::string_view kEnd = "}\n";
constexpr std::string_view kCutEnd = ",\"cut\":true}\n";
constexpr std::string_view kReplacement = "\\ufffd";
// What fields may use of a line: the rest is kept for its end.
constexpr size_t kFieldBytes = kEventLogLineBytes - kCutEnd.size();
constexpr size_t kNumberBytes = 20;   // of a 64-bit number with its sign
constexpr size_t kLongestEscape = 6;  // \u0000
constexpr size_t kListBytes = 4;      // ,"" and ]

// How many octets at the start of `text` stand in a JSON string as they are: printable ASCII but
// quotes and backslashes. Eight at a time.
size_t PlainPrefix(std::string_view text) {
  constexpr uint64_t kEach = 0x0101010101010101;
  size_t at = 0;
  for (; text.size() - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    // A high bit for every octet below 0x20, above 0x7e, or one of the two. What is borrowed or
    // carried comes from such an octet, so the first of these bits is right.
    const uint64_t others = ((word - kEach * 0x20) | (word + kEach) | word |
                             ((word ^ kEach * '"') - kEach) | ((word ^ kEach * '\\') - kEach)) &
                            kEach * 0x80;
    if (others != 0) return at + static_cast<size_t>(std::countr_zero(others)) / 8;
  }
  while (at < text.size() && text[at] >= 0x20 && text[at] < 0x7f && text[at] != '"' &&
         text[at] != '\\') {
    ++at;
  }
  return at;
}
static_assert(std::endian::native == std::endian::little, "the first octet is the lowest");

// How the character at the start of `text` stands in a JSON string (RFC 8259 7): the bytes, and in
// `consumed` how many of the text they stand for. `scratch` holds the bytes that are made up.
std::string_view Escaped(std::string_view text, std::array<char, kLongestEscape>* scratch,
                         size_t* consumed) {
  constexpr char kHex[] = "0123456789abcdef";
  const uint8_t c = static_cast<uint8_t>(text[0]);
  *consumed = 1;
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (c < 0x20 || c == 0x7f) {
    *scratch = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
    return {scratch->data(), scratch->size()};
  }
  const size_t length = Utf8Octets(text);
  if (length == 0) return kReplacement;
  *consumed = length;
  return text.substr(0, length);
}

// What PutEscaped makes of it.
size_t EscapedSize(std::string_view text) {
  size_t size = 0;
  while (!text.empty()) {
    std::array<char, kLongestEscape> scratch;
    size_t consumed = 0;
    size += Escaped(text, &scratch, &consumed).size();
    text.remove_prefix(consumed);
  }
  return size;
}

}  // namespace

EventLog::EventLog(LogLevel minimum, size_t capacity)
    : minimum_(minimum),
      capacity_(capacity),
      filling_(std::make_unique_for_overwrite<char[]>(capacity)),
      taken_(std::make_unique_for_overwrite<char[]>(capacity)) {
  CHECK(capacity >= kEventLogLineBytes);
}

void EventLog::SetReadyHook(ReadyHook hook, void* context) {
  hook_ = hook;
  hook_context_ = context;
}

EventLog::Event EventLog::Write(LogLevel level, int64_t wall_ns, std::string_view name,
                                std::string_view id) {
  CHECK(!writing_);
  if (!Wants(level)) return Event(nullptr);
  if (dropped_ > 0 && capacity_ - filled_ >= 2 * kEventLogLineBytes) {
    const uint64_t dropped = std::exchange(dropped_, 0);
    Begin(wall_ns, "log_dropped", {}).Field("events", dropped);
  }
  if (capacity_ - filled_ < kEventLogLineBytes || dropped_ > 0) {
    // Nothing overtakes the line that tells of what is missing.
    ++dropped_;
    ++dropped_total_;
    return Event(nullptr);
  }
  return Begin(wall_ns, name, id);
}

EventLog::Event EventLog::Begin(int64_t wall_ns, std::string_view name, std::string_view id) {
  std::array<char, kRfc3339Bytes> time;
  return Event(this, FormatRfc3339(wall_ns, time), name, id);
}

EventLog::Event::Event(EventLog* log, std::string_view time, std::string_view name,
                       std::string_view id)
    : log_(log) {
  log_->writing_ = true;
  Put("{");
  Field("time", time).Field("event", name);
  if (!id.empty()) Field("id", id);
}

EventLog::Event::~Event() {
  if (log_ == nullptr) return;
  Put(cut_ ? kCutEnd : kEnd);
  const bool was_empty = log_->filled_ == 0;
  log_->filled_ += used_;
  log_->writing_ = false;
  if (was_empty && log_->hook_ != nullptr) log_->hook_(log_->hook_context_);
}

EventLog::Event& EventLog::Event::Field(std::string_view key, std::string_view value) {
  if (!BeginField(key, 2)) return *this;
  PutChar('"');
  PutEscaped(value);
  PutChar('"');
  return *this;
}

EventLog::Event& EventLog::Event::BeginList(std::string_view key) {
  in_list_ = BeginField(key, kListBytes);
  has_item_ = false;
  if (in_list_) PutChar('[');
  return *this;
}

EventLog::Event& EventLog::Event::Item(std::string_view value) {
  if (!in_list_) return *this;
  if (used_ + kLongestEscape * value.size() + kListBytes + 1 > kFieldBytes &&
      used_ + EscapedSize(value) + kListBytes + 1 > kFieldBytes) {
    cut_ = true;
    return *this;
  }
  if (has_item_) PutChar(',');
  has_item_ = true;
  PutChar('"');
  PutEscaped(value);
  PutChar('"');
  return *this;
}

EventLog::Event& EventLog::Event::EndList() {
  if (std::exchange(in_list_, false)) PutChar(']');
  return *this;
}

EventLog::Event& EventLog::Event::Literal(std::string_view key, std::string_view literal) {
  if (BeginField(key, literal.size())) Put(literal);
  return *this;
}

EventLog::Event& EventLog::Event::Signed(std::string_view key, int64_t value) {
  std::array<char, kNumberBytes> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return Literal(key, {digits.data(), static_cast<size_t>(end - digits.data())});
}

EventLog::Event& EventLog::Event::Unsigned(std::string_view key, uint64_t value) {
  std::array<char, kNumberBytes> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return Literal(key, {digits.data(), static_cast<size_t>(end - digits.data())});
}

bool EventLog::Event::BeginField(std::string_view key, size_t room_for_value) {
  if (log_ == nullptr) return false;
  constexpr size_t kPunctuation = 4;  // ,"":
  if (used_ + kPunctuation + key.size() + room_for_value > kFieldBytes) {
    cut_ = true;
    return false;
  }
  char* const begin = log_->filling_.get() + log_->filled_ + used_;
  char* to = begin;
  if (used_ > 1) *to++ = ',';
  *to++ = '"';
  std::memcpy(to, key.data(), key.size());
  to += key.size();
  *to++ = '"';
  *to++ = ':';
  used_ += static_cast<size_t>(to - begin);
  return true;
}

void EventLog::Event::PutChar(char c) {
  log_->filling_[log_->filled_ + used_] = c;
  ++used_;
}

void EventLog::Event::Put(std::string_view text) {
  std::memcpy(log_->filling_.get() + log_->filled_ + used_, text.data(), text.size());
  used_ += text.size();
}

void EventLog::Event::PutEscaped(std::string_view text) {
  constexpr size_t kClosingQuote = 1;
  while (!text.empty()) {
    if (size_t plain = PlainPrefix(text); plain > 0) {
      const size_t room = kFieldBytes - kClosingQuote - used_;
      cut_ = cut_ || plain > room;
      Put(text.substr(0, std::min(plain, room)));
      if (plain > room) return;
      text.remove_prefix(plain);
      continue;
    }
    std::array<char, kLongestEscape> scratch;
    size_t consumed = 0;
    const std::string_view piece = Escaped(text, &scratch, &consumed);
    if (used_ + piece.size() + kClosingQuote > kFieldBytes) {
      cut_ = true;
      return;
    }
    Put(piece);
    text.remove_prefix(consumed);
  }
}

std::string_view EventLog::Take() {
  CHECK(!is_taken_ && !writing_);
  if (filled_ == 0) return {};
  is_taken_ = true;
  std::swap(filling_, taken_);
  return {taken_.get(), std::exchange(filled_, 0)};
}

void EventLog::Release() {
  CHECK(is_taken_);
  is_taken_ = false;
}

}  // namespace outbox::core
