#include "tools/log_reader.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/time.h"
#include "tools/log_fact.h"

extern char** environ;

namespace outbox::tools {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;
// A longer line is none of ours.
constexpr size_t kLineBytes = size_t{1} << 20;
// Shards write independently, so lines are in the order of time but for this.
constexpr int64_t kOrderSlackNs = 10 * core::kNsPerSecond;
// Files below this are not searched for the place to begin at.
constexpr off_t kSearchedBytes = off_t{1} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

int64_t ModifiedNs(const std::string& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return -1;
  return found.st_mtim.tv_sec * core::kNsPerSecond + found.st_mtim.tv_nsec;
}

// The time of the first whole line behind `offset`; -1: there is none.
int64_t TimeBehind(int fd, off_t offset) {
  std::string piece(size_t{64} << 10, '\0');
  const ssize_t size = ::pread(fd, piece.data(), piece.size(), offset);
  if (size <= 0) return -1;
  piece.resize(static_cast<size_t>(size));
  LogFact fact;
  for (size_t at = piece.find('\n'); at != std::string::npos; at = piece.find('\n', at + 1)) {
    const size_t end = piece.find('\n', at + 1);
    if (end == std::string::npos) break;
    if (ParseLogFact(std::string_view(piece).substr(at + 1, end - at - 1), &fact)) {
      return fact.time_ns;
    }
  }
  return -1;
}

// Where to begin so that nothing from `since_ns` on is missed; at a line's beginning or in front of
// one that does not matter.
off_t PlaceOf(int fd, int64_t since_ns) {
  struct stat found = {};
  if (::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) || found.st_size < kSearchedBytes) {
    return 0;
  }
  off_t low = 0;  // is before
  off_t high = found.st_size;
  while (high - low > kSearchedBytes / 4) {
    const off_t middle = low + (high - low) / 2;
    const int64_t time_ns = TimeBehind(fd, middle);
    if (time_ns >= 0 && time_ns < since_ns - kOrderSlackNs) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

core::Status ReadLines(int fd, const std::string& path,
                       const std::function<void(std::string_view)>& take) {
  std::string rest;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return core::Status::FromErrno(errno, "cannot read " + path);
    if (size == 0) break;
    rest.append(piece.data(), static_cast<size_t>(size));
    size_t at = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', at)) {
      take(std::string_view(rest).substr(at, end - at));
      at = end + 1;
    }
    rest.erase(0, at);
    if (rest.size() > kLineBytes) rest.clear();
  }
  return core::OkStatus();
}

core::Status ReadCompressed(const std::string& path,
                            const std::function<void(std::string_view)>& take) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return core::Status::FromErrno(errno, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string program = "gzip";
  std::string option = "-dc";
  std::string file = path;
  char* const arguments[] = {program.data(), option.data(), file.data(), nullptr};
  pid_t process = -1;
  const int error =
      ::posix_spawnp(&process, "gzip", &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  const Descriptor from(ends[0]);
  if (error != 0) return core::Status::FromErrno(error, "cannot run gzip for " + path);
  const core::Status read = ReadLines(from.get(), path, take);
  int status = 0;
  ::waitpid(process, &status, 0);
  if (!read.ok() || status == 0) return read;
  return core::Status(core::StatusCode::kIoError, "gzip cannot read " + path);
}

}  // namespace

std::vector<std::string> LogFilesOf(const std::string& path, int64_t since_ns) {
  const std::filesystem::path file(path);
  const std::string base = file.filename().string();
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  const std::filesystem::path directory = file.parent_path().empty() ? "." : file.parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(base)) continue;
    const bool is_older =
        name.size() > base.size() && (name[base.size()] == '.' || name[base.size()] == '-');
    if (!is_older && name != base) continue;
    const int64_t modified_ns = ModifiedNs(entry.path().string());
    if (name.ends_with(".xz") || name.ends_with(".zst") || name.ends_with(".bz2")) {
      std::fprintf(stderr, "outbox: %s is left out; unpack it for --log\n",
                   entry.path().c_str());
      continue;
    }
    // The last line may be a moment older than the file's time, never younger.
    if (modified_ns < 0 || modified_ns < since_ns) continue;
    // The file that is written to now is the newest, whatever the clock says.
    found.emplace_back(is_older ? modified_ns : INT64_MAX, entry.path().string());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> paths;
  for (auto& one : found) paths.push_back(std::move(one.second));
  return paths;
}

core::Status ReadLog(const std::string& path, int64_t since_ns,
                     const std::function<void(std::string_view)>& take) {
  if (path == "-") return ReadLines(STDIN_FILENO, "standard input", take);
  if (path.ends_with(".gz")) return ReadCompressed(path, take);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return core::Status::FromErrno(errno, "cannot open " + path);
  if (since_ns > 0) ::lseek(file.get(), PlaceOf(file.get(), since_ns), SEEK_SET);
  return ReadLines(file.get(), path, take);
}

}  // namespace outbox::tools
