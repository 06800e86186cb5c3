// What the load tools measure and how they write it down: latency, CPU, JSON files.
#ifndef OUTBOX_TOOLS_LOAD_REPORT_H_
#define OUTBOX_TOOLS_LOAD_REPORT_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/status.h"

namespace outbox::tools {

// Counts of durations in buckets that grow with the value: 16 a power of two, about 6 % wide.
class LatencyHistogram {
 public:
  // Negative durations count as zero.
  void Add(int64_t ns);
  uint64_t count() const { return count_; }
  // {"p50_ms":..,"p90_ms":..,"p99_ms":..,"max_ms":..}; the lower bound of the bucket; zeros if
  // empty.
  nlohmann::json ToJson() const;

 private:
  double PercentileMs(double fraction) const;

  std::array<uint64_t, 1024> buckets_ = {};
  uint64_t count_ = 0;
  int64_t max_ns_ = 0;
};

// CPU of this process so far: {"user_seconds":..,"system_seconds":..,"cpu_seconds":..}.
nlohmann::json CpuJson();

// Writes `document` to a temporary file beside `path` and renames it there, so that a reader never
// sees half a file.
core::Status WriteJsonFile(const std::string& path, const nlohmann::json& document);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_REPORT_H_
