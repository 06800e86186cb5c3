#include "tools/talk_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace outbox::tools {
namespace {

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

TalkFile::TalkFile(std::string directory, uint64_t bytes_max)
    : directory_(std::move(directory)),
      path_(directory_ + "/failed.jsonl"),
      half_bytes_(bytes_max / 2) {}

TalkFile::~TalkFile() { Close(); }

void TalkFile::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool TalkFile::Open() {
  if (fd_ >= 0) return true;
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  struct stat found = {};
  if (fd_ < 0 || ::fstat(fd_, &found) != 0) {
    Close();
    return false;
  }
  size_ = static_cast<uint64_t>(found.st_size);
  // A power failure may have left a line without its end.
  char last = '\n';
  if (size_ > 0 && ::pread(fd_, &last, 1, found.st_size - 1) == 1 && last != '\n') {
    if (WriteAll(fd_, "\n")) ++size_;
  }
  return true;
}

bool TalkFile::Write(std::string_view lines) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!Open()) return false;
  if (size_ > 0 && size_ + lines.size() > half_bytes_) {
    Close();
    if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0 || !Open()) return false;
  }
  if (WriteAll(fd_, lines)) {
    size_ += lines.size();
    return true;
  }
  // Nothing of what was lost stays behind, or the next line would begin in the middle of one.
  if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) Close();
  return false;
}

}  // namespace outbox::tools
