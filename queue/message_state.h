// MessageState: what has become of a message's recipients so far, in its encoded form.
//
// A state entry is a snapshot: the whole present state, so that only the newest one of a message
// counts. It lists *parts*, each of which is what a ticket is when it is at rest (queue/ticket.h):
// recipients first + bit of mask of one group, their attempts, when to try next and what the last
// attempt said. A recipient that is in no part is final. A message without any state entry is
// untouched: all its recipients are pending, with no attempts.
//
// StateBuilder writes, StateView reads in place; Parse checks every bound (the bytes may come from
// a damaged disk). docs/spool-format.md has the layout.
#ifndef OUTBOX_QUEUE_MESSAGE_STATE_H_
#define OUTBOX_QUEUE_MESSAGE_STATE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "queue/message_meta.h"

namespace outbox::queue {

inline constexpr uint8_t kPartNotified = 1;  // the sender has had the delay notice
inline constexpr uint8_t kPartHeld = 2;      // held by an operator
inline constexpr uint8_t kPartReleased = 4;  // by an operator, at released_wall_ns
// By an operator: StatePart::routing counts, not the meta.
inline constexpr uint8_t kPartRouted = 8;
inline constexpr uint8_t kPartPinned = 16;  // to hosts of the operator's, whatever the routes say
inline constexpr uint8_t kPartPurged = 32;  // by an operator, at purged_wall_ns
inline constexpr uint8_t kPartPaused = 64;  // was purged before, for paused_ns
// All of it is delivered, as the last reply says, and final when its sender has been told.
inline constexpr uint8_t kPartDelivered = 128;

// What stands in a group of the meta, for recipients that were routed again.
struct PartRouting {
  std::string_view destination;  // key
  std::string_view route;        // name
  Periods periods;
  std::string_view retry;  // the schedule: seconds, 4 bytes each, at least one

  uint32_t retry_count() const { return static_cast<uint32_t>(retry.size() / 4); }
  uint32_t retry_s(uint32_t i) const;  // REQUIRES: i < retry_count()
};

struct StatePart {
  uint64_t mask = 0;  // bit i: recipient first + i is pending in this part
  int64_t next_attempt_wall_ns = 0;
  int64_t released_wall_ns = 0;  // with kPartReleased
  int64_t purged_wall_ns = 0;    // with kPartPurged, and
  int64_t final_wall_ns = 0;     // when it is final
  int64_t paused_ns = 0;         // with kPartPaused; its periods do not count that time
  uint16_t first = 0;  // index of recipient in the message
  uint16_t group = 0;
  uint16_t attempts = 0;
  uint16_t code = 0;  // last reply's code; 0: no reply
  uint8_t flags = 0;
  std::string_view enhanced;  // last reply, RFC 3463
  std::string_view text;      // last reply as the peer gave it, or our sentence
  std::string_view mailhost;  // who said so
  PartRouting routing;        // with kPartRouted
};

class StateView {
 public:
  // "No state entry": untouched().
  StateView() = default;
  // Nothing if the bytes are damaged.
  static std::optional<StateView> Parse(std::span<const char> bytes);

  bool untouched() const { return bytes_.empty(); }
  uint32_t part_count() const { return part_count_; }
  //   StatePart part; for (uint32_t at = 0; state.Next(&at, &part);) ...
  // `at` starts as 0 and is the view's own notion of place.
  bool Next(uint32_t* at, StatePart* part) const;
  std::span<const char> bytes() const { return bytes_; }

 private:
  std::span<const char> bytes_;
  uint32_t part_count_ = 0;
};

// Reusable; no allocation after warm-up. The strings of a part are cut to 65,535 bytes each.
class StateBuilder {
 public:
  void Start();
  void Add(const StatePart& part);
  // Valid until the next Start.
  std::span<const char> Finish();

 private:
  std::string out_;
  uint32_t part_count_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MESSAGE_STATE_H_
