// DaemonView: what the doctor can see of a running outboxd.
#ifndef OUTBOX_TOOLS_DOCTOR_DAEMON_VIEW_H_
#define OUTBOX_TOOLS_DOCTOR_DAEMON_VIEW_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "tools/doctor/report.h"

namespace outbox::tools {

struct DaemonView {
  bool running = false;  // it has answered
  int pid = 0;
  uint32_t user = 0;
  uint32_t group = 0;
  bool recovering = false;
  int64_t queued = 0;
  std::string failure;     // why it cannot be talked to
  bool forbidden = false;  // the socket is there, and not for us
};

// Talks to the control socket.
DaemonView LookAtDaemon(const std::string& control);

void CheckDaemon(const DaemonView& daemon, Report* report);

// The soft and hard limit of a process, from the text of /proc/PID/limits: UINT64_MAX for
// "unlimited"; nothing when the line is not there. `name`: "Max open files".
struct ProcessLimit {
  uint64_t soft = 0;
  uint64_t hard = 0;
};
std::optional<ProcessLimit> LimitOf(const std::string& limits, const std::string& name);

// "outbox (uid 998)".
std::string UserName(uint32_t user);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_DAEMON_VIEW_H_
