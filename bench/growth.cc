// Runs the growth benchmarks (growth.h) and fails when an item costs more among more of them.
//
//     growth_bench                                        all sizes: half a minute, some GiB
//     growth_bench '--benchmark_filter=/(1000|100000)/'   those that the tests take
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "bench/growth.h"

namespace outbox::bench {
namespace {

// What more items may cost more.
constexpr double kGrowthMax = 1.25;
// Figures below this are rounded up to it: an instruction more is no growth.
constexpr double kNoise = 8;

class GrowthReporter : public benchmark::ConsoleReporter {
 public:
  GrowthReporter() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      failed_ = failed_ || run.error_occurred;
      for (const char* const counter : {kInstructions, kOperations, kBytes}) {
        const auto found = run.counters.find(counter);
        if (found == run.counters.end()) continue;
        const int64_t size = std::strtoll(run.run_name.args.c_str(), nullptr, 10);
        figures_[run.run_name.function_name + ": " + counter][size] = found->second.value;
      }
    }
  }

  // Prints what has grown. False: something has, or nothing could be compared.
  bool Judge() const {
    size_t compared = 0;
    bool good = !failed_;
    for (const auto& [name, by_size] : figures_) {
      if (by_size.size() < 2) continue;
      ++compared;
      int64_t few = by_size.begin()->first;
      double least = by_size.begin()->second;
      for (const auto& [size, figure] : by_size) {
        if (figure < least) {
          few = size;
          least = figure;
        }
        if (figure <= std::max(least, kNoise) * kGrowthMax) continue;
        std::printf("%s an item: %.1f with %lld, %.1f with %lld\n", name.c_str(), least,
                    static_cast<long long>(few), figure, static_cast<long long>(size));
        good = false;
      }
    }
    std::printf("%zu figures compared over sizes: %s\n", compared,
                good && compared > 0 ? "none grows" : "FAILED");
    return good && compared > 0;
  }

 private:
  std::map<std::string, std::map<int64_t, double>> figures_;  // by benchmark and counter, by size
  bool failed_ = false;
};

}  // namespace
}  // namespace outbox::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  outbox::bench::GrowthReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return reporter.Judge() ? 0 : 1;
}
