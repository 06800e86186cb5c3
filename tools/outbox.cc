// outbox: the operator's command. Speaks to a running outboxd through its control socket.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "tools/control_client.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_options.h"

namespace outbox::tools {
namespace {

// docs/operations.md lists these.
enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitUnreachable = 3 };

int Report(const core::Status& status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return kExitFailure;
  if (status.ok()) return kExitOk;
  if (!status.message().empty()) std::fprintf(stderr, "outbox: %s\n", status.message().c_str());
  return status.code() == core::StatusCode::kUnavailable ? kExitUnreachable : kExitFailure;
}

int Run(const CLI::App& app, const Arguments& arguments) {
  ControlClient client;
  const core::Status connected = client.Connect(arguments.control);
  if (!connected.ok()) {
    std::fprintf(stderr, "outbox: %s\n", connected.message().c_str());
    return kExitUnreachable;
  }
  const bool json = arguments.json;
  const nlohmann::json filter = FilterOf(arguments);
  if (app.got_subcommand("stats")) return Report(StatsCommand(&client, json));
  if (app.got_subcommand("queue")) {
    return Report(QueueCommand(&client, filter, arguments.view, json));
  }
  if (app.got_subcommand("why")) {
    return Report(WhyCommand(&client, *WhyTarget(arguments.target), json));
  }
  for (const char* const command : {"retry", "remove"}) {
    if (app.got_subcommand(command)) return Report(ActCommand(&client, command, filter, json));
  }
  if (app.got_subcommand("log")) return Report(LogCommand(&client, filter, json));
  if (app.got_subcommand("reload")) return Report(ReloadCommand(&client, json));
  return Report(StopCommand(&client, arguments.wait_seconds, json));
}

// What the parser cannot know is wrong.
void Check(const CLI::App& app, const Arguments& arguments) {
  if (app.got_subcommand("retry") && FilterOf(arguments).empty()) {
    throw CLI::RequiredError("retry: an ID, a filter such as --domain, or --all");
  }
  core::Status status;
  if (app.got_subcommand("queue")) status = CheckQueueView(arguments.view);
  if (app.got_subcommand("why")) status = WhyTarget(arguments.target).status();
  if (!status.ok()) throw CLI::ValidationError(status.message());
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) {
  using outbox::tools::kExitOk;
  using outbox::tools::kExitUsage;
  outbox::tools::Arguments arguments;
  CLI::App app{"outbox: looks after a running outboxd."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "outbox " OUTBOX_VERSION);
  app.add_option("--control", arguments.control, "the daemon's control socket")
      ->envname("OUTBOX_CONTROL")
      ->capture_default_str();
  outbox::tools::AddCommands(&app, &arguments);
  try {
    app.parse(argc, argv);
    outbox::tools::Check(app, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (app.got_subcommand("completion")) {
    const std::string script = outbox::tools::CompletionScript(app, arguments.shell);
    return std::fputs(script.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? kExitOk : 1;
  }
  // `outbox queue | head` ends quietly by SIGPIPE's default action.
  std::signal(SIGPIPE, SIG_DFL);
  return outbox::tools::Run(app, arguments);
}
