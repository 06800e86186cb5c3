// The files of users that listeners with AUTH have.
#ifndef OUTBOX_TOOLS_DOCTOR_USER_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_USER_CHECKS_H_

#include <string>

#include "core/config.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Who may read them, and whether the hashes in them stand a guess. `config_file`: relative paths
// are relative to it.
void CheckUserFiles(const std::string& config_file, const core::Config& config, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_USER_CHECKS_H_
