#include "core/duration.h"

#include <charconv>

#include "core/check.h"
#include "core/time.h"

namespace outbox::core {
namespace {

struct DurationUnit {
  std::string_view name;
  int64_t ns;
};

// From the largest to the smallest.
constexpr DurationUnit kDurationUnits[] = {
    {"d", kNsPerDay}, {"h", kNsPerHour}, {"m", kNsPerMinute}, {"s", kNsPerSecond}, {"ms", kNsPerMs},
};
constexpr int64_t kMaxNs = 10 * 365 * kNsPerDay;

Status Malformed(std::string_view text, std::string_view why) {
  std::string message = "\"";
  message.append(text).append("\" is not a duration").append(why);
  message.append("; expected for example \"500ms\", \"90s\", \"15m\", \"1h30m\" or \"5d\"");
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

}  // namespace

Result<int64_t> ParseDuration(std::string_view text) {
  int64_t total = 0;
  size_t first_allowed = 0;
  std::string_view rest = text;
  if (rest.empty()) return Malformed(text, "");
  while (!rest.empty()) {
    int64_t number = 0;
    const char* end = rest.data() + rest.size();
    const auto [after, error] = std::from_chars(rest.data(), end, number);
    if (error == std::errc::result_out_of_range) return Malformed(text, " of at most 10 years");
    if (error != std::errc() || rest[0] == '-') return Malformed(text, "");
    rest.remove_prefix(static_cast<size_t>(after - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    if (letters == 0) return Malformed(text, " with a unit");
    size_t unit = first_allowed;
    while (unit < std::size(kDurationUnits) && kDurationUnits[unit].name != rest.substr(0, letters))
      ++unit;
    if (unit == std::size(kDurationUnits)) return Malformed(text, "");
    if (number > kMaxNs / kDurationUnits[unit].ns) return Malformed(text, " of at most 10 years");
    total += number * kDurationUnits[unit].ns;
    if (total > kMaxNs) return Malformed(text, " of at most 10 years");
    first_allowed = unit + 1;
    rest.remove_prefix(letters);
  }
  return total;
}

std::string FormatDuration(int64_t ns) {
  CHECK(ns >= 0);
  if (ns == kNever) return "never";
  std::string text;
  for (const DurationUnit& unit : kDurationUnits) {
    const int64_t number = ns / unit.ns;
    ns %= unit.ns;
    if (number > 0) text.append(std::to_string(number)).append(unit.name);
  }
  return text.empty() ? "0s" : text;
}

}  // namespace outbox::core
