// The addresses that outboxd listens at: free, or its own.
#ifndef OUTBOX_TOOLS_DOCTOR_LISTENER_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_LISTENER_CHECKS_H_

#include "core/config.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/daemon_view.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// While the daemon runs, each must greet as it does; while it does not, each must be free. `loop`:
// null without io_uring; then a running daemon is believed.
void CheckListeners(const core::Config& config, const DaemonView& daemon, BlockingLoop* loop,
                    Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_LISTENER_CHECKS_H_
