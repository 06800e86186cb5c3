// ConfigFile: the daemon's configuration as it is read from disk, at the start and by a reload.
#ifndef OUTBOX_TOOLS_CONFIG_FILE_H_
#define OUTBOX_TOOLS_CONFIG_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "tools/tls_files.h"

namespace outbox::tools {

// All of a file, or none and why.
struct LoadedConfig {
  std::shared_ptr<const core::Config> config;  // null with errors
  std::vector<std::string> errors;             // "file:line:column: what, and what was expected"
  std::string text;
  TlsFiles tls;  // of LoadConfig
};

// Everything that outboxd needs to start with it: the secrets of its routes, the keys of [[dkim]],
// its certificates and its users as well. `running`: what it is to replace; null: nothing runs.
LoadedConfig LoadConfig(const std::string& path, const core::Config* running = nullptr);
// The same for who is not outboxd: without the secrets of routes, which are outboxd's to read.
LoadedConfig LoadExaminedConfig(const std::string& path);
// What the file says, and the keys of [[dkim]].
LoadedConfig LoadSigningConfig(const std::string& path);
// Only what the file says: for who may not know secrets, and sends nothing.
LoadedConfig ReadConfig(const std::string& path);

// What is different between the running configuration and the loaded one and cannot change while
// the daemon runs, as errors with their place in the file.
std::vector<std::string> NeedsRestart(const core::Config& running, const LoadedConfig& loaded,
                                      const std::string& path);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONFIG_FILE_H_
