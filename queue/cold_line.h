// ColdLine: the destinations of a shard that would open a connection for mail which must be fetched
// from disk.
//
// Home lends so many buffers for fetched mail, and a connection that waits for one does nothing but
// grow old. When thousands of destinations come back at once, each would have such a connection,
// and hardly a message over it. So while more fetches are outstanding than are useful, destinations
// wait here, first come first served, and a few are busy. Whoever has mail that is still in memory
// does not stand in line; and some go on now and then whatever is under way, so that no large
// backlog keeps everybody else waiting.
//
// One per shard, the owner's.
#ifndef OUTBOX_QUEUE_COLD_LINE_H_
#define OUTBOX_QUEUE_COLD_LINE_H_

#include <cstdint>

#include "core/intrusive_list.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "queue/shard_mail.h"

namespace outbox::queue {

// A destination.
class ColdMail {
 public:
  virtual ~ColdMail() = default;
  // It may ask for a connection now, out of line.
  virtual void OnTurn() = 0;

  core::ListLink cold_link;  // the line's
};

class ColdLine {
 public:
  ColdLine(io::Io* io, core::TimerWheel* wheel, const PostOffice* post)
      : io_(io), wheel_(wheel), post_(post) {
    timer_.Bind<&ColdLine::OnTimer>(this);
  }
  ColdLine(const ColdLine&) = delete;
  ColdLine& operator=(const ColdLine&) = delete;
  // REQUIRES: nobody is in line.
  ~ColdLine() { timer_.Cancel(); }

  // True: `who` is in line now, and OnTurn follows.
  bool MustWait(ColdMail* who) {
    if (!crowded()) return false;
    if (!who->cold_link.linked()) line_.PushBack(who);
    if (!timer_.set()) timer_.Set(wheel_, io_->now_ns() + kLookNs);
    return true;
  }
  void Leave(ColdMail* who) {
    if (who->cold_link.linked()) line_.Remove(who);
  }
  // A fetch has been answered.
  void OnFetched() {
    if (!crowded()) Call(1);
  }

 private:
  // As many as a home has buffers for (StoreOptions::fetch_buffers).
  static constexpr uint32_t kFetchesMax = 64;
  static constexpr int64_t kLookNs = 100 * core::kNsPerMs;
  // That go on at each look, when there is room and when there is none: forty a second do.
  static constexpr uint32_t kCalledAtOnce = 64;
  static constexpr uint32_t kCalledAnyway = 4;

  bool crowded() const { return post_->fetches() >= kFetchesMax; }

  void Call(uint32_t count) {
    for (; count > 0; --count) {
      ColdMail* next = line_.PopFront();
      if (next == nullptr) return;
      next->OnTurn();
    }
  }

  void OnTimer() {
    Call(crowded() ? kCalledAnyway : kCalledAtOnce);
    if (!line_.empty() && !timer_.set()) timer_.Set(wheel_, io_->now_ns() + kLookNs);
  }

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  const PostOffice* const post_;
  core::IntrusiveList<ColdMail, &ColdMail::cold_link> line_;
  core::Timer timer_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_COLD_LINE_H_
