// What the load tools measure and how they write it down: latency, CPU, JSON files.
#ifndef OUTBOX_TOOLS_LOAD_REPORT_H_
#define OUTBOX_TOOLS_LOAD_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "core/duration_histogram.h"
#include "core/status.h"

namespace outbox::tools {

// {"p50_ms":..,"p90_ms":..,"p99_ms":..,"max_ms":..}; the lower bound of the bucket, which is 3 %
// wide; zeros if empty.
nlohmann::json LatencyJson(const core::DurationCounts& latency);

// CPU of this process so far: {"user_seconds":..,"system_seconds":..,"cpu_seconds":..}.
nlohmann::json CpuJson();

// Writes `document` to a temporary file beside `path` and renames it there, so that a reader never
// sees half a file.
core::Status WriteJsonFile(const std::string& path, const nlohmann::json& document);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_REPORT_H_
