#include "io/file_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

namespace outbox::io {
namespace {

constexpr size_t kFillPieceBytes = size_t{1} << 20;
constexpr mode_t kFileMode = 0640;
constexpr mode_t kOwnersFileMode = 0600;
constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kOwnersDirectoryMode = 0700;

// The system's way to report an error, made ours.
int32_t ResultOf(int returned) { return returned < 0 ? -errno : returned; }

int32_t MakeDirectoryOf(const std::string& path, mode_t mode) {
  const int32_t result = ResultOf(mkdir(path.c_str(), mode));
  if (result != -EEXIST) return result;
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return -errno;
  return S_ISDIR(status.st_mode) ? 0 : -EEXIST;
}

}  // namespace

int32_t OpenFileNow(const std::string& path, const OpenOptions& options) {
  int flags = O_CLOEXEC | O_NOCTTY | (options.write ? O_RDWR : O_RDONLY);
  if (options.create) flags |= O_CREAT;
  if (options.create && options.exclusive) flags |= O_EXCL;
  if (options.direct) flags |= O_DIRECT;
  if (options.dsync) flags |= O_DSYNC;
  if (options.append) flags |= O_APPEND;
  return ResultOf(open(path.c_str(), flags, options.owner_only ? kOwnersFileMode : kFileMode));
}

int32_t CloseFileNow(File file) { return ResultOf(close(file)); }

int32_t FillNow(File file, uint64_t bytes, const std::atomic<bool>& stop) {
  if (bytes == 0) return SyncNow(file);
  // Contiguous space, and ENOSPC at once; where the file system cannot, the writes below will do.
  if (fallocate(file, 0, 0, static_cast<off_t>(bytes)) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    return -errno;
  }
  // Memory of its own pages is zero and aligned for O_DIRECT.
  void* zeros = mmap(nullptr, kFillPieceBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (zeros == MAP_FAILED) return -errno;
  int32_t result = 0;
  for (uint64_t offset = 0; offset < bytes && result == 0;) {
    if (stop.load(std::memory_order_relaxed)) {
      result = -ECANCELED;
      break;
    }
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(kFillPieceBytes, bytes - offset));
    const ssize_t written = pwrite(file, zeros, piece, static_cast<off_t>(offset));
    if (written > 0) {
      offset += static_cast<uint64_t>(written);
    } else if (written == 0) {
      result = -EIO;
    } else if (errno != EINTR) {
      result = -errno;
    }
  }
  munmap(zeros, kFillPieceBytes);
  return result == 0 ? SyncNow(file) : result;
}

int32_t SyncNow(File file) { return ResultOf(fdatasync(file)); }

int32_t SyncDirectoryNow(const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -errno;
  const int32_t result = ResultOf(fsync(directory));
  close(directory);
  return result;
}

int32_t MakeDirectoryNow(const std::string& path) { return MakeDirectoryOf(path, kDirectoryMode); }

int32_t MakePrivateDirectoryNow(const std::string& path) {
  return MakeDirectoryOf(path, kOwnersDirectoryMode);
}

int32_t RenameNow(const std::string& from, const std::string& to) {
  return ResultOf(rename(from.c_str(), to.c_str()));
}

int32_t UnlinkNow(const std::string& path) { return ResultOf(unlink(path.c_str())); }

int32_t ListDirectoryNow(const std::string& path, std::vector<FileInfo>* out) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return -errno;
  std::vector<FileInfo> found;
  int32_t result = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) {
      result = -errno;
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed in the meantime
      result = -errno;
      break;
    }
    FileInfo info;
    info.name = entry->d_name;
    info.size = static_cast<uint64_t>(status.st_size);
    info.is_directory = S_ISDIR(status.st_mode);
    found.push_back(std::move(info));
  }
  closedir(directory);
  if (result < 0) return result;
  std::sort(found.begin(), found.end(),
            [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
  out->insert(out->end(), std::make_move_iterator(found.begin()),
              std::make_move_iterator(found.end()));
  return static_cast<int32_t>(found.size());
}

int32_t FindInDirectoryNow(const std::string& path, const std::string& prefix) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return -errno;
  int32_t result = 0;
  while (result == 0) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) {
      result = -errno;
      break;
    }
    if (strncmp(entry->d_name, prefix.c_str(), prefix.size()) == 0) result = 1;
  }
  closedir(directory);
  return result;
}

int32_t SpaceNow(const std::string& path, SpaceInfo* out) {
  struct statvfs status;
  if (statvfs(path.c_str(), &status) != 0) return -errno;
  out->total_bytes = uint64_t{status.f_blocks} * status.f_frsize;
  out->free_bytes = uint64_t{status.f_bavail} * status.f_frsize;
  return 0;
}

}  // namespace outbox::io
