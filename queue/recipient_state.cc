#include "queue/recipient_state.h"

namespace outbox::queue {
namespace {

using enum RecipientState;

template <typename... States>
constexpr StateBits Bits(States... states) {
  return static_cast<StateBits>((StateBit(states) | ...));
}

constexpr RecipientStateInfo kTable[kRecipientStates] = {
    {kUnrouted, "unrouted", "no host is known to send it to",
     Bits(kResolving, kReady, kDeferred, kDelayed, kHeld, kPurged)},
    {kResolving, "resolving", "the route is chosen, its hosts are being looked up",
     Bits(kUnrouted, kReady, kDeferred, kDelayed, kHeld, kPurged)},
    {kReady, "ready", "the hosts are known; it waits for a delivery to start",
     Bits(kUnrouted, kResolving, kSending, kDeferred, kDelayed, kHeld, kPurged)},
    {kSending, "sending", "it is being delivered at this moment",
     Bits(kUnrouted, kReady, kDeferred, kDelayed)},
    {kDeferred, "deferred", "the last attempt failed; it waits for the next one",
     Bits(kUnrouted, kResolving, kReady, kDelayed, kHeld, kPurged)},
    {kDelayed, "delayed", "all attempts failed so far and the sender was told; it waits",
     Bits(kResolving, kReady, kHeld, kPurged)},
    {kHeld, "held", "an operator holds it",
     Bits(kUnrouted, kResolving, kReady, kDeferred, kDelayed, kPurged)},
    {kPurged, "purged", "an operator has purged it; it is removed unless that is undone in time",
     Bits(kUnrouted, kReady, kDeferred, kDelayed, kHeld)},
};

const RecipientStateInfo& Info(RecipientState state) { return kTable[static_cast<size_t>(state)]; }

}  // namespace

std::span<const RecipientStateInfo> RecipientStateTable() { return kTable; }

const char* RecipientStateName(RecipientState state) { return Info(state).name; }

std::optional<RecipientState> ParseRecipientState(std::string_view name) {
  for (const RecipientStateInfo& info : kTable) {
    if (name == info.name) return info.state;
  }
  return std::nullopt;
}

bool MayFollow(RecipientState from, RecipientState to) {
  return from == to || (Info(from).next & StateBit(to)) != 0;
}

}  // namespace outbox::queue
