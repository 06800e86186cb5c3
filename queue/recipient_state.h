// RecipientState: the states that a queued recipient can be in, and how one follows another.
//
// One table says it all: the word that every surface shows (`outbox queue`, `outbox why`, the
// control protocol, filters), a sentence that explains it, and the states that may come next. A
// recipient that is final (delivered, bounced, expired, removed) has no state any more: it has left
// the queue.
//
// The rules behind the table: mail is sent only when it was ready before, so that nothing goes out
// past a limit; what waits after a failure becomes ready again first; a sender who was told of a
// delay is not forgotten again, so `delayed` never becomes `deferred`.
#ifndef OUTBOX_QUEUE_RECIPIENT_STATE_H_
#define OUTBOX_QUEUE_RECIPIENT_STATE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace outbox::queue {

enum class RecipientState : uint8_t {
  kUnrouted,   // no route
  kResolving,  // route chosen, hosts not known yet
  kReady,      // host known, waiting for a delivery to start
  kSending,
  kDeferred,  // failed, waiting for the retry
  kDelayed,   // failed so far, the sender has been told, waiting
  kHeld,
  kPurged,  // an operator has taken it out; it can still be taken back
};

inline constexpr int kRecipientStates = 8;

using StateBits = uint16_t;

constexpr StateBits StateBit(RecipientState state) {
  return static_cast<StateBits>(1u << static_cast<uint8_t>(state));
}

inline constexpr StateBits kAllStates = (1u << kRecipientStates) - 1;
// What is meant by "everything": what is purged is hidden from who does not ask for it.
inline constexpr StateBits kUsualStates = kAllStates & ~StateBit(RecipientState::kPurged);

struct RecipientStateInfo {
  RecipientState state;
  const char* name;     // the word for it
  const char* meaning;  // a sentence without its full stop
  StateBits next;       // of the states that may follow, besides being final
};

// All states, in the order of the enum.
std::span<const RecipientStateInfo> RecipientStateTable();

const char* RecipientStateName(RecipientState state);
// The state with this name, or nothing.
std::optional<RecipientState> ParseRecipientState(std::string_view name);

// Whether `to` may follow `from`. A state may always follow itself.
bool MayFollow(RecipientState from, RecipientState to);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_RECIPIENT_STATE_H_
