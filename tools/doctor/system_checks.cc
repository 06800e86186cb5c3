#include "tools/doctor/system_checks.h"

#include <sys/resource.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/time.h"
#include "tools/descriptor_plan.h"
#include "tools/doctor/ring_probe.h"
#include "tools/machine.h"

namespace outbox::tools {
namespace {

constexpr int kKernelMajor = 6;
constexpr int kKernelMinor = 1;
// 2026-01-01: a clock before it has lost its battery, or was never set.
constexpr time_t kEarliest = 1767225600;
constexpr long kErrorMaxUs = 1'000'000;  // of a synchronised clock

std::string ReadText(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  std::array<char, 8192> bytes;
  const size_t size = std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  return std::string(bytes.data(), size);
}

const char* FixOfRing(core::StatusCode code) {
  switch (code) {
    case core::StatusCode::kPermissionDenied:
      return "Set sysctl kernel.io_uring_disabled=0; in a container, ask whoever runs it for a "
             "seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register.";
    case core::StatusCode::kUnimplemented:
      return "Boot Linux 6.1 or newer, built with CONFIG_IO_URING.";
    case core::StatusCode::kInvalidArgument:
      return "Correct [io] disable in the configuration.";
    default:
      return "Raise the limit that is named: LimitMEMLOCK= and LimitNOFILE= of the service.";
  }
}

void CheckDisabled(Report* report) {
  const std::string text = ReadText("/proc/sys/kernel/io_uring_disabled");
  if (text.empty() || text[0] == '0') return;
  report->Warn("io_uring",
               "sysctl kernel.io_uring_disabled is " + text.substr(0, 1) +
                   ": not everybody may use it, and outboxd's user must",
               "Set kernel.io_uring_disabled=0 in /etc/sysctl.d/, or put outboxd's group into "
               "kernel.io_uring_group (with the value 1).");
}

void CheckFeatures(BlockingLoop* loop, Report* report) {
  std::string in_use;
  std::string missing;
  for (const auto& [name, used] : loop->io()->FeaturesInUse()) {
    std::string* const list = used ? &in_use : &missing;
    *list += (list->empty() ? "" : ", ") + std::string(name);
  }
  if (!in_use.empty()) report->Ok("features", in_use);
  if (missing.empty()) return;
  report->Note("features", "not in use: " + missing +
                               "; everything works without them, at more cost a message");
}

std::string FilesText(uint64_t count) {
  return count == UINT64_MAX ? "unlimited" : std::to_string(count);
}

void CheckOpenFiles(const core::Config& config, const ProcessLimit& limit, const std::string& whose,
                    Report* report) {
  DescriptorNeeds needs;
  needs.limit = std::min<uint64_t>(limit.hard, UINT32_MAX);
  needs.shards = config.shards == 0 ? UsableCores() : config.shards;
  needs.listeners = static_cast<uint32_t>(config.listeners.size());
  needs.connections_out = config.limits.connections_out;
  needs.spool_files = CountSpoolFiles(config.spool);
  for (const core::ListenerConfig& listener : config.listeners) {
    needs.connections_in = std::max(needs.connections_in, listener.max_connections);
  }
  const std::string raise =
      "Set LimitNOFILE=524288 in the unit of the service (systemctl edit outbox), or a higher hard "
      "limit where it is started (ulimit -Hn).";
  const core::Result<DescriptorPlan> plan = PlanDescriptors(needs);
  const std::string what = "open files";
  if (!plan.ok()) {
    report->Fail(what, plan.status().message() + " (" + whose + ")", raise);
    return;
  }
  const std::string found = FilesText(limit.hard) + " (" + whose +
                            "): " + std::to_string(plan->connections_in) + " connections in and " +
                            std::to_string(plan->connections_out) + " out at most";
  const bool less = plan->connections_in < needs.connections_in ||
                    (needs.connections_out > 0 && plan->connections_out < needs.connections_out);
  if (less) {
    report->Warn(what, found + ", which is less than configured", raise);
  } else {
    report->Ok(what, found);
  }
}

// As many rings as the daemon makes, for a moment.
void CheckRings(const core::Config& config, Report* report) {
  const uint32_t shards = config.shards == 0 ? UsableCores() : config.shards;
  std::vector<std::unique_ptr<BlockingLoop>> loops;
  for (uint32_t i = 0; i < shards; ++i) {
    core::Result<std::unique_ptr<BlockingLoop>> loop = BlockingLoop::Create(config.io.disable);
    if (!loop.ok()) {
      report->Fail("rings",
                   "only " + std::to_string(i) + " of the rings for " + std::to_string(shards) +
                       " shards can be made: " + loop.status().message(),
                   FixOfRing(loop.status().code()));
      return;
    }
    loops.push_back(std::move(*loop));
  }
  rlimit limit = {};
  const bool known = getrlimit(RLIMIT_MEMLOCK, &limit) == 0;
  report->Ok("rings",
             "those of " + std::to_string(shards) + " shards can be made; locked memory " +
                 (!known ? "is not known"
                  : limit.rlim_cur == RLIM_INFINITY
                      ? "is not limited"
                      : "is limited to " + std::to_string(limit.rlim_cur / 1024) + " KiB"));
}

}  // namespace

bool IsKernelAtLeast(std::string_view release, int major, int minor) {
  int found[2] = {};
  const char* at = release.data();
  const char* const end = at + release.size();
  for (int& number : found) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return false;
    at = next < end && *next == '.' ? next + 1 : end;
  }
  return found[0] > major || (found[0] == major && found[1] >= minor);
}

void CheckKernel(BlockingLoop* loop, const core::Status& why, const core::Config& config,
                 Report* report) {
  utsname name = {};
  const std::string release = uname(&name) == 0 ? name.release : "unknown";
  if (IsKernelAtLeast(release, kKernelMajor, kKernelMinor)) {
    report->Ok("version", "Linux " + release);
  } else {
    report->Fail("version", "Linux " + release + " is too old", "Boot Linux 6.1 or newer.");
  }
  CheckDisabled(report);
  if (loop == nullptr) {
    report->Fail("io_uring", why.message(), FixOfRing(why.code()));
    return;
  }
  if (const core::Status status = ProbeRing(loop); !status.ok()) {
    report->Fail("io_uring", status.message(),
                 "The kernel, or what confines this process, does not let io_uring work; try "
                 "outside of the container, or another kernel.");
    return;
  }
  report->Ok("io_uring", "a connection over loopback was made, accepted, written and read");
  CheckFeatures(loop, report);
  CheckRings(config, report);
}

void CheckLimits(const core::Config& config, const DaemonView& daemon, Report* report) {
  const std::string process = daemon.running ? std::to_string(daemon.pid) : "self";
  const std::string text = ReadText("/proc/" + process + "/limits");
  const std::string whose = daemon.running ? "of outboxd" : "of this shell; a service has its own";
  const std::optional<ProcessLimit> files = LimitOf(text, "Max open files");
  if (!files) {
    report->Note("open files", "the limit of the process cannot be read");
    return;
  }
  CheckOpenFiles(config, *files, whose, report);
}

void CheckClock(Report* report) {
  timespec wall = {};
  timespec monotonic = {};
  timespec boot = {};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const std::string install =
      "Install and start chrony or systemd-timesyncd, and see that it reaches its servers; in a "
      "container or virtual machine, ask whoever runs the host.";
  if (wall.tv_sec < kEarliest) {
    report->Fail("time", "the clock is years behind: mail would carry a false date", install);
    return;
  }
  // Read after it, and it counts what the other one leaves out.
  if (boot.tv_sec < monotonic.tv_sec) {
    report->Fail("time", "CLOCK_BOOTTIME is behind CLOCK_MONOTONIC: timers cannot be trusted",
                 "Something pretends another time to this process (a time namespace, a "
                 "faketime library): run without it.");
    return;
  }
  timex state = {};
  const int result = adjtimex(&state);
  if (result < 0) {
    report->Note("time", std::string("whether the clock is synchronised cannot be read: ") +
                             std::strerror(errno));
  } else if (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0 ||
             state.maxerror > kErrorMaxUs) {
    report->Warn("time",
                 "the clock is not synchronised: dates in mail, and the age of signatures, will be "
                 "wrong in time",
                 install);
  } else {
    report->Ok("time", "the clock is synchronised");
  }
}

}  // namespace outbox::tools
