#include "tools/config_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "core/toml.h"
#include "tools/dkim_keys.h"
#include "tools/machine.h"
#include "tools/route_secrets.h"
#include "tools/user_files.h"

namespace outbox::tools {
namespace {

// Why the file cannot be read; empty: it was.
std::string ReadFile(const std::string& path, std::string* text) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return std::strerror(errno);
  text->resize(core::kConfigFileBytes + 1);
  const size_t size = std::fread(text->data(), 1, text->size(), file);
  const int error = std::ferror(file) != 0 ? errno : 0;
  std::fclose(file);
  text->resize(size);
  if (error != 0) return std::strerror(error);
  return size > core::kConfigFileBytes ? "larger than 16 MiB" : "";
}

// Where `table`.`key` stands, or where it would: "table" may be "", for the top level.
core::TomlPosition Place(const core::TomlValue& root, std::string_view table,
                         std::string_view key) {
  const core::TomlValue* in = &root;
  for (const core::TomlValue& member : root.items) {
    if (member.key == table) in = &member;
  }
  for (const core::TomlValue& member : in->items) {
    if (member.key == key) return member.position;
  }
  return in->position;
}

enum class With { kNothing, kKeys, kFiles, kAllSecrets };

// Relative paths are relative to the configuration.
void LoadSites(const std::string& path, core::Config* config, std::vector<std::string>* errors) {
  for (const core::SiteFileConfig& named : config->site_files) {
    const std::string file =
        named.path[0] == '/' ? named.path : path.substr(0, path.rfind('/') + 1) + named.path;
    std::string text;
    if (const std::string why = ReadFile(file, &text); !why.empty()) {
      errors->push_back(path + ":" + std::to_string(named.line) + ":" +
                        std::to_string(named.column) + ": \"" + named.path +
                        "\" cannot be read: " + why + "; expected a file of [[site]] tables");
      continue;
    }
    for (std::string& error : core::ParseSites(text, file, config)) {
      errors->push_back(std::move(error));
    }
  }
}

LoadedConfig Load(const std::string& path, With with, const core::Config* running = nullptr) {
  LoadedConfig loaded;
  if (const std::string why = ReadFile(path, &loaded.text); !why.empty()) {
    loaded.errors.push_back(path + ":1:1: the file cannot be read: " + why +
                            "; expected a readable configuration");
    return loaded;
  }
  core::ConfigResult parsed = core::ParseConfig(loaded.text, path);
  loaded.errors = std::move(parsed.errors);
  if (loaded.errors.empty()) LoadSites(path, &parsed.config, &loaded.errors);
  if (loaded.errors.empty()) {
    if (with == With::kAllSecrets) LoadRouteSecrets(path, &parsed.config, &loaded.errors);
    if (with >= With::kFiles) {
      LoadTlsFiles(path, parsed.config, &loaded.tls, &loaded.errors);
      LoadUserFiles(path, running, &parsed.config, &loaded.errors);
    }
    if (with != With::kNothing) LoadDkimKeys(path, &parsed.config, &loaded.errors);
  }
  if (loaded.errors.size() > core::kConfigErrors) loaded.errors.resize(core::kConfigErrors);
  if (loaded.errors.empty()) {
    AddMachineDefaults(&parsed.config);
    loaded.config = std::make_shared<const core::Config>(std::move(parsed.config));
  }
  return loaded;
}

}  // namespace

LoadedConfig LoadConfig(const std::string& path, const core::Config* running) {
  return Load(path, With::kAllSecrets, running);
}

LoadedConfig LoadExaminedConfig(const std::string& path) { return Load(path, With::kFiles); }

LoadedConfig LoadSigningConfig(const std::string& path) { return Load(path, With::kKeys); }

LoadedConfig ReadConfig(const std::string& path) { return Load(path, With::kNothing); }

std::vector<std::string> NeedsRestart(const core::Config& running, const LoadedConfig& loaded,
                                      const std::string& path) {
  const core::Config& next = *loaded.config;
  const core::StorageConfig& storage = running.storage;
  const struct {
    bool changed;
    const char* table;
    const char* key;
  } fixed[] = {
      {running.hostname != next.hostname, "", "hostname"},
      {running.spool != next.spool, "", "spool"},
      {running.control != next.control, "", "control"},
      {running.stats != next.stats, "", "stats"},
      {running.maildrop != next.maildrop, "", "maildrop"},
      {running.shards != next.shards, "", "shards"},
      {storage.segment_size != next.storage.segment_size, "storage", "segment_size"},
      {storage.reserve != next.storage.reserve, "storage", "reserve"},
      {storage.max_size != next.storage.max_size, "storage", "max_size"},
      {storage.hot_memory != next.storage.hot_memory, "storage", "hot_memory"},
      {storage.direct != next.storage.direct, "storage", "direct"},
      {running.limits.connections_out != next.limits.connections_out, "limits", "connections_out"},
      {running.talk.memory != next.talk.memory, "talk", "memory"},
      {running.talk.disk != next.talk.disk, "talk", "disk"},
      {running.talk.directory != next.talk.directory, "talk", "directory"},
      {running.io.disable != next.io.disable, "io", "disable"},
  };
  std::vector<std::string> errors;
  const core::TomlResult toml = core::ParseToml(loaded.text);
  for (const auto& one : fixed) {
    if (!one.changed) continue;
    const core::TomlPosition at = Place(toml.root, one.table, one.key);
    errors.push_back(path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                     ": \"" + one.key +
                     "\" cannot change while outboxd runs; expected the value that it was started "
                     "with, or a restart");
  }
  return errors;
}

}  // namespace outbox::tools
