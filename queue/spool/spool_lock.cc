#include "queue/spool/spool_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace outbox::queue {

SpoolLock::~SpoolLock() {
  if (fd_ >= 0) close(fd_);
}

core::Status SpoolLock::Take(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return core::Status::FromErrno(errno, "open " + path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(fd);
    if (error == EWOULDBLOCK) {
      return core::Status(core::StatusCode::kUnavailable,
                          "the spool " + directory + " is in use by another program");
    }
    return core::Status::FromErrno(error, "lock " + path);
  }
  fd_ = fd;
  return core::Status();
}

}  // namespace outbox::queue
