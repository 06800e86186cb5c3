#include "tools/outbox_text.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace outbox::tools {

std::string FormatDuration(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(seconds, 0.0));
  if (whole < 60) return std::to_string(whole) + "s";
  const auto two = [](int64_t large, char name, int64_t small, char small_name) {
    std::string text = std::to_string(large);
    text.push_back(name);
    text.push_back(static_cast<char>('0' + small / 10));
    text.push_back(static_cast<char>('0' + small % 10));
    text.push_back(small_name);
    return text;
  };
  if (whole < 3600) return two(whole / 60, 'm', whole % 60, 's');
  if (whole < 86400) return two(whole / 3600, 'h', whole / 60 % 60, 'm');
  return two(whole / 86400, 'd', whole / 3600 % 24, 'h');
}

std::string FormatBytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string FormatCount(int64_t number) {
  std::string digits = std::to_string(std::llabs(number));
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  if (number < 0) digits.insert(0, 1, '-');
  return digits;
}

std::string Counted(int64_t count, const char* one, const char* many) {
  return FormatCount(count) + " " + (count == 1 ? one : many);
}

std::string TextOf(const nlohmann::json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t NumberOf(const nlohmann::json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number() ? found->get<int64_t>() : 0;
}

void MakeHarmless(std::string* text, size_t from) {
  for (size_t at = from; at < text->size(); ++at) {
    char& c = (*text)[at];
    if ((c >= 0 && c < ' ') || c == 0x7f) c = ' ';
  }
  // U+0080 to U+009F, which some terminals obey, too.
  for (size_t at = from; (at = text->find('\xc2', at)) != std::string::npos; ++at) {
    if (at + 1 == text->size() || static_cast<uint8_t>((*text)[at + 1]) >= 0xa0) continue;
    (*text)[at] = (*text)[at + 1] = ' ';
  }
}

std::string Harmless(std::string text) {
  MakeHarmless(&text, 0);
  return text;
}

bool UseColours() {
  const char* const no = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  if (no != nullptr && *no != '\0') return false;
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string(terminal) != "dumb";
}

const char* ColourOfState(const std::string& state) {
  if (state == "sending" || state == "ready") return "\x1b[32m";
  if (state == "deferred" || state == "resolving") return "\x1b[33m";
  if (state == "delayed" || state == "unrouted") return "\x1b[31m";
  if (state == "purged") return "\x1b[2m";
  return state == "held" ? "\x1b[36m" : "";
}

}  // namespace outbox::tools
