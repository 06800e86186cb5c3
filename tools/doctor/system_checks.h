// The machine: the kernel and its io_uring, the limits of the process, the clock.
#ifndef OUTBOX_TOOLS_DOCTOR_SYSTEM_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_SYSTEM_CHECKS_H_

#include <string>
#include <string_view>

#include "core/config.h"
#include "core/status.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/daemon_view.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Whether a release ("6.1.0-18-amd64") is at least that version.
bool IsKernelAtLeast(std::string_view release, int major, int minor);

// The version, that io_uring may be used, and that all that we do with a ring works. `loop` is null
// when there is none: `why` then says why.
void CheckKernel(BlockingLoop* loop, const core::Status& why, const core::Config& config,
                 Report* report);

// Open files against what the configuration needs; locked memory against the rings of all shards.
// Of the daemon's process if it runs, else of this one.
void CheckLimits(const core::Config& config, const DaemonView& daemon, Report* report);

void CheckClock(Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SYSTEM_CHECKS_H_
