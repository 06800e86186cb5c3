#include "core/rate.h"

#include <charconv>

#include "core/time.h"

namespace outbox::core {
namespace {

struct RateUnit {
  std::string_view name;
  int64_t ns;
};

constexpr RateUnit kRateUnits[] = {
    {"s", kNsPerSecond}, {"min", kNsPerMinute}, {"h", kNsPerHour}, {"d", kNsPerDay}};
constexpr uint32_t kEventsMax = 1'000'000;

}  // namespace

Result<Rate> ParseRate(std::string_view text) {
  Rate rate;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, rate.events);
  if (error == std::errc() && rate.events >= 1 && rate.events <= kEventsMax && after != end &&
      *after == '/') {
    const std::string_view unit(after + 1, static_cast<size_t>(end - after - 1));
    for (const RateUnit& known : kRateUnits) {
      if (unit != known.name) continue;
      rate.per_ns = known.ns;
      return rate;
    }
  }
  return Status(StatusCode::kInvalidArgument,
                "\"" + std::string(text) +
                    "\" is not a rate; expected 1 to 1000000 in a time, for example \"5/s\", "
                    "\"100/min\", \"2000/h\" or \"50000/d\"");
}

std::string FormatRate(const Rate& rate) {
  if (!rate.limited()) return "none";
  std::string text = std::to_string(rate.events) + "/";
  for (const RateUnit& unit : kRateUnits) {
    if (unit.ns == rate.per_ns) return text.append(unit.name);
  }
  return text + std::to_string(rate.per_ns) + "ns";
}

}  // namespace outbox::core
