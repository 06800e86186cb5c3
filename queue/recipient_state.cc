// The words for recipient states (queue/ticket.h).
#include "queue/ticket.h"

namespace outbox::queue {

const char* RecipientStateName(RecipientState state) {
  switch (state) {
    case RecipientState::kUnrouted:
      return "unrouted";
    case RecipientState::kResolving:
      return "resolving";
    case RecipientState::kReady:
      return "ready";
    case RecipientState::kSending:
      return "sending";
    case RecipientState::kDeferred:
      return "deferred";
    case RecipientState::kDelayed:
      return "delayed";
    case RecipientState::kHeld:
      return "held";
  }
  return "unknown";
}

}  // namespace outbox::queue
