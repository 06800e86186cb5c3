#include "tools/moment.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "core/duration.h"
#include "core/time.h"

namespace outbox::tools {
namespace {

// Takes a number of exactly `digits` digits off the front of `text`.
bool Take(std::string_view* text, size_t digits, int* number) {
  if (text->size() < digits) return false;
  *number = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = (*text)[i];
    if (c < '0' || c > '9') return false;
    *number = *number * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return true;
}

bool TakeChar(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

struct Parts {
  std::tm tm = {};
  int64_t fraction_ns = 0;
};

bool TakeDate(std::string_view* text, Parts* parts) {
  int year = 0, month = 0, day = 0;
  if (!Take(text, 4, &year) || !TakeChar(text, "-") || !Take(text, 2, &month) ||
      !TakeChar(text, "-") || !Take(text, 2, &day)) {
    return false;
  }
  parts->tm.tm_year = year - 1900;
  parts->tm.tm_mon = month - 1;
  parts->tm.tm_mday = day;
  return year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool TakeClock(std::string_view* text, Parts* parts) {
  std::tm* const tm = &parts->tm;
  if (!Take(text, 2, &tm->tm_hour) || !TakeChar(text, ":") || !Take(text, 2, &tm->tm_min)) {
    return false;
  }
  if (TakeChar(text, ":") && !Take(text, 2, &tm->tm_sec)) return false;
  if (TakeChar(text, ".")) {
    int64_t unit = core::kNsPerSecond / 10;
    int digit = 0;
    while (Take(text, 1, &digit)) {
      parts->fraction_ns += digit * unit;
      unit /= 10;
    }
  }
  return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

}  // namespace

core::Result<int64_t> ParseMoment(std::string_view text, int64_t now_ns) {
  if (const core::Result<int64_t> ago = core::ParseDuration(text); ago.ok()) {
    return std::max<int64_t>(0, now_ns - *ago);
  }
  std::string_view rest = text;
  Parts parts;
  bool good = TakeDate(&rest, &parts);
  if (good && !rest.empty()) good = TakeChar(&rest, "T ") && TakeClock(&rest, &parts);
  const bool utc = TakeChar(&rest, "Z");
  if (!good || !rest.empty()) {
    return core::Status(core::StatusCode::kInvalidArgument,
                        "\"" + std::string(text) +
                            "\" is no time; expected a duration (so long ago) such as \"2h\", or "
                            "\"2026-11-22 20:15\"");
  }
  parts.tm.tm_isdst = -1;
  const std::time_t seconds = utc ? ::timegm(&parts.tm) : std::mktime(&parts.tm);
  return static_cast<int64_t>(seconds) * core::kNsPerSecond + parts.fraction_ns;
}

int64_t ParseLogTime(std::string_view text) {
  Parts parts;
  if (!TakeDate(&text, &parts) || !TakeChar(&text, "T") || !TakeClock(&text, &parts)) return 0;
  if (text != "Z" && text != "+00:00") return 0;
  return static_cast<int64_t>(::timegm(&parts.tm)) * core::kNsPerSecond + parts.fraction_ns;
}

std::string FormatMoment(int64_t wall_ns, bool ms) {
  const std::time_t seconds = wall_ns / core::kNsPerSecond;
  std::tm local = {};
  ::localtime_r(&seconds, &local);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  if (ms) {
    std::snprintf(text + size, sizeof text - size, ".%03d",
                  static_cast<int>(wall_ns % core::kNsPerSecond / core::kNsPerMs));
  }
  return text;
}

std::string MomentText(int64_t seconds) {
  return FormatMoment(seconds * core::kNsPerSecond, /*ms=*/false);
}

}  // namespace outbox::tools
