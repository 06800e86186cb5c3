#include "core/reply_pattern.h"

#include "core/domain_name.h"

namespace outbox::core {

// The parts between the stars, one behind the other: each as early as it can be.
bool IsInReply(std::string_view pattern, std::string_view line) {
  size_t at = 0;
  for (;;) {
    const size_t star = pattern.find('*');
    const std::string_view part = pattern.substr(0, star);
    const size_t found = line.find(part, at);
    if (found == std::string_view::npos) return false;
    if (star == std::string_view::npos) return true;
    at = found + part.size();
    pattern.remove_prefix(star + 1);
  }
}

std::string ReplyLine(unsigned code, std::string_view enhanced, std::string_view text) {
  std::string line = std::to_string(code);
  if (!enhanced.empty()) line.append(" ").append(enhanced);
  if (!text.empty()) line.append(" ").append(text);
  return ToLower(line);
}

}  // namespace outbox::core
