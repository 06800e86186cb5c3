#include "tools/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace outbox::tools {
namespace {

// Of a pipe: so much can be written without waiting when poll(2) says that something can.
constexpr size_t kReaderPieceBytes = 4096;

bool IsFile(int fd) {
  struct stat found = {};
  return ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

// A power failure may have left a line without its end: the next one is not to be part of it.
void EndTornLine(int fd, const std::string& path) {
  struct stat found = {};
  if (::fstat(fd, &found) != 0 || found.st_size == 0) return;
  const int reader = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (reader < 0) return;
  char last = '\n';
  if (::pread(reader, &last, 1, found.st_size - 1) == 1 && last != '\n') {
    [[maybe_unused]] const ssize_t written = ::write(fd, "\n", 1);
  }
  ::close(reader);
}

}  // namespace

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
  const std::lock_guard<std::mutex> lock(mutex_);  // nobody is in the middle of a line
  is_file_ = IsFile(fd);
  hangs_ = torn_ = false;
  if (is_file_ && !path.empty()) EndTornLine(fd, path);
  if (fd_ >= 0 && fd_ != STDERR_FILENO) ::close(fd_);
  fd_ = fd;
  path_ = path;
  return core::OkStatus();
}

void LogFile::SetForm(std::shared_ptr<const ClassicLog> form) {
  const std::lock_guard<std::mutex> lock(mutex_);
  form_ = std::move(form);
}

bool LogFile::Write(std::string_view lines) {
  if (tee_) tee_(lines);
  std::unique_lock<std::mutex> lock(mutex_);
  if (form_ == nullptr) return WriteAll(lines);
  const std::shared_ptr<const ClassicLog> form = form_;
  lock.unlock();  // other shards write meanwhile
  std::string text;
  text.reserve(2 * lines.size());
  form->Translate(lines, &text);
  lock.lock();
  return WriteAll(text);
}

bool LogFile::WriteAll(std::string_view bytes) {
  return is_file_ ? WriteFile(bytes) : WriteToReader(bytes);
}

bool LogFile::WriteToReader(std::string_view bytes) {
  std::string whole;
  if (torn_) {
    whole.append("\n").append(bytes);
    bytes = whole;
  }
  while (!bytes.empty()) {
    pollfd ready = {fd_, POLLOUT, 0};
    const int polled = ::poll(&ready, 1, hangs_ ? 0 : patience_ms_);
    if (polled < 0 && errno == EINTR) continue;
    hangs_ = polled <= 0;
    const ssize_t written =
        hangs_ ? -1 : ::write(fd_, bytes.data(), std::min(bytes.size(), kReaderPieceBytes));
    if (!hangs_ && written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    torn_ = bytes[static_cast<size_t>(written) - 1] != '\n';
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// One file, or what follows it after a rotation, has all of them.
bool LogFile::WriteFile(std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  if (done == bytes.size()) return true;
  // A line without its end would spoil the next one as well.
  struct stat found = {};
  if (done > 0 && ::fstat(fd_, &found) == 0) {
    [[maybe_unused]] const int cut = ::ftruncate(fd_, found.st_size - static_cast<off_t>(done));
  }
  return false;
}

}  // namespace outbox::tools
