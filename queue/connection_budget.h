// ConnectionBudget: how many outbound connections a shard may have, and who is next when it may not
// have more.
//
// The bound comes from the descriptors that the process may open (tools/descriptor_plan.h), so that
// listeners, spool and DNS always have theirs. Sites that want a connection at the bound stand in
// line, first come first served; those that have none on this shard go before those that want one
// more. When the machine itself gives us less than the bound (no descriptor, no memory, whoever
// took it) the shard rests for a second, goes on with what it had, and grows from there.
//
// Shard-local; part of the SiteGate, which is the only one to use it.
#ifndef OUTBOX_QUEUE_CONNECTION_BUDGET_H_
#define OUTBOX_QUEUE_CONNECTION_BUDGET_H_

#include <algorithm>
#include <cstdint>

#include "core/intrusive_list.h"

namespace outbox::queue {

// A site's place in the line.
struct BudgetPlace {
  uint32_t slots = 0;   // connections that it has on this shard
  bool called = false;  // one is reserved for it
  core::ListLink line;
};

class ConnectionBudget {
 public:
  explicit ConnectionBudget(uint32_t max) : max_(std::max(max, 1u)), window_(max_) {}
  ConnectionBudget(const ConnectionBudget&) = delete;
  ConnectionBudget& operator=(const ConnectionBudget&) = delete;

  // May the site have one more connection? If not it is in line now, and Next() gives it some time.
  bool Admit(BudgetPlace* place) {
    if (place->line.linked()) return false;
    if (free() > 0) return true;
    (place->slots == 0 ? hungry_ : others_).PushBack(place);
    return false;
  }
  // The site has one more, or one less.
  void Take(BudgetPlace* place) {
    ++used_;
    if (place->slots++ == 0 && place->line.linked()) Requeue(place, &others_);
  }
  void GiveBack(BudgetPlace* place) {
    --used_;
    if (--place->slots == 0 && place->line.linked()) Requeue(place, &hungry_);
  }
  // The first in line, with a connection reserved for it; null: none in line, or none free. To be
  // called until then whenever one may have become free.
  BudgetPlace* Next() {
    if (free() == 0) return nullptr;
    BudgetPlace* place = hungry_.PopFront();
    if (place == nullptr) place = others_.PopFront();
    if (place == nullptr) return nullptr;
    place->called = true;
    ++called_;
    return place;
  }
  // Its turn has come: it may ask Admit first. No effect on one that was not called.
  void Answer(BudgetPlace* place) {
    if (!place->called) return;
    place->called = false;
    --called_;
  }
  void Leave(BudgetPlace* place) {
    if (place->line.linked()) place->line.Unlink();
    Answer(place);
  }
  // Somebody without any connection is in line.
  bool SomebodyHungry() const { return !hungry_.empty(); }
  bool SomebodyWaits() const { return !hungry_.empty() || !others_.empty(); }

  // The machine has refused what the bound allows. Until Recover() there are no more.
  void Shrink() {
    resting_ = true;
    window_ = std::min(window_, std::max(used_, 2u) - 1);
  }
  // A second has passed. True while it is below the bound: to be called again.
  bool Recover() {
    resting_ = false;
    window_ = std::min(max_, window_ + std::max(window_ / 4, 1u));
    return window_ < max_;
  }
  bool resting() const { return resting_; }

  uint32_t max() const { return max_; }
  uint32_t used() const { return used_; }

 private:
  using Line = core::IntrusiveList<BudgetPlace, &BudgetPlace::line>;

  uint32_t free() const {
    const uint32_t taken = used_ + called_;
    return resting_ || taken >= window_ ? 0 : window_ - taken;
  }
  static void Requeue(BudgetPlace* place, Line* line) {
    place->line.Unlink();
    line->PushBack(place);
  }

  const uint32_t max_;
  uint32_t window_;      // of it, what the machine has been seen to give
  uint32_t used_ = 0;    // connections
  uint32_t called_ = 0;  // reserved
  bool resting_ = false;
  Line hungry_;  // without a connection on this shard
  Line others_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CONNECTION_BUDGET_H_
