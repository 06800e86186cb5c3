// SpoolLock: one process at a time works on a spool.
//
// An advisory lock (flock) on the file "lock" in the spool's directory. outboxd holds it while it runs,
// spoolcat while it reads; the kernel gives it up when the process ends, however it ends.
#ifndef OUTBOX_QUEUE_SPOOL_LOCK_H_
#define OUTBOX_QUEUE_SPOOL_LOCK_H_

#include <string>

#include "core/status.h"

namespace outbox::queue {

class SpoolLock {
 public:
  SpoolLock() = default;
  SpoolLock(const SpoolLock&) = delete;
  SpoolLock& operator=(const SpoolLock&) = delete;
  ~SpoolLock();

  // Never waits. kUnavailable: another process has it. The directory must be there.
  core::Status Acquire(const std::string& spool);

 private:
  int fd_ = -1;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_LOCK_H_
