// AttemptTrail: the failed attempts that a shard remembers, for `outbox why`.
//
// A ring in memory of the newest core::kAttemptTrail facts, fed as they are decided
// (queue/attempt_log.h) by the shard that owns the destination. What is older, or from before the
// start, is in the event log only. Shard-local; costs nothing while mail is delivered.
#ifndef OUTBOX_QUEUE_ATTEMPT_TRAIL_H_
#define OUTBOX_QUEUE_ATTEMPT_TRAIL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::queue {

struct AttemptFact {
  int64_t wall_ns = 0;
  uint64_t message_id = 0;
  std::string destination;  // key
  std::string recipient;    // empty: the host would not talk at all
  std::string mailhost;
  std::string reply;  // "451 4.7.1 greylisted", or our sentence
  bool final = false;
};

class AttemptTrail {
 public:
  AttemptTrail() = default;
  AttemptTrail(const AttemptTrail&) = delete;
  AttemptTrail& operator=(const AttemptTrail&) = delete;

  // The oldest fact gives way.
  void Add(AttemptFact fact);
  // The newest ones about the message, core::kAttemptTrailShown at most, the oldest first.
  std::vector<AttemptFact> OfMessage(uint64_t id) const;
  // Likewise about a destination, or a recipient of the domain.
  std::vector<AttemptFact> OfDomain(std::string_view domain, std::string_view destination) const;
  // Facts that were forgotten.
  uint64_t forgotten() const { return added_ - facts_.size(); }

 private:
  template <typename Meant>
  std::vector<AttemptFact> Newest(Meant meant) const;

  std::vector<AttemptFact> facts_;  // a ring once it is full
  uint64_t added_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ATTEMPT_TRAIL_H_
