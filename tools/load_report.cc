#include "tools/load_report.h"

#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <cstdio>

namespace outbox::tools {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Three digits behind the point: enough for milliseconds, and readable.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

nlohmann::json LatencyJson(const core::DurationCounts& latency) {
  const auto percentile = [&latency](double fraction) {
    return Rounded(static_cast<double>(latency.PercentileUs(fraction)) / 1e3);
  };
  return {{"p50_ms", percentile(0.50)},
          {"p90_ms", percentile(0.90)},
          {"p99_ms", percentile(0.99)},
          {"max_ms", Rounded(static_cast<double>(latency.max_ns()) / 1e6)}};
}

nlohmann::json CpuJson() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const double user = Seconds(usage.ru_utime);
  const double system = Seconds(usage.ru_stime);
  return {{"user_seconds", Rounded(user)},
          {"system_seconds", Rounded(system)},
          {"cpu_seconds", Rounded(user + system)}};
}

core::Status WriteJsonFile(const std::string& path, const nlohmann::json& document) {
  const std::string temporary = path + ".new";
  FILE* file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) return core::Status::FromErrno(errno, temporary);
  const std::string text = document.dump(1) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return core::Status::FromErrno(EIO, temporary);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return core::Status::FromErrno(errno, path);
  }
  return core::OkStatus();
}

}  // namespace outbox::tools
