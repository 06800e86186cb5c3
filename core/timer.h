// Timer: one timer of one owner, on the shard's wheel; and how a wheel's expiries find their
// owners.
//
// A shard has one TimerWheel. Everybody who waits sets timers on it, and the shard hands each
// expiry to its owner by the kind given to TimerWheel::Add: sessions, destinations and other single
// objects embed a Timer (kind kObject); tickets, of which there are millions, keep the bare handle
// and are told apart by kind.
#ifndef OUTBOX_CORE_TIMER_H_
#define OUTBOX_CORE_TIMER_H_

#include <cstdint>

#include "core/check.h"
#include "core/timer_wheel.h"

namespace outbox::core {

enum class TimerKind : uint8_t {
  kObject = 0,         // cookie: a Timer
  kTicketAtOwner = 1,  // cookie: a Ticket that waits at its destination's owner
  kTicketAtHome = 2,   // cookie: a Ticket that waits at home
};

// Embedded in its owner; not set when constructed; must not be set when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { CHECK(!set()); }

  // Binds the expiry to a member function: timer.Bind<&Session::OnTimeout>(this). Before the first
  // Set.
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    fire_ = [](void* target) { (static_cast<Owner*>(target)->*Method)(); };
  }

  bool set() const { return handle_ != TimerWheel::kNone; }
  // Sets it, or gives it another deadline. False when the wheel is full (limits.h).
  bool Set(TimerWheel* wheel, int64_t deadline_ns) {
    if (set()) {
      wheel_->Move(handle_, deadline_ns);
      return true;
    }
    wheel_ = wheel;
    handle_ = wheel->Add(deadline_ns, static_cast<uint8_t>(TimerKind::kObject), this);
    return set();
  }
  // No effect when it is not set.
  void Cancel() {
    if (!set()) return;
    wheel_->Cancel(handle_);
    handle_ = TimerWheel::kNone;
  }

  // What the shard does with an expiry of kind kObject. The owner may set the timer again in it, or
  // destroy it.
  static void Fire(uint64_t cookie) {
    Timer* timer = reinterpret_cast<Timer*>(static_cast<uintptr_t>(cookie));
    timer->handle_ = TimerWheel::kNone;
    timer->fire_(timer->owner_);
  }

 private:
  void* owner_ = nullptr;
  void (*fire_)(void*) = nullptr;
  TimerWheel* wheel_ = nullptr;
  uint32_t handle_ = TimerWheel::kNone;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_TIMER_H_
