// SpoolLock: one program at a time has a spool. outboxd holds it while it runs, spoolcat while it
// reads.
//
// An flock on `spool/lock`; the kernel gives it back when the process ends, however it ends.
// Start-up only: it calls the system directly.
#ifndef OUTBOX_QUEUE_SPOOL_SPOOL_LOCK_H_
#define OUTBOX_QUEUE_SPOOL_SPOOL_LOCK_H_

#include <string>

#include "core/status.h"

namespace outbox::queue {

class SpoolLock {
 public:
  SpoolLock() = default;
  SpoolLock(const SpoolLock&) = delete;
  SpoolLock& operator=(const SpoolLock&) = delete;
  // Gives the lock back.
  ~SpoolLock();

  // Takes the lock of the spool in `directory`, which exists. kUnavailable: another program has it.
  core::Status Take(const std::string& directory);
  bool held() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_SPOOL_LOCK_H_
