#include "tools/user_files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "core/limits.h"
#include "core/user_list.h"

namespace outbox::tools {
namespace {

using UserListPtr = std::shared_ptr<const core::UserList>;

// Why the file cannot be read; empty: it was.
std::string ReadUserText(const std::string& path, std::string* text) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return std::strerror(errno);
  text->resize(core::kUserFileBytes + 1);
  const size_t size = std::fread(text->data(), 1, text->size(), file);
  const int error = std::ferror(file) != 0 ? errno : 0;
  std::fclose(file);
  text->resize(size);
  if (error != 0) return std::strerror(error);
  return size > core::kUserFileBytes ? "larger than 16 MiB" : "";
}

// Of the configuration that runs; null: it has none.
UserListPtr RunningList(const core::Config* running, const std::string& path) {
  if (running == nullptr) return nullptr;
  for (const core::ListenerConfig& listener : running->listeners) {
    if (listener.auth.users != nullptr && listener.auth.file.path == path) {
      return listener.auth.users;
    }
  }
  return nullptr;
}

// Null: the errors say why.
UserListPtr ReadUserFile(const std::string& config_file, const core::ConfigFile& named,
                         const core::Config* running, std::vector<std::string>* errors) {
  const std::string path = UserFilePath(config_file, named);
  std::string text;
  if (const std::string why = ReadUserText(path, &text); !why.empty()) {
    errors->push_back(config_file + ":" + std::to_string(named.line) + ":" +
                      std::to_string(named.column) + ": the users' file \"" + named.path +
                      "\" cannot be read: " + why + "; expected a file of name:hash lines");
    return nullptr;
  }
  core::UserListResult result = core::ParseUsers(text, path);
  explicit_bzero(text.data(), text.size());
  if (result.list == nullptr) {
    errors->insert(errors->end(), result.errors.begin(), result.errors.end());
    return nullptr;
  }
  if (const UserListPtr before = RunningList(running, named.path); before != nullptr) {
    result.list->TakeUses(*before);
  }
  return result.list;
}

}  // namespace

std::string UserFilePath(const std::string& config_file, const core::ConfigFile& named) {
  if (named.path[0] == '/') return named.path;
  return config_file.substr(0, config_file.rfind('/') + 1) + named.path;
}

void LoadUserFiles(const std::string& config_file, const core::Config* running,
                   core::Config* config, std::vector<std::string>* errors) {
  std::map<std::string, UserListPtr> read;
  for (core::ListenerConfig& listener : config->listeners) {
    core::ListenerAuth& auth = listener.auth;
    if (auth.mode == core::AuthMode::kNone) continue;
    const auto [place, is_new] = read.try_emplace(auth.file.path);
    if (is_new) place->second = ReadUserFile(config_file, auth.file, running, errors);
    auth.users = place->second;
  }
}

}  // namespace outbox::tools
