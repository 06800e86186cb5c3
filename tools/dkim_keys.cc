#include "tools/dkim_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "core/limits.h"

namespace outbox::tools {
namespace {

using KeyPtr = std::shared_ptr<const dkim::SignerKey>;

constexpr size_t kTxtStringBytes = 255;  // RFC 1035 3.3

// The text of a key file, which is overwritten when it is left.
struct KeyText {
  KeyText() : bytes(core::kDkimKeyFileBytes + 1, '\0') {}
  KeyText(const KeyText&) = delete;
  KeyText& operator=(const KeyText&) = delete;
  ~KeyText() { explicit_bzero(bytes.data(), bytes.size()); }

  std::string bytes;
};

struct KeyFile {
  explicit KeyFile(int opened) : fd(opened) {}
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  ~KeyFile() {
    if (fd >= 0) close(fd);
  }
  const int fd;
};

core::Status WhyNot(const std::string& why) {
  return core::Status(core::StatusCode::kInvalidArgument, why);
}

core::Status CannotRead() {
  return WhyNot(std::string("cannot be read: ") + std::strerror(errno) +
                "; expected a file that outboxd's user may read");
}

core::Result<KeyPtr> ReadKey(const std::string& path) {
  const KeyFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (file.fd < 0 || fstat(file.fd, &status) != 0) return CannotRead();
  if (!S_ISREG(status.st_mode)) {
    return WhyNot("is no file; expected one that holds the key");
  }
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return WhyNot("is open to everybody on this machine; expected mode 0600 or 0640");
  }
  KeyText text;
  size_t size = 0;
  while (size < text.bytes.size()) {
    const ssize_t got = read(file.fd, text.bytes.data() + size, text.bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotRead();
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > core::kDkimKeyFileBytes) {
    return WhyNot("is longer than any key; expected at most " +
                  std::to_string(core::kDkimKeyFileBytes) + " bytes");
  }
  return dkim::SignerKey::FromPem(std::string_view(text.bytes).substr(0, size));
}

// errno of what failed, 0 if nothing did.
int WriteKey(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

int SyncDirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  const KeyFile directory(
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.fd >= 0 && fsync(directory.fd) == 0 ? 0 : errno;
}

}  // namespace

void LoadDkimKeys(const std::string& file, core::Config* config, std::vector<std::string>* errors) {
  std::map<std::string, core::Result<KeyPtr>> read;
  for (core::DkimConfig& dkim : config->dkim) {
    auto found = read.find(dkim.key_file);
    if (found == read.end()) found = read.emplace(dkim.key_file, ReadKey(dkim.key_file)).first;
    const core::Result<KeyPtr>& key = found->second;
    if (key.ok()) {
      dkim.key = *key;
      continue;
    }
    errors->push_back(file + ":" + std::to_string(dkim.line) + ":" + std::to_string(dkim.column) +
                      ": the key file \"" + dkim.key_file + "\" " + key.status().message());
  }
}

core::Result<KeyPtr> MakeDkimKey(dkim::KeyType type, uint32_t bits, const std::string& path) {
  const KeyFile file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                          S_IRUSR | S_IWUSR));
  if (file.fd < 0) {
    return core::Status(core::StatusCode::kIoError,
                        path + ": " + std::strerror(errno) + "; expected the name of a new file");
  }
  core::Result<KeyPtr> made =
      dkim::SignerKey::Generate(type, bits, [&](std::string_view text) -> core::Status {
        int error = WriteKey(file.fd, text);
        if (error == 0) error = SyncDirectoryOf(path);
        return error == 0 ? core::OkStatus() : core::Status::FromErrno(error, path);
      });
  if (!made.ok()) unlink(path.c_str());
  return made;
}

std::string DkimZoneLine(std::string_view selector, std::string_view domain,
                         const dkim::SignerKey& key) {
  const std::string record = key.Record();
  std::string line(selector);
  line.append("._domainkey.").append(domain).append(". IN TXT");
  for (size_t at = 0; at < record.size(); at += kTxtStringBytes) {
    line.append(" \"").append(record.substr(at, kTxtStringBytes)).append("\"");
  }
  return line;
}

}  // namespace outbox::tools
