#include "queue/spool_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "core/check.h"

namespace outbox::queue {

SpoolLock::~SpoolLock() {
  if (fd_ >= 0) ::close(fd_);
}

core::Status SpoolLock::Acquire(const std::string& spool) {
  CHECK(fd_ < 0);
  const std::string path = spool + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return core::Status::FromErrno(errno, "cannot open " + path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) {
      return core::Status(core::StatusCode::kUnavailable,
                          "the spool " + spool + " is in use by another process (outboxd or spoolcat)");
    }
    return core::Status::FromErrno(error, "cannot lock " + path);
  }
  fd_ = fd;
  return core::OkStatus();
}

}  // namespace outbox::queue
