// The secrets of routes that authenticate: whether outboxd can read them, and who else can.
#ifndef OUTBOX_TOOLS_DOCTOR_SECRET_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_SECRET_CHECKS_H_

#include <string>

#include "core/config.h"
#include "tools/doctor/file_checks.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Each file once. No file is opened: its contents are looked at with the configuration.
void CheckRouteSecrets(const core::Config& config, const Account& account, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SECRET_CHECKS_H_
