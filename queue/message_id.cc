#include "queue/message_id.h"

namespace outbox::queue {
namespace {

constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

}  // namespace

std::string_view FormatMessageId(uint64_t id, char* into) {
  for (size_t i = kMessageIdChars; i-- > 0;) {
    into[i] = kDigits[id & 31];
    id >>= 5;
  }
  return {into, kMessageIdChars};
}

std::string FormatMessageId(uint64_t id) {
  char text[kMessageIdChars];
  return std::string(FormatMessageId(id, text));
}

std::optional<uint64_t> ParseMessageId(std::string_view text) {
  if (text.size() != kMessageIdChars) return std::nullopt;
  uint64_t id = 0;
  for (const char c : text) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    const size_t digit = std::string_view(kDigits, 32).find(upper);
    if (digit == std::string_view::npos || id > UINT64_MAX >> 5) return std::nullopt;
    id = id << 5 | digit;
  }
  return id;
}

}  // namespace outbox::queue
