#include "tools/load_report.h"

#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>

namespace outbox::tools {
namespace {

constexpr uint64_t kFine = 16;  // buckets a power of two

size_t BucketOf(uint64_t us) {
  if (us < kFine) return us;
  const auto exponent = static_cast<uint64_t>(std::bit_width(us) - 1);
  return (exponent - 3) * kFine + ((us >> (exponent - 4)) & (kFine - 1));
}

double LowerBoundUs(size_t bucket) {
  if (bucket < kFine) return static_cast<double>(bucket);
  const int exponent = static_cast<int>(bucket / kFine) + 3;
  return std::ldexp(static_cast<double>(kFine + bucket % kFine), exponent - 4);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Three digits behind the point: enough for milliseconds, and readable.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

void LatencyHistogram::Add(int64_t ns) {
  ns = std::max<int64_t>(ns, 0);
  const size_t bucket = BucketOf(static_cast<uint64_t>(ns) / 1000);
  ++buckets_[std::min(bucket, buckets_.size() - 1)];
  ++count_;
  max_ns_ = std::max(max_ns_, ns);
}

double LatencyHistogram::PercentileMs(double fraction) const {
  const double wanted = fraction * static_cast<double>(count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > 0 && static_cast<double>(seen) >= wanted) return LowerBoundUs(i) / 1000;
  }
  return 0;
}

nlohmann::json LatencyHistogram::ToJson() const {
  return {{"p50_ms", Rounded(PercentileMs(0.50))},
          {"p90_ms", Rounded(PercentileMs(0.90))},
          {"p99_ms", Rounded(PercentileMs(0.99))},
          {"max_ms", Rounded(static_cast<double>(max_ns_) / 1e6)}};
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
