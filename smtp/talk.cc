#include "smtp/talk.h"

#include <algorithm>
#include <cstring>

namespace outbox::smtp {

static_assert(core::kTalkLineBytes <= core::kTalkBytes);

void Talk::Forget() {
  if (ring_ != nullptr) rings_->Give(ring_);
  ring_ = nullptr;
  written_ = 0;
  sent_line_ = received_line_ = Line();
}

void Talk::Put(std::string_view bytes) {
  if (ring_ == nullptr && (ring_ = rings_->Take()) == nullptr) return;
  char* const ring = ring_->bytes.data();
  const size_t at = written_ % core::kTalkBytes;
  const size_t size = std::min(bytes.size(), core::kTalkBytes - at);
  std::memcpy(ring + at, bytes.data(), size);
  // No piece is longer than the ring: the rest is at its beginning.
  if (size < bytes.size()) std::memcpy(ring, bytes.data() + size, bytes.size() - size);
  written_ += bytes.size();
}

void Talk::Close(Line* line) {
  if (line->open) Put("\n");
  *line = Line();
}

void Talk::Add(std::string_view prefix, std::string_view bytes, Line* line) {
  if (bytes.empty()) return;  // a line that comes in pieces stays one
  Close(line == &sent_line_ ? &received_line_ : &sent_line_);
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    std::string_view piece = bytes.substr(0, newline);
    bytes.remove_prefix(newline == std::string_view::npos ? bytes.size() : newline + 1);
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    if (!line->open) Put(prefix);
    line->open = true;
    const std::string_view kept = piece.substr(0, core::kTalkLineBytes - line->octets);
    Put(kept);
    line->octets = static_cast<uint16_t>(line->octets + kept.size());
    if (newline != std::string_view::npos) Close(line);
  }
}

void Talk::SentMessage(uint64_t bytes) {
  Close(&received_line_);
  Close(&sent_line_);
  Put("C: (a message of ");
  Put(std::to_string(bytes));
  Put(" bytes)\n");
}

std::string Talk::Text() const {
  std::string text;
  if (ring_ == nullptr) return text;
  const auto& ring = ring_->bytes;
  if (written_ <= ring.size()) {
    text.assign(ring.data(), static_cast<size_t>(written_));
  } else {
    const size_t at = written_ % ring.size();
    text.assign(ring.data() + at, ring.size() - at);
    text.append(ring.data(), at);
    text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  }
  while (text.ends_with('\n')) text.pop_back();
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
