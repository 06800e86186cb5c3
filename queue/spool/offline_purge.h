// What a purge makes of one message that lies in a spool: pure, bytes in and bytes out.
#ifndef OUTBOX_QUEUE_SPOOL_OFFLINE_PURGE_H_
#define OUTBOX_QUEUE_SPOOL_OFFLINE_PURGE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "queue/message_meta.h"
#include "queue/message_state.h"

namespace outbox::queue {

struct OfflinePurge {
  uint32_t pending = 0;  // recipients before
  uint32_t purged = 0;   // of them, those that are gone
  // What is left of the message: its new state; empty when nobody is. Only with purged > 0.
  std::span<const char> state;
};

// Takes the pending recipients that `wanted` names out of the message. The new state lies in
// `builder`.
OfflinePurge PurgeRecipients(const MetaView& meta, const StateView& state,
                             const std::function<bool(std::string_view address)>& wanted,
                             StateBuilder* builder);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_OFFLINE_PURGE_H_
