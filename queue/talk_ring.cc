#include "queue/talk_ring.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {
namespace {

// Of a name or a peer's words; a longer one is cut.
constexpr size_t kWordsBytes = 600;

std::string_view Cut(std::string_view words) { return words.substr(0, kWordsBytes); }

}  // namespace

TalkRing::TalkRing(size_t capacity)
    : capacity_(capacity), memory_(std::make_unique_for_overwrite<char[]>(capacity)) {
  CHECK(capacity >= core::kTalkMemoryMin && capacity <= core::kTalkMemoryMax);
  static_assert(core::kTalkMemoryMin > sizeof(Head) + 3 * kWordsBytes + core::kTalkBytes);
}

void TalkRing::Put(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t first = std::min(bytes.size(), capacity_ - write_at_);
  std::memcpy(memory_.get() + write_at_, bytes.data(), first);
  std::memcpy(memory_.get(), bytes.data() + first, bytes.size() - first);
  Advance(bytes.size(), &written_, &write_at_);
}

void TalkRing::Advance(size_t size, uint64_t* position, size_t* at) const {
  *position += size;
  *at += size;
  if (*at >= capacity_) *at -= capacity_;
}

uint32_t TalkRing::SizeAt(size_t at) const {
  uint32_t size;
  if (capacity_ - at >= sizeof size) {
    std::memcpy(&size, memory_.get() + at, sizeof size);
  } else {
    Get(at, &size, sizeof size);
  }
  return size;
}

void TalkRing::Get(uint64_t position, void* into, size_t size) const {
  const size_t at = position % capacity_;
  const size_t first = std::min(size, capacity_ - at);
  std::memcpy(into, memory_.get() + at, first);
  std::memcpy(static_cast<char*>(into) + first, memory_.get(), size - first);
}

void TalkRing::Add(const TalkFacts& facts, const smtp::Dialogue& dialogue) {
  const std::string_view destination = Cut(facts.destination);
  const std::string_view mailhost = Cut(facts.mailhost);
  const std::string_view outcome = Cut(facts.outcome);
  Head head;
  head.session_ms = facts.session_ms;
  head.message_id = facts.message_id;
  head.wall_ns = facts.wall_ns;
  head.lines = static_cast<uint32_t>(dialogue.size());
  head.destination = static_cast<uint16_t>(destination.size());
  head.mailhost = static_cast<uint16_t>(mailhost.size());
  head.outcome = static_cast<uint16_t>(outcome.size());
  head.failed = facts.failed;
  const size_t size =
      sizeof head + destination.size() + mailhost.size() + outcome.size() + dialogue.size();
  CHECK(size <= capacity_);  // kTalkBytes bounds a dialogue
  head.size = static_cast<uint32_t>(size);
  while (written_ - oldest_ + size > capacity_) {
    Advance(SizeAt(oldest_at_), &oldest_, &oldest_at_);
  }
  const std::string_view pieces[] = {{reinterpret_cast<const char*>(&head), sizeof head},
                                     destination,
                                     mailhost,
                                     outcome,
                                     dialogue.first,
                                     dialogue.second};
  for (const std::string_view piece : pieces) Put(piece);
}

std::string TalkRing::Copy(uint64_t* from, size_t max) const {
  const uint64_t begin = std::max(*from, oldest_);
  uint64_t end = begin;
  while (end < written_) {
    const uint32_t size = SizeAt(end % capacity_);
    if (end > begin && end + size - begin > max) break;
    end += size;
  }
  std::string bytes(static_cast<size_t>(end - begin), '\0');
  Get(begin, bytes.data(), bytes.size());
  *from = end;
  return bytes;
}

bool TalkRing::Next(std::string_view* bytes, TalkFacts* facts, std::string_view* lines) {
  Head head;
  if (bytes->size() < sizeof head) return false;
  std::memcpy(static_cast<void*>(&head), bytes->data(), sizeof head);
  CHECK(head.size >= sizeof head && head.size <= bytes->size());
  std::string_view record = bytes->substr(sizeof head, head.size - sizeof head);
  bytes->remove_prefix(head.size);
  const auto take = [&record](size_t size) {
    const std::string_view piece = record.substr(0, size);
    record.remove_prefix(size);
    return piece;
  };
  facts->message_id = head.message_id;
  facts->wall_ns = head.wall_ns;
  facts->session_ms = head.session_ms;
  facts->failed = head.failed;
  facts->destination = take(head.destination);
  facts->mailhost = take(head.mailhost);
  facts->outcome = take(head.outcome);
  *lines = record;
  return true;
}

}  // namespace outbox::queue
