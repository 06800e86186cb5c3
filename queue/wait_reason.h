// WaitReason: everything that can hold mail back, with the sentences that tell an operator so.
//
// One table says it all: the word of the protocol, what holds the mail, and what lifts that.
// Whoever adds a way to hold mail adds a row; tests/home/wait_reason_test.cc goes through them.
// `outbox why` prints the sentences as they are here, with the numbers of the case behind them.
#ifndef OUTBOX_QUEUE_WAIT_REASON_H_
#define OUTBOX_QUEUE_WAIT_REASON_H_

#include <cstdint>
#include <span>

namespace outbox::queue {

enum class WaitReason : uint8_t {
  // Of mail that is ready at its destination.
  kNone,         // nothing waits, or it is about to go
  kBackoff,      // its site is left alone after failures
  kUser,         // its hosts do not let us in as the user of its route
  kCanary,       // one message goes first, to see whether the site is well again
  kSlowStart,    // it was not well: the connections grow one by one
  kConnections,  // all connections that the site may have are in use
  kOutbound,     // all connections that this shard may have in all are in use
  kShortage,     // the machine has no descriptor, memory or port for us; tried again in a second
  kPace,         // its connections are at work on what came before
  kRate,         // its site takes no more messages for now
  kResolving,    // its hosts are being looked up
  kUnresolved,   // they cannot be found out for now
  kUnrouted,     // its key names no place to go to
  kSource,       // what it is to be sent from is not there, or reaches no host
  kSuspended,    // an operator has suspended it
  kPaused,       // a reply of its site's hosts has
  kSlowed,       // such a reply has lowered the rate, or the connections, of its site
  // Of one recipient.
  kRetry,           // the last attempt failed: it waits for the next one
  kReply,           // it is being sent
  kNotice,          // the notice to its sender is on its way to the disk
  kReroute,         // an operator has routed it again, with others of its message
  kHeldByRoute,     // its route holds it until it is released
  kHeldByOperator,  // `outbox hold`
  kPurged,          // `outbox purge`
};
inline constexpr int kWaitReasons = 24;

struct WaitReasonInfo {
  WaitReason reason;
  const char* name;   // the word for it
  const char* what;   // holds it: a sentence without its full stop
  const char* lifts;  // what brings it further, likewise
};

// All reasons, in the order of the enum.
std::span<const WaitReasonInfo> WaitReasonTable();
const WaitReasonInfo& InfoOf(WaitReason reason);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_WAIT_REASON_H_
