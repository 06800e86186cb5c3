#include "tools/descriptor_plan.h"

#include <algorithm>
#include <string>

#include "core/limits.h"

namespace outbox::tools {
namespace {

// The clients of both control sockets, the log, the lock, what the libraries keep open.
constexpr uint64_t kProcessFiles = 96;
// A shard's ring and its wake-up, the first segments of its log, directories that it looks into.
constexpr uint64_t kShardFiles = 12;
// Of the limit, for segments that the spool will add; and for each shard's questions to the DNS,
// which have many sockets for a moment. When these are gone a write or a question waits.
constexpr uint64_t kSpoolShare = 16;
constexpr uint64_t kDnsShare = 16;
// Fewer connections than these a shard, in and out together, are not worth a start.
constexpr uint64_t kConnectionsMin = 8;

}  // namespace

core::Result<DescriptorPlan> PlanDescriptors(const DescriptorNeeds& needs) {
  const uint64_t dns =
      std::min<uint64_t>(core::kDnsQuestionsInFlight, needs.limit / kDnsShare / needs.shards + 1);
  const uint64_t shard = kShardFiles + needs.listeners + dns;
  const uint64_t taken =
      kProcessFiles + needs.spool_files + needs.limit / kSpoolShare + needs.shards * shard;
  const uint64_t least = needs.shards * kConnectionsMin;
  if (needs.limit < taken + least) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        "open files: the hard limit is " + std::to_string(needs.limit) + ", and " +
                            std::to_string(taken + least) +
                            " are needed at the least; raise it (ulimit -n, or LimitNOFILE= of "
                            "the service)");
  }
  const uint64_t rest = needs.limit - taken;
  DescriptorPlan plan;
  plan.connections_in = static_cast<uint32_t>(std::min<uint64_t>(needs.connections_in, rest / 2));
  const uint64_t wanted =
      needs.connections_out > 0 ? needs.connections_out : core::kDefaultConnectionsOut;
  plan.connections_out = static_cast<uint32_t>(
      std::max<uint64_t>(needs.shards, std::min(wanted, rest - plan.connections_in)));
  return plan;
}

}  // namespace outbox::tools
