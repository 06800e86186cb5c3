// The table of metrics: what scripts rely on is there, names are unique, shards add up.
#include "core/metrics.h"

#include <gtest/gtest.h>

#include <map>

namespace outbox::core {
namespace {

TEST(Metrics, HasWhatScriptsRelyOn) {
  std::map<std::string_view, MetricKind> kinds;
  for (const MetricInfo& metric : MetricTable()) {
    EXPECT_TRUE(kinds.emplace(metric.name, metric.kind).second) << metric.name << " stands twice";
    EXPECT_FALSE(metric.help.empty()) << metric.name;
    const bool total = metric.name.ends_with("_total");
    EXPECT_EQ(total, metric.kind == MetricKind::kCounter) << metric.name;
  }
  for (const char* name :
       {"queued", "sending", "accepted_total", "generated_total", "delivered_total",
        "deferred_total", "bounced_total", "expired_total", "discarded_total", "removed_total",
        "connections_in", "connections_out", "memory_bytes", "spool_bytes"}) {
    EXPECT_TRUE(kinds.contains(name)) << name;
  }
}

TEST(Metrics, SumsOverShards) {
  ShardMetrics shards[3];
  shards[0].queued.Add(5);
  shards[1].queued.Subtract(2);
  shards[2].queued.Add();
  shards[2].queued.Set(7);
  const ShardMetrics* all[] = {&shards[0], &shards[1], &shards[2]};
  int64_t sum_of_all = 0;
  for (const MetricInfo& metric : MetricTable()) {
    const int64_t sum = SumMetric(metric, all);
    EXPECT_EQ(sum, metric.name == "queued" ? 10 : 0);
    sum_of_all += sum;
  }
  EXPECT_EQ(sum_of_all, 10);
}

}  // namespace
}  // namespace outbox::core
