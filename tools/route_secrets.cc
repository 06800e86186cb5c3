#include "tools/route_secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>

#include "core/limits.h"
#include "core/secret.h"

namespace outbox::tools {
namespace {

using SecretPtr = std::shared_ptr<const core::Secret>;

// Memory that is overwritten when it is left.
struct Scratch {
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { explicit_bzero(bytes.data(), bytes.size()); }

  std::array<char, core::kConfigSecretBytes + 3> bytes = {};  // CRLF, and one that is too many
};

struct Descriptor {
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  const int fd;
};

std::string Bound() { return "1 to " + std::to_string(core::kConfigSecretBytes) + " bytes"; }

// A secret, or why there is none and what was expected.
SecretPtr Make(std::string_view text, std::string* why) {
  if (text.empty() || text.size() > core::kConfigSecretBytes ||
      text.find('\0') != std::string_view::npos) {
    *why = "holds no secret that can be used; expected " + Bound() + " of text";
    return nullptr;
  }
  SecretPtr secret = core::Secret::Copy(text);
  if (secret == nullptr) *why = "cannot be kept: there is no memory for it; expected some";
  return secret;
}

SecretPtr ReadSecretFile(const std::string& path, std::string* why) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (file.fd < 0 || fstat(file.fd, &status) != 0) {
    *why = std::string("cannot be read: ") + std::strerror(errno) + "; expected a readable file";
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    *why = "is no file; expected one that holds the secret";
    return nullptr;
  }
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    *why = "is open to everybody on this machine; expected mode 0600 or 0640";
    return nullptr;
  }
  Scratch scratch;
  size_t size = 0;
  while (size < scratch.bytes.size()) {
    const ssize_t got = read(file.fd, scratch.bytes.data() + size, scratch.bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      *why = std::string("cannot be read: ") + std::strerror(errno) + "; expected a readable file";
      return nullptr;
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  std::string_view text(scratch.bytes.data(), size);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return Make(text, why);
}

SecretPtr ReadSecretVariable(const std::string& name, std::string* why) {
  static std::map<std::string, SecretPtr>* const known = new std::map<std::string, SecretPtr>;
  if (const auto found = known->find(name); found != known->end()) return found->second;
  char* const value = std::getenv(name.c_str());
  if (value == nullptr) {
    *why = "is not in the environment; expected it to be set when outboxd starts";
    return nullptr;
  }
  SecretPtr secret = Make(value, why);
  if (secret == nullptr) return nullptr;
  explicit_bzero(value, std::strlen(value));
  unsetenv(name.c_str());
  known->emplace(name, secret);
  return secret;
}

std::string Place(const std::string& file, uint32_t line, uint32_t column) {
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": ";
}

}  // namespace

void LoadRouteSecrets(const std::string& file, core::Config* config,
                      std::vector<std::string>* errors) {
  for (core::RouteConfig& route : config->routes) {
    core::RouteAuth& auth = route.auth;
    if (auth.user.empty()) continue;
    std::string why;
    const bool by_file = !auth.secret_file.empty();
    auth.secret = by_file ? ReadSecretFile(auth.secret_file, &why)
                          : ReadSecretVariable(auth.secret_env, &why);
    if (auth.secret != nullptr) continue;
    errors->push_back(Place(file, auth.line, auth.column) + "the secret " +
                      (by_file ? "file \"" + auth.secret_file : "variable \"" + auth.secret_env) +
                      "\" " + why);
  }
}

}  // namespace outbox::tools
