#include "queue/attempt_trail.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "queue/queue_filter.h"

namespace outbox::queue {

void AttemptTrail::Add(AttemptFact fact) {
  if (facts_.size() < core::kAttemptTrail) {
    facts_.push_back(std::move(fact));
  } else {
    facts_[added_ % core::kAttemptTrail] = std::move(fact);
  }
  ++added_;
}

template <typename Meant>
std::vector<AttemptFact> AttemptTrail::Newest(Meant meant) const {
  std::vector<AttemptFact> newest;
  for (size_t back = 1; back <= facts_.size() && newest.size() < core::kAttemptTrailShown; ++back) {
    const AttemptFact& fact = facts_[(added_ - back) % core::kAttemptTrail];
    if (meant(fact)) newest.push_back(fact);
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

std::vector<AttemptFact> AttemptTrail::OfMessage(uint64_t id) const {
  return Newest([id](const AttemptFact& fact) { return fact.message_id == id; });
}

std::vector<AttemptFact> AttemptTrail::OfDomain(std::string_view domain,
                                                std::string_view destination) const {
  return Newest([&](const AttemptFact& fact) {
    return fact.destination == destination || MatchesPattern(domain, DomainOf(fact.recipient));
  });
}

}  // namespace outbox::queue
