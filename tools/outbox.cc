// outbox: the operator's command. Speaks to a running outboxd through its control socket.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "tools/control_client.h"
#include "tools/outbox_commands.h"

namespace outbox::tools {
namespace {

// docs/operations.md lists these.
enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitUnreachable = 3 };

struct Arguments {
  std::string control = "/run/outbox/control.sock";
  bool json = false;
  int wait_seconds = 60;
};

int Report(const core::Status& status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return kExitFailure;
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "outbox: %s\n", status.message().c_str());
  return status.code() == core::StatusCode::kUnavailable ? kExitUnreachable : kExitFailure;
}

int Run(const CLI::App& app, const Arguments& arguments) {
  ControlClient client;
  const core::Status connected = client.Connect(arguments.control);
  if (!connected.ok()) {
    std::fprintf(stderr, "outbox: %s\n", connected.message().c_str());
    return kExitUnreachable;
  }
  if (app.got_subcommand("stats")) return Report(StatsCommand(&client, arguments.json));
  if (app.got_subcommand("queue")) return Report(QueueCommand(&client, arguments.json));
  return Report(StopCommand(&client, arguments.wait_seconds));
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) {
  using outbox::tools::kExitOk;
  using outbox::tools::kExitUsage;
  outbox::tools::Arguments arguments;
  CLI::App app{"outbox: looks after a running outboxd."};
  app.require_subcommand(1);
  app.add_option("--control", arguments.control, "the daemon's control socket")
      ->envname("OUTBOX_CONTROL")
      ->capture_default_str();
  CLI::App* const stats = app.add_subcommand("stats", "counters and gauges");
  stats->add_flag("--json", arguments.json, "as one JSON object");
  CLI::App* const queue = app.add_subcommand("queue", "every queued recipient");
  queue->add_flag("--json", arguments.json, "one JSON object a line");
  CLI::App* const stop = app.add_subcommand("stop", "stop the daemon cleanly");
  stop->add_option("--wait", arguments.wait_seconds, "seconds to wait for its end; 0: do not wait")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  // `outbox queue | head` ends quietly by SIGPIPE's default action.
  std::signal(SIGPIPE, SIG_DFL);
  return outbox::tools::Run(app, arguments);
}
