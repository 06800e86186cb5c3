#include "smtp/talk.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/time.h"

namespace outbox::smtp {
namespace {

// Digits of six bits that are no control characters.
constexpr size_t kTimeDigits = Talk::kPrefixBytes - 1;
constexpr char kDigitZero = '0';
constexpr int64_t kTimeMax = (int64_t{1} << (6 * kTimeDigits)) - 1;

constexpr std::string_view kAuth = "AUTH ";
constexpr std::string_view kHidden = "(hidden)";

bool StartsWithAuth(std::string_view line) {
  if (line.size() < kAuth.size() || (line[0] | 0x20) != 'a') return false;
  for (size_t i = 1; i + 1 < kAuth.size(); ++i) {
    if ((line[i] & ~0x20) != kAuth[i]) return false;
  }
  return line[kAuth.size() - 1] == ' ';
}

}  // namespace

static_assert(core::kTalkLineBytes + Talk::kPrefixBytes <= core::kTalkBytes);

// --- Writing -------------------------------------------------------------------------------------

void Talk::Start(int64_t now_ns) {
  Drop();
  started_ns_ = now_ns;
  prefix_ns_ = INT64_MIN;
  begun_ = 0;
}

void Talk::Forget() {
  if (begun_ == 0) Drop();
}

void Talk::Drop() {
  if (ring_ != nullptr) rings_->Give(ring_);
  ring_ = nullptr;
  written_ = line_start_ = since_ = 0;
  authenticating_ = false;
  sent_line_ = received_line_ = Line();
}

bool Talk::HasRing() {
  if (ring_ == nullptr) ring_ = rings_->Take();
  return ring_ != nullptr;
}

void Talk::Put(std::string_view bytes) {
  char* const ring = ring_->bytes.data();
  const size_t at = written_ % core::kTalkBytes;
  const size_t size = std::min(bytes.size(), core::kTalkBytes - at);
  std::memcpy(ring + at, bytes.data(), size);
  // No piece is longer than the ring: the rest is at its beginning.
  if (size < bytes.size()) std::memcpy(ring, bytes.data() + size, bytes.size() - size);
  written_ += bytes.size();
}

void Talk::SetPrefix(char who, int64_t now_ns) {
  prefix_[0] = who;
  if (now_ns == prefix_ns_) return;
  prefix_ns_ = now_ns;
  const int64_t age_ms = (now_ns - started_ns_) / core::kNsPerMs;
  uint64_t ms = static_cast<uint64_t>(std::clamp<int64_t>(age_ms, 0, kTimeMax));
  for (size_t i = kTimeDigits; i > 0; --i) {
    prefix_[i] = static_cast<char>(kDigitZero + (ms & 63));
    ms >>= 6;
  }
}

void Talk::Close(Line* line) {
  if (line->open) Put("\n");
  *line = Line();
}

// RFC 4954: `AUTH mechanism [initial-response]`, then a response for each 334, until another reply.
std::string_view Talk::WithoutSecret(std::string_view line) {
  if (StartsWithAuth(line)) {
    authenticating_ = true;
    return line.substr(0, line.find(' ', kAuth.size()));
  }
  return authenticating_ && line != "*" ? kHidden : line;
}

void Talk::Add(char who, std::string_view bytes, Line* line, int64_t now_ns) {
  if (bytes.empty()) return;  // a line that comes in pieces stays one
  Close(line == &sent_line_ ? &received_line_ : &sent_line_);
  SetPrefix(who, now_ns);
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const bool whole = newline != std::string_view::npos;
    std::string_view piece = bytes.substr(0, newline);
    bytes.remove_prefix(whole ? newline + 1 : bytes.size());
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    if (who == 'C') {
      piece = WithoutSecret(piece);
    } else if (!line->open && !piece.empty() && piece[0] != '3') {
      authenticating_ = false;
    }
    PutLine(piece.substr(0, core::kTalkLineBytes - line->octets), whole, line);
  }
}

// A line, or the next piece of one.
void Talk::PutLine(std::string_view text, bool whole, Line* line) {
  if (!HasRing()) return;
  const size_t at = written_ % core::kTalkBytes;
  if (!line->open) line_start_ = written_;
  if (core::kTalkBytes - at < kPrefixBytes + core::kTalkLineBytes + 1) {  // the ring's end is near
    if (!line->open) Put({prefix_.data(), prefix_.size()});
    Put(text);
    if (whole) Put("\n");
  } else {
    char* const begin = ring_->bytes.data() + at;
    char* to = begin;
    if (!line->open) {
      std::memcpy(to, prefix_.data(), kPrefixBytes);
      to += kPrefixBytes;
    }
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to += text.size();
    if (whole) *to++ = '\n';
    written_ += static_cast<size_t>(to - begin);
  }
  line->open = !whole;
  line->octets = whole ? 0 : line->octets + text.size();
}

void Talk::Note(std::string_view text, int64_t now_ns) {
  Close(&received_line_);
  Close(&sent_line_);
  SetPrefix('C', now_ns);
  PutLine(text.substr(0, core::kTalkLineBytes), true, &sent_line_);
}

void Talk::SentMessage(uint64_t bytes, int64_t now_ns) {
  char text[48] = "(a message of ";
  char* const number = text + std::strlen(text);
  char* end = std::to_chars(number, text + sizeof text, bytes).ptr;
  constexpr std::string_view kUnit = " bytes)";
  end = std::copy(kUnit.begin(), kUnit.end(), end);
  Note({text, static_cast<size_t>(end - text)}, now_ns);
}

void Talk::BeginTransaction(size_t slot) {
  const bool open = sent_line_.open || received_line_.open;
  const uint64_t here = open ? line_start_ : written_;
  begun_at_[slot] = begun_ == 0 ? std::min(here, since_) : here;
  ++begun_;
}

void Talk::Told() {
  if (begun_ > 0) --begun_;
  since_ = received_line_.open ? line_start_ : written_;
}

// --- Reading -------------------------------------------------------------------------------------

Dialogue Talk::From(uint64_t position) const {
  Dialogue dialogue;
  dialogue.started_ns = started_ns_;
  if (ring_ == nullptr) return dialogue;
  const char* const ring = ring_->bytes.data();
  const uint64_t oldest = written_ > core::kTalkBytes ? written_ - core::kTalkBytes : 0;
  position = std::max(position, oldest);
  const size_t size = static_cast<size_t>(written_ - position);
  const size_t at = position % core::kTalkBytes;
  const size_t first = std::min(size, core::kTalkBytes - at);
  dialogue.first = {ring + at, first};
  dialogue.second = {ring, size - first};
  return dialogue;
}

Dialogue Talk::Since() const { return From(since_); }

bool DialogueReader::Next(Line* line) {
  while (!rest_.empty()) {
    const size_t newline = rest_.find('\n');
    std::string_view whole = rest_.substr(0, newline);
    rest_.remove_prefix(newline == std::string_view::npos ? rest_.size() : newline + 1);
    if (whole.size() < Talk::kPrefixBytes || (whole[0] != 'C' && whole[0] != 'S')) continue;
    uint32_t ms = 0;
    bool good = true;
    for (size_t i = 1; i <= kTimeDigits; ++i) {
      const int digit = whole[i] - kDigitZero;
      good = good && digit >= 0 && digit < 64;
      ms = ms << 6 | static_cast<uint32_t>(digit & 63);
    }
    if (!good) continue;
    *line = {whole[0], ms, whole.substr(Talk::kPrefixBytes)};
    return true;
  }
  return false;
}

std::string Talk::Text() const {
  const Dialogue all = From(0);
  std::string bytes(all.first);
  bytes.append(all.second);
  if (written_ > core::kTalkBytes) bytes.erase(0, std::min(bytes.find('\n'), bytes.size() - 1) + 1);
  std::string text;
  DialogueReader reader(bytes);
  for (DialogueReader::Line line; reader.Next(&line);) {
    if (!text.empty()) text += '\n';
    text += line.who;
    text += ": ";
    text += line.text;
  }
  // Of a session that has served others before: the transaction in hand and the one before it,
  // which with PIPELINING may be the one that it is about.
  static constexpr std::string_view kMail = "\nC: MAIL FROM:";
  const size_t last = text.rfind(kMail);
  const size_t before = last == std::string::npos || last == 0 ? last : text.rfind(kMail, last - 1);
  if (last != before && before != std::string::npos && before > 0 &&
      text.rfind(kMail, before - 1) != std::string::npos) {
    text.erase(0, before + 1);
  }
  return text;
}

}  // namespace outbox::smtp
