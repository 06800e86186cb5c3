// The places that outboxd writes to: the spool, the control socket's directory, the log. And the
// secrets that it reads (tools/doctor/secret_checks.h).
#ifndef OUTBOX_TOOLS_DOCTOR_FILE_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_FILE_CHECKS_H_

#include <sys/stat.h>

#include <cstdint>

#include "core/config.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/daemon_view.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Whom the daemon runs as.
struct Account {
  uint32_t user = 0;
  uint32_t group = 0;
};

// By owner, group and mode alone. Of a directory: to make files in it.
bool MayWrite(const struct stat& file, const Account& account);

// Owner, mode, space and file system of everything. `loop`: null without io_uring; then nothing is
// written.
void CheckFiles(const core::Config& config, const DaemonView& daemon, BlockingLoop* loop,
                Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_FILE_CHECKS_H_
