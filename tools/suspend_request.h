// SuspendRequest: what `suspend` and `resume` are about, checked and typed; and how what is
// suspended looks in an answer. See docs/control-protocol.md.
#ifndef OUTBOX_TOOLS_SUSPEND_REQUEST_H_
#define OUTBOX_TOOLS_SUSPEND_REQUEST_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/status.h"
#include "queue/suspension_list.h"

namespace outbox::tools {

struct SuspendRequest {
  std::string name;     // of a site, or a pattern of domains in lower case; empty with `all`
  bool site = false;
  bool all = false;     // resume alone
  int64_t for_ns = 0;   // suspend alone; 0: until it is resumed
  std::string reason;   // suspend alone
};

core::Status ReadSuspendMember(const std::string& member, const nlohmann::json& value,
                               SuspendRequest* request);
// One of what can be suspended; `resume` may mean all, and has no reason or time.
core::Status CheckSuspendRequest(const SuspendRequest& request, bool resume);

nlohmann::json SuspensionJson(const queue::Suspension& suspension);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SUSPEND_REQUEST_H_
