#include "queue/site_state.h"

#include <cstdio>

#include "core/time.h"

namespace outbox::queue {

SiteState StateOf(const Site& site, int64_t now_ns, int64_t wall_ns) {
  const auto wall = [=](int64_t steady_ns) {
    return steady_ns > now_ns ? wall_ns + (steady_ns - now_ns) : int64_t{0};
  };
  const SiteHealth health = site.slots.health();
  SiteState state;
  state.connections = site.slots.in_use();
  state.limit = site.slots.limit();
  state.window = health.window;
  state.failures = health.failures;
  state.blocked_until_wall_ns = wall(site.slots.BlockedUntil(now_ns));
  state.suspended_until_wall_ns = wall(site.slots.SuspendedUntil(now_ns));
  state.narrow_until_wall_ns = wall(site.slots.NarrowUntil(now_ns));
  state.slow_until_wall_ns = wall(site.rate.SlowUntil(now_ns));
  state.interval_ns = site.rate.Interval(now_ns);
  state.slowed = site.rate.slowed() && state.interval_ns > site.rate.configured_ns();
  return state;
}

std::string FormatInterval(int64_t interval_ns) {
  if (interval_ns == 0) return "none";
  static constexpr struct {
    int64_t ns;
    const char* name;
  } kUnits[] = {{core::kNsPerSecond, "s"},
                {core::kNsPerMinute, "min"},
                {core::kNsPerHour, "h"},
                {core::kNsPerDay, "d"}};
  const auto* unit = kUnits;
  // A pace in one word is rounded up by some millionths.
  while (unit != kUnits + 3 && unit->ns + unit->ns / 1000 < interval_ns) ++unit;
  const double events = static_cast<double>(unit->ns) / static_cast<double>(interval_ns);
  char text[32];
  std::snprintf(text, sizeof text, events < 1000 ? "%.3g/%s" : "%.0f/%s", events, unit->name);
  return text;
}

}  // namespace outbox::queue
