// ControlRequest: a request of the control protocol (docs/control-protocol.md), checked and typed.
//
// Strict: a member that the command does not know is an error, since a misspelt filter must not
// mean "everything". The errors are sentences for the operator.
#ifndef OUTBOX_TOOLS_CONTROL_REQUEST_H_
#define OUTBOX_TOOLS_CONTROL_REQUEST_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/status.h"
#include "queue/queue_filter.h"
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
  kRoute,
  kReload,
  kLog,
  kTalk,
  kReport,
  kStop,
};

struct ControlRequest {
  ControlCommand command = ControlCommand::kStats;
  queue::QueueFilter filter;  // queue, retry, remove, hold, release; why: its id
  std::string domain;         // why, log; lower case
  TalkFilter talk;            // talk
  RouteQuestion route;        // route
};

// `request` is an object with a string "command" (the server has seen to that).
core::Result<ControlRequest> ParseControlRequest(const nlohmann::json& request);

// Whether the command may be given at the read-only stats socket.
bool IsForStatsSocket(ControlCommand command);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONTROL_REQUEST_H_
