// ControlRequest: a request of the control protocol (docs/control-protocol.md), checked and typed.
//
// Strict: a member that the command does not know is an error, since a misspelt filter must not
// mean "everything". The errors are sentences for the operator.
#ifndef OUTBOX_TOOLS_CONTROL_REQUEST_H_
#define OUTBOX_TOOLS_CONTROL_REQUEST_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/status.h"
#include "queue/queue_column.h"
#include "queue/queue_filter.h"
#include "queue/route_order.h"
#include "tools/suspend_request.h"
#include "tools/talk_record.h"
#include "tools/route_question.h"

namespace outbox::tools {

enum class ControlCommand : uint8_t {
  kStats,
  kQueue,
  kWhy,
  kRetry,
  kRemove,
  kHold,
  kRelease,
  kClear,
  kReroute,
  kPurge,
  kUndo,
  kBounce,
  kRoute,
  kReload,
  kLog,
  kTalk,
  kReport,
  kSuspend,
  kResume,
  kSuspended,
  kSites,
  kStop,
};

struct ControlRequest {
  ControlCommand command = ControlCommand::kStats;
  queue::QueueFilter filter;  // of mail, for a listing or an act; why: its id, or a recipient
  std::string domain;         // why, log; lower case
  TalkFilter talk;            // talk
  RouteQuestion route;        // route
  queue::RouteOrder order;    // clear, reroute
  SuspendRequest suspend;     // suspend, resume
  // remove, purge, undo, bounce
  std::string reason;
  bool now = false;      // purge: without a time for undo
  bool dry_run = false;  // purge: only how much that would be
  // queue alone. What is shown of each recipient, in which order, and how much:
  queue::QueueColumns columns = queue::kAllQueueColumns;
  std::optional<queue::QueueColumn> sort;
  bool descending = false;
  uint32_t limit = 0;  // 0: all; sites: as many as usual
  // Or how many there are, in all or by a column.
  bool count = false;
  std::optional<queue::QueueColumn> by;
};

// `request` is an object with a string "command" (the server has seen to that).
core::Result<ControlRequest> ParseControlRequest(const nlohmann::json& request);

// Whether the command may be given at the read-only stats socket.
bool IsForStatsSocket(ControlCommand command);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONTROL_REQUEST_H_
