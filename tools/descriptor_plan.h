// DescriptorPlan: what the file descriptors that the process may open are for.
//
// Everything that Outbox has open is a descriptor: the spool's segments, the connections in and
// out, the questions to the DNS, the clients of the control socket. When they run out, accepts and
// connects fail in turn and the spool cannot grow. So the limit is divided at the start, and each
// part gets a bound of its own. Pure.
#ifndef OUTBOX_TOOLS_DESCRIPTOR_PLAN_H_
#define OUTBOX_TOOLS_DESCRIPTOR_PLAN_H_

#include <cstdint>

#include "core/status.h"

namespace outbox::tools {

struct DescriptorNeeds {
  uint64_t limit = 0;  // RLIMIT_NOFILE
  uint32_t shards = 1;
  uint32_t listeners = 1;
  uint64_t spool_files = 0;      // segments that are there
  uint32_t connections_in = 0;   // as configured
  uint32_t connections_out = 0;  // as configured; 0: as many as there is room for
};

struct DescriptorPlan {
  uint32_t connections_in = 0;   // in all, at most what was configured
  uint32_t connections_out = 0;  // in all, at least one a shard
};

// kResourceExhausted with a sentence for the operator when the limit is too low to work with.
core::Result<DescriptorPlan> PlanDescriptors(const DescriptorNeeds& needs);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DESCRIPTOR_PLAN_H_
