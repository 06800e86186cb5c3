// The files of users that listeners name, read at the start and at a reload.
//
// They hold hashes, no passwords; what is wrong with one is told without quoting a hash.
#ifndef OUTBOX_TOOLS_USER_FILES_H_
#define OUTBOX_TOOLS_USER_FILES_H_

#include <string>
#include <vector>

#include "core/config.h"

namespace outbox::tools {

// Relative paths are relative to the configuration.
std::string UserFilePath(const std::string& config_file, const core::ConfigFile& named);

// Sets ListenerAuth::users of every listener with AUTH; listeners that name the same file share a
// list. `running`: the configuration that this one is to replace, or null: users of its files go on
// with what was left of their rates. Errors are lines for the operator, with their place in
// `config_file` or in the file of users. On the main thread.
void LoadUserFiles(const std::string& config_file, const core::Config* running,
                   core::Config* config, std::vector<std::string>* errors);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_USER_FILES_H_
