#include "tools/tls_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "core/time.h"

namespace outbox::tools {
namespace {

constexpr const char* kPackage =
    "the package ca-certificates to be installed, or [delivery] tls_ca to name a file";

// The bytes of a file, overwritten when they are left.
struct PemText {
  PemText() = default;
  PemText(const PemText&) = delete;
  PemText& operator=(const PemText&) = delete;
  ~PemText() { explicit_bzero(bytes.data(), bytes.size()); }
  std::string bytes;
};

FileStamp StampOf(const std::string& path, const struct stat& status) {
  FileStamp stamp;
  stamp.path = path;
  stamp.inode = status.st_ino;
  stamp.size = status.st_size;
  stamp.changed_ns = status.st_mtim.tv_sec * core::kNsPerSecond + status.st_mtim.tv_nsec;
  return stamp;
}

// Why it cannot be had and what was expected; empty: it was. `secret`: nobody else may read it.
std::string ReadPem(const std::string& path, bool secret, PemText* text, FileStamp* stamp) {
  constexpr const char* kReadable = "; expected a readable file";
  stamp->path = path;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::string("cannot be read: ") + std::strerror(errno) + kReadable;
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) {
    close(*f);
  });
  struct stat status = {};
  if (fstat(fd, &status) != 0) {
    return std::string("cannot be read: ") + std::strerror(errno) + kReadable;
  }
  *stamp = StampOf(path, status);
  if (!S_ISREG(status.st_mode)) return "is no file; expected one in PEM format";
  if (secret && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return "holds a key and is open to everybody on this machine; expected mode 0600 or 0640";
  }
  if (static_cast<uint64_t>(status.st_size) > core::kTlsFileBytes) {
    return "is too large; expected at most 4 MiB";
  }
  text->bytes.resize(static_cast<size_t>(status.st_size));
  size_t size = 0;
  while (size < text->bytes.size()) {
    const ssize_t got = read(fd, text->bytes.data() + size, text->bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::string("cannot be read: ") + std::strerror(errno) + kReadable;
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text->bytes.resize(size);
  return "";
}

class Loader {
 public:
  Loader(const std::string& config_file, TlsFiles* files, std::vector<std::string>* errors)
      : config_file_(config_file), files_(*files), errors_(errors) {}

  void LoadListener(const core::ListenerConfig& listener) {
    std::vector<std::unique_ptr<PemText>> chains;
    std::vector<std::unique_ptr<PemText>> keys;
    std::vector<io::TlsIdentity> identities;
    for (size_t i = 0; i < listener.tls_certificates.size(); ++i) {
      const core::ConfigFile& chain = listener.tls_certificates[i];
      const core::ConfigFile& key = listener.tls_keys[i];
      chains.push_back(std::make_unique<PemText>());
      keys.push_back(std::make_unique<PemText>());
      if (!Read(chain, "certificate", key.path == chain.path, chains.back().get())) return;
      if (!Read(key, "key", true, keys.back().get())) return;
      identities.push_back({chains.back()->bytes, keys.back()->bytes});
    }
    if (identities.empty()) {
      files_.tls.listeners.push_back(nullptr);
      return;
    }
    size_t bad = 0;
    auto made = io::TlsServerContext::Create(identities, &bad);
    if (made.ok()) {
      files_.tls.listeners.push_back(std::move(*made));
      return;
    }
    const core::ConfigFile& chain = listener.tls_certificates[bad];
    const core::ConfigFile& key = listener.tls_keys[bad];
    const std::string with = key.path == chain.path ? "" : " with the key \"" + key.path + "\"";
    Fail(chain, "the certificate \"" + chain.path + "\"" + with + ": " + made.status().message() +
                    "; expected a certificate, those that lead to its root, and its key, in PEM "
                    "format");
  }

  void LoadTrust(const core::Config& config) {
    const core::ConfigFile* wanted = nullptr;
    core::ConfigFile place = config.delivery.tls_ca;
    if (config.delivery.tls == core::TlsMode::kVerify) wanted = &place;
    for (const core::RouteConfig& route : config.routes) {
      if (route.tls != core::TlsMode::kVerify || wanted != nullptr) continue;
      wanted = &place;
      if (place.line == 0) {
        place.line = route.tls_line;
        place.column = route.tls_column;
      }
    }
    if (wanted == nullptr) return;
    PemText text;
    FileStamp stamp;
    std::string why = ReadPem(place.path, /*secret=*/false, &text, &stamp);
    files_.stamps.push_back(std::move(stamp));
    if (why.empty()) {
      auto made = io::TlsTrust::Create(text.bytes);
      if (made.ok()) {
        files_.tls.trust = std::move(*made);
        return;
      }
      why = made.status().message() + "; expected certificates in PEM format";
    }
    if (config.delivery.tls_ca.line == 0) {
      why = why.substr(0, why.find("; expected")) + "; expected " + kPackage;
    }
    Fail(place, "\"verify\" needs to know who may vouch for others: \"" + place.path + "\" " + why);
  }

 private:
  bool Read(const core::ConfigFile& file, const char* what, bool secret, PemText* text) {
    FileStamp stamp;
    const std::string why = ReadPem(file.path, secret, text, &stamp);
    files_.stamps.push_back(std::move(stamp));
    if (why.empty()) return true;
    Fail(file, "the " + std::string(what) + " \"" + file.path + "\" " + why);
    return false;
  }

  void Fail(const core::ConfigFile& at, const std::string& text) {
    errors_->push_back(config_file_ + ":" + std::to_string(std::max(at.line, 1u)) + ":" +
                       std::to_string(std::max(at.column, 1u)) + ": " + text);
  }

  const std::string& config_file_;
  TlsFiles& files_;
  std::vector<std::string>* const errors_;
};

}  // namespace

void LoadTlsFiles(const std::string& config_file, const core::Config& config, TlsFiles* files,
                  std::vector<std::string>* errors) {
  *files = {};
  Loader loader(config_file, files, errors);
  for (const core::ListenerConfig& listener : config.listeners) loader.LoadListener(listener);
  loader.LoadTrust(config);
}

std::vector<FileStamp> LookAgain(const std::vector<FileStamp>& stamps) {
  std::vector<FileStamp> now;
  for (const FileStamp& stamp : stamps) {
    struct stat status = {};
    const bool there = stat(stamp.path.c_str(), &status) == 0;
    now.push_back(there ? StampOf(stamp.path, status) : FileStamp{.path = stamp.path});
  }
  return now;
}

}  // namespace outbox::tools
