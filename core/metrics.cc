#include "core/metrics.h"

namespace outbox::core {

std::span<const MetricInfo> MetricTable() {
  static constexpr MetricInfo kTable[] = {
#define OUTBOX_METRIC_ROW(kind, name, help) {#name, help, MetricKind::kind, &ShardMetrics::name},
      OUTBOX_METRICS(OUTBOX_METRIC_ROW)
#undef OUTBOX_METRIC_ROW
  };
  return kTable;
}

int64_t SumMetric(const MetricInfo& metric, std::span<const ShardMetrics* const> shards) {
  int64_t sum = 0;
  for (const ShardMetrics* shard : shards) sum += (shard->*metric.cell).value();
  return sum;
}

}  // namespace outbox::core
