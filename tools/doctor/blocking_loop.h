// BlockingLoop: an io_uring of one's own, waited for: for a command that does one thing at a time.
//
// What does not end in its time is cancelled. An operation that does not even end then (a file on a
// dead network disk) keeps the ring: Abandon() must follow instead of the destructor.
#ifndef OUTBOX_TOOLS_DOCTOR_BLOCKING_LOOP_H_
#define OUTBOX_TOOLS_DOCTOR_BLOCKING_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "io/uring_io.h"

namespace outbox::tools {

class BlockingLoop {
 public:
  // `disable`: features not to use (the configuration's io.disable).
  static core::Result<std::unique_ptr<BlockingLoop>> Create(
      const std::vector<std::string>& disable);

  io::UringIo* io() { return io_.get(); }
  core::TimerWheel* wheel() { return &wheel_; }
  int64_t now_ns() const { return io_->now_ns(); }

  // Turns until `done()`, at most `limit_ns`; whether it is.
  bool RunUntil(const std::function<bool()>& done, int64_t limit_ns);
  // Starts one operation and waits for its result, the first one of an Accept. -ETIMEDOUT: it did
  // not come in `limit_ns`. Received bytes are in `data`, unless that is null.
  int32_t Run(const std::function<void(io::Op*)>& start, int64_t limit_ns,
              std::string* data = nullptr);
  // True when an operation has not ended although it was cancelled.
  bool stuck() const { return stuck_; }
  // Leaves ring and thread to the end of the process.
  void Abandon() { static_cast<void>(io_.release()); }

 private:
  explicit BlockingLoop(std::unique_ptr<io::UringIo> io);

  std::unique_ptr<io::UringIo> io_;
  core::TimerWheel wheel_;
  bool stuck_ = false;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_BLOCKING_LOOP_H_
