#include "tools/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace outbox::tools {

LogFile::~LogFile() {
  if (fd_ >= 0 && fd_ != STDERR_FILENO) ::close(fd_);
}

core::Status LogFile::Open() { return Switch(path_); }

core::Status LogFile::Switch(const std::string& path) {
  int fd = STDERR_FILENO;
  if (!path.empty()) {
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return core::Status::FromErrno(errno, "cannot open the log file " + path);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (fd_ >= 0 && fd_ != STDERR_FILENO) ::close(fd_);
  fd_ = fd;
  path_ = path;
  return core::OkStatus();
}

bool LogFile::Write(std::string_view lines) {
  if (tee_) tee_(lines);
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!lines.empty()) {
    const ssize_t written = ::write(fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    lines.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace outbox::tools
